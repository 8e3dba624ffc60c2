#include "sql/watchdog.h"

#include <algorithm>

namespace millrace::sql {

namespace {
constexpr std::chrono::milliseconds kAgain{5};
constexpr std::chrono::hours kIdle{1};
}  // namespace

WatchThread::~WatchThread() {
  {
    MutexLock lock(mutex_);
    stopped_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

WatchThread::Time WatchThread::interrupt_due(Time now) {
  Time next = now + kIdle;
  for (Watchdog* one : watched_) {
    if (one->due_ <= now) {
      one->late_ |= !one->fired_;
      duckdb_interrupt(one->connection_);
      one->due_ = now + kAgain;
    }
    next = std::min(next, one->due_);
  }
  return next;
}

void WatchThread::watch() {
  MutexLock lock(mutex_);
  while (!stopped_) {
    Time now = std::chrono::steady_clock::now();
    wake_at_ = interrupt_due(now);
    changed_.wait_for(mutex_, std::chrono::ceil<std::chrono::microseconds>(wake_at_ - now));
  }
}

Watchdog::Watchdog(WatchThread& thread, duckdb_connection connection, Duration time)
    : thread_(thread), connection_(connection), due_(std::chrono::steady_clock::now() + time) {
  MutexLock lock(thread_.mutex_);
  thread_.watched_.push_back(this);
  if (due_ < thread_.wake_at_) thread_.changed_.notify_one();
}

Watchdog::~Watchdog() {
  MutexLock lock(thread_.mutex_);
  std::erase(thread_.watched_, this);
}

bool Watchdog::late() {
  MutexLock lock(thread_.mutex_);
  return late_;
}

void Watchdog::fire() {
  MutexLock lock(thread_.mutex_);
  fired_ = true;
  due_ = WatchThread::Time();
  thread_.changed_.notify_one();
}

}  // namespace millrace::sql
