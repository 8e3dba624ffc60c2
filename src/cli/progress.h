#pragma once

#include <cstdint>
#include <string>

#include "base/time.h"

namespace millrace::cli {

/// How far a long copy is, on stderr: one line that changes on a terminal, else a line now and then.
class ProgressLine {
 public:
  explicit ProgressLine(std::string what);
  ~ProgressLine();
  void show(uint64_t bytes_done, uint64_t bytes_total);

 private:
  const std::string what_;
  const bool terminal_;
  bool drawn_ = false;
  Duration next_;  // what is done before needs no line
};

}  // namespace millrace::cli
