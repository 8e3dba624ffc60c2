#pragma once

#include <deque>
#include <functional>
#include <thread>
#include <vector>

#include "base/mutex.h"

namespace millrace::serve::http {

/// Threads that run handlers, and the bounded queue before them.
class HandlerPool {
 public:
  HandlerPool(size_t threads, size_t queue_max);
  ~HandlerPool() { stop(); }

  /// False when the queue is full or the pool has stopped.
  bool submit(std::function<void()> job) EXCLUDES(mutex_);
  /// Drops what is queued and waits for what runs.
  void stop() EXCLUDES(mutex_);

 private:
  void work() EXCLUDES(mutex_);

  const size_t queue_max_;
  Mutex mutex_;
  CondVar changed_;
  std::deque<std::function<void()>> queue_ GUARDED_BY(mutex_);
  bool stopped_ GUARDED_BY(mutex_) = false;

  std::vector<std::thread> threads_;
};

}  // namespace millrace::serve::http
