#include "app/disk_mark.h"

#include <algorithm>

namespace millrace::app {

uint64_t DiskMark::default_min_free(uint64_t total_bytes) {
  constexpr uint64_t kLeast = 64 << 20, kMost = 1 << 30;
  return std::min(std::clamp(total_bytes / 100, kLeast, kMost), total_bytes / 10);
}

bool DiskMark::is_low(uint64_t free_bytes) {
  low_ = free_bytes < (low_ ? opens_at() : min_free_);
  return low_;
}

}  // namespace millrace::app
