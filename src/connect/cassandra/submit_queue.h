#pragma once

#include <atomic>
#include <deque>
#include <memory>
#include <vector>

#include "base/mutex.h"
#include "base/result.h"
#include "connect/cassandra/request.h"

namespace millrace::connect::cassandra {

/// Requests on their way to the session's thread; bounded. Threading: any, `take` from the session's thread only.
class SubmitQueue {
 public:
  SubmitQueue();
  ~SubmitQueue();
  /// Takes all of them, waiting while the queue is full. kCancelled once `cancelled` is set (call nudge) or the session ends:
  /// then those that were not taken are still in `requests`.
  Status push(std::vector<std::unique_ptr<Request>>& requests, const std::atomic<bool>& cancelled) EXCLUDES(mutex_);
  /// Wakes those that wait, so that they look at `cancelled`.
  void nudge() EXCLUDES(mutex_);
  /// Up to `count` requests, the oldest first.
  void take(size_t count, std::vector<std::unique_ptr<Request>>& out) EXCLUDES(mutex_);
  bool stopped() EXCLUDES(mutex_);
  void stop() EXCLUDES(mutex_);
  /// Readable when something was pushed; reset by clear_event.
  int event() const { return event_; }
  void clear_event() EXCLUDES(mutex_);

 private:
  static constexpr size_t kRequestsMax = 4096;
  static constexpr size_t kBytesMax = 32 << 20;
  void raise() REQUIRES(mutex_);

  const int event_;
  Mutex mutex_;
  CondVar room_;
  std::deque<std::unique_ptr<Request>> requests_ GUARDED_BY(mutex_);
  size_t bytes_ GUARDED_BY(mutex_) = 0;
  bool raised_ GUARDED_BY(mutex_) = false;
  bool stopped_ GUARDED_BY(mutex_) = false;
};

}  // namespace millrace::connect::cassandra
