#include "log/waiter.h"

namespace millrace::log {

bool Waiter::wait(uint64_t seen, Duration timeout) {
  // The caller's patience, not data: real time that no result depends on.
  auto deadline = std::chrono::steady_clock::now() + timeout;
  MutexLock lock(mutex_);
  while (signals_ == seen) {
    auto left = std::chrono::duration_cast<Duration>(deadline - std::chrono::steady_clock::now());
    if (left.count() <= 0) return false;
    changed_.wait_for(mutex_, left);
  }
  return true;
}

}  // namespace millrace::log
