#include "sql/watchdog.h"

namespace millrace::sql {

namespace {
constexpr Duration kAgain = std::chrono::milliseconds(5);
}

Watchdog::Watchdog(duckdb_connection connection, Duration time)
    : connection_(connection), thread_([this, time] { watch(time); }) {}

Watchdog::~Watchdog() {
  {
    MutexLock lock(mutex_);
    stopped_ = true;
  }
  changed_.notify_all();
  thread_.join();
}

bool Watchdog::fired() {
  MutexLock lock(mutex_);
  return fired_;
}

void Watchdog::fire() {
  {
    MutexLock lock(mutex_);
    over_ = true;
  }
  changed_.notify_all();
}

void Watchdog::watch(Duration time) {
  MutexLock lock(mutex_);
  auto end = std::chrono::steady_clock::now() + time;
  while (!stopped_) {
    auto left = std::chrono::duration_cast<Duration>(end - std::chrono::steady_clock::now());
    if (!over_ && !fired_ && left > Duration::zero()) {
      changed_.wait_for(mutex_, left);
      continue;
    }
    fired_ = true;
    duckdb_interrupt(connection_);
    changed_.wait_for(mutex_, kAgain);
  }
}

}  // namespace millrace::sql
