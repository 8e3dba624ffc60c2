#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "sql/error.h"

namespace millrace::sql {

/// Replacements in a text, and the way back from the new text's positions to the old one's.
class Splices {
 public:
  /// Ranges do not overlap; any order. `begin == end` inserts.
  void replace(size_t begin, size_t end, std::string with);
  std::string apply(std::string_view text) const;
  PositionMap way_back() const;

 private:
  struct Splice {
    size_t begin;
    size_t end;
    std::string with;
  };
  std::vector<Splice> splices_;  // by begin
};

}  // namespace millrace::sql
