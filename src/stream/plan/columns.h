#pragma once

#include <set>
#include <string>
#include <vector>

#include "stream/plan/query_plan.h"

namespace millrace::stream::plan {

/// Collects what a query reads.
class Needed {
 public:
  explicit Needed(const TopicShape& topic) : topic_(topic) {}

  /// Takes the names of a dotted path, as far as they lead into structs. False when the first one is no column.
  bool add(const std::vector<std::string>& names, size_t first);
  void add_path(const ColumnPath& path) { paths_.insert(path); }
  /// Each once, none inside another, in the order of the schema and then of the metadata.
  std::vector<ColumnPath> paths() const;

 private:
  const TopicShape& topic_;
  std::set<ColumnPath> paths_;
};

}  // namespace millrace::stream::plan
