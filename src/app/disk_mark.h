#pragma once

#include <cstdint>

namespace millrace::app {

/// The low-water mark of the disk: below it nothing new comes in, so that what is there can still be processed, read and deleted.
/// It opens again only a quarter above the mark, so that it does not flutter. Pure. Threading: one thread.
class DiskMark {
 public:
  explicit DiskMark(uint64_t min_free_bytes) : min_free_(min_free_bytes) {}

  /// A hundredth of the file system, at least 64 MiB and at most 1 GiB; never more than a tenth of it.
  static uint64_t default_min_free(uint64_t total_bytes);

  /// True when `free_bytes` is too little to let anything in.
  bool is_low(uint64_t free_bytes);
  uint64_t min_free() const { return min_free_; }
  uint64_t opens_at() const { return min_free_ + min_free_ / 4; }

 private:
  const uint64_t min_free_;
  bool low_ = false;
};

}  // namespace millrace::app
