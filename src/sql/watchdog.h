#pragma once

#include <duckdb.h>

#include <thread>

#include "base/mutex.h"
#include "base/time.h"

namespace millrace::sql {

/// Interrupts a connection when its time is over, again and again until stopped: DuckDB forgets an interrupt that comes between
/// two steps.
class Watchdog {
 public:
  Watchdog(duckdb_connection connection, Duration time);
  ~Watchdog();
  bool fired() EXCLUDES(mutex_);
  /// The time is over now. Threading: any.
  void fire() EXCLUDES(mutex_);

 private:
  void watch(Duration time) EXCLUDES(mutex_);

  const duckdb_connection connection_;
  Mutex mutex_;
  CondVar changed_;
  bool stopped_ GUARDED_BY(mutex_) = false;
  bool over_ GUARDED_BY(mutex_) = false;
  bool fired_ GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

}  // namespace millrace::sql
