#pragma once

#include <duckdb.h>

#include <chrono>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "base/time.h"

namespace millrace::sql {

class Watchdog;

/// The thread behind all watchdogs of an engine. Lifetime: outlives them.
class WatchThread {
 public:
  WatchThread() : thread_([this] { watch(); }) {}
  ~WatchThread();

 private:
  friend class Watchdog;
  using Time = std::chrono::steady_clock::time_point;
  void watch() EXCLUDES(mutex_);
  /// Interrupts whoever is due, and says when the next one is.
  Time interrupt_due(Time now) REQUIRES(mutex_);

  Mutex mutex_;
  CondVar changed_;
  std::vector<Watchdog*> watched_ GUARDED_BY(mutex_);
  Time wake_at_ GUARDED_BY(mutex_) = Time::max();
  bool stopped_ GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

/// Interrupts a connection when its time is over, again and again as long as it lives: DuckDB forgets an interrupt that comes
/// between two steps.
class Watchdog {
 public:
  Watchdog(WatchThread& thread, duckdb_connection connection, Duration time);
  Watchdog(const Watchdog&) = delete;
  ~Watchdog();
  /// The time was over before the work was done.
  bool late();
  /// Interrupts from now on. Threading: any.
  void fire();

 private:
  friend class WatchThread;
  WatchThread& thread_;
  const duckdb_connection connection_;
  // Under the thread's mutex.
  WatchThread::Time due_;
  bool fired_ = false;
  bool late_ = false;
};

}  // namespace millrace::sql
