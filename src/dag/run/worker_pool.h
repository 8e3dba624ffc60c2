#pragma once

#include <deque>
#include <functional>
#include <thread>
#include <vector>

#include "base/mutex.h"

namespace millrace::dag {

/// Up to `threads_max` threads, each started when there is work and nobody free. The caller bounds what it submits.
class WorkerPool {
 public:
  explicit WorkerPool(size_t threads_max) : threads_max_(threads_max) {}
  ~WorkerPool() { stop(); }
  void submit(std::function<void()> work) EXCLUDES(mutex_);
  /// Does what was submitted, then ends the threads.
  void stop() EXCLUDES(mutex_);

 private:
  void loop() EXCLUDES(mutex_);

  const size_t threads_max_;
  Mutex mutex_;
  CondVar changed_;
  std::deque<std::function<void()>> queue_ GUARDED_BY(mutex_);
  std::vector<std::thread> threads_ GUARDED_BY(mutex_);
  size_t idle_ GUARDED_BY(mutex_) = 0;
  bool stopping_ GUARDED_BY(mutex_) = false;
};

}  // namespace millrace::dag
