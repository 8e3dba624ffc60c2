#include "log/flusher.h"

#include <algorithm>

#include "log/partition.h"

namespace millrace::log {

Flusher::Flusher(env::Clock& clock) : clock_(clock), thread_([this] { run(); }) {}

Flusher::~Flusher() { stop(); }

void Flusher::request(std::shared_ptr<PartitionLog> partition, Duration delay) {
  Duration at = delay.count() == 0 ? Duration::min() : clock_.monotonic() + delay;
  MutexLock lock(mutex_);
  queue_.push_back({std::move(partition), at});
  changed_.notify_one();
}

void Flusher::stop() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    changed_.notify_one();
  }
  if (thread_.joinable()) thread_.join();
}

Duration Flusher::running_for() const {
  int64_t began = began_;
  return began == kIdle ? Duration(0) : clock_.monotonic() - Duration(began);
}

std::vector<std::shared_ptr<PartitionLog>> Flusher::take_due() {
  Duration now = clock_.monotonic();
  std::vector<std::shared_ptr<PartitionLog>> due;
  std::vector<Due> later;
  for (Due& entry : queue_) {
    if (stopping_ || entry.at <= now) {
      due.push_back(std::move(entry.partition));
    } else {
      later.push_back(std::move(entry));
    }
  }
  queue_ = std::move(later);
  return due;
}

void Flusher::run() {
  while (true) {
    std::vector<std::shared_ptr<PartitionLog>> due;
    {
      MutexLock lock(mutex_);
      while ((due = take_due()).empty()) {
        if (stopping_) return;
        if (queue_.empty()) {
          changed_.wait(mutex_);
        } else {
          Duration next = std::min_element(queue_.begin(), queue_.end(), [](auto& a, auto& b) { return a.at < b.at; })->at;
          changed_.wait_for(mutex_, std::max(next - clock_.monotonic(), Duration(100)));
        }
      }
    }
    // A failure is told to those who wait, by the partition.
    for (auto& partition : due) {
      partition->gather();
      began_ = clock_.monotonic().count();
      (void)partition->sync_once();
      began_ = kIdle;
    }
  }
}

}  // namespace millrace::log
