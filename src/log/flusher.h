#pragma once

#include <atomic>
#include <memory>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "base/time.h"
#include "env/clock.h"

namespace millrace::log {

class PartitionLog;

/// The one thread that syncs. While it syncs, others write; what they wrote meanwhile is the next round: that is group commit,
/// and it needs no timer.
///
/// Threading: safe from any thread. Each partition stands in the queue at most once, so the queue is as long as there are
/// partitions.
class Flusher {
 public:
  explicit Flusher(env::Clock& clock);
  ~Flusher();

  /// Syncs the partition after `delay`, or earlier. The caller asks once until PartitionLog::sync_once has begun.
  void request(std::shared_ptr<PartitionLog> partition, Duration delay);
  /// Syncs everything that was asked for, then ends the thread.
  void stop();
  /// How long the sync that is under way has taken; 0 when there is none.
  Duration running_for() const;

 private:
  struct Due {
    std::shared_ptr<PartitionLog> partition;
    Duration at;  // Clock::monotonic
  };

  void run();
  std::vector<std::shared_ptr<PartitionLog>> take_due() REQUIRES(mutex_);

  static constexpr int64_t kIdle = -1;

  env::Clock& clock_;
  std::atomic<int64_t> began_ = kIdle;  // Clock::monotonic of the sync under way
  Mutex mutex_;
  CondVar changed_;
  std::vector<Due> queue_ GUARDED_BY(mutex_);
  bool stopping_ GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace millrace::log
