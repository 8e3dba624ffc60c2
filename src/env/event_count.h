#pragma once

#include <atomic>
#include <cstdint>

namespace millrace::env {

/// A number that only grows, and threads that sleep until it does. Unlike std::atomic::wait of libstdc++ a waiter does not yield
/// before it sleeps, which costs more than the sleep when many wait.
///
///     uint32_t seen = count.now();
///     if (!condition()) count.wait(seen);   // the thread that makes the condition true calls raise() afterwards
///
/// Threading: safe from any thread.
class EventCount {
 public:
  uint32_t now() const { return count_.load(); }
  /// Returns when the count is no longer `seen`; maybe earlier.
  void wait(uint32_t seen) const;
  /// Counts, and wakes everyone.
  void raise();

 private:
  std::atomic<uint32_t> count_{0};
};

}  // namespace millrace::env
