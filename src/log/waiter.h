#pragma once

#include <cstdint>

#include "base/mutex.h"
#include "base/time.h"

namespace millrace::log {

/// What a reader of several partitions sleeps on. Attach it to each partition (PartitionLog::attach), then:
///   uint64_t seen = waiter.signals();
///   ... read every partition; nothing there ...
///   waiter.wait(seen, timeout);
/// A signal between the two calls is not lost. Threading: safe from any thread. Lifetime: detach before it goes.
class Waiter {
 public:
  uint64_t signals() const {
    MutexLock lock(mutex_);
    return signals_;
  }
  void signal() {
    MutexLock lock(mutex_);
    ++signals_;
    changed_.notify_all();
  }
  /// Returns when there was a signal after `seen`, or the time is over; false then.
  bool wait(uint64_t seen, Duration timeout);

 private:
  mutable Mutex mutex_;
  CondVar changed_;
  uint64_t signals_ GUARDED_BY(mutex_) = 0;
};

}  // namespace millrace::log
