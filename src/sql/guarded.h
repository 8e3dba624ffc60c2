#pragma once

#include <functional>

#include "sql/instance.h"
#include "sql/memory_guard.h"
#include "sql/watchdog.h"

namespace millrace::sql {

/// One piece of work in DuckDB that a user's text or records decide about: its time and memory end at the limits.
class Guarded {
 public:
  Guarded(Instances& instances, Connection& connection, Duration time_max);

  /// Errors: those of `work`; kDeadlineExceeded; those of MemoryAccount. After the latter the instance is broken: DuckDB does not
  /// give back what it had reserved when an allocation fails.
  Status run(const std::function<Status()>& work);
  Watchdog& watchdog() { return watchdog_; }

 private:
  Instance& instance_;
  const Duration time_max_;
  Watchdog watchdog_;
  MemoryAccount account_;
};

}  // namespace millrace::sql
