#pragma once

#include "base/time.h"

namespace millrace::env {

/// Where time comes from. Nothing else in the project reads a clock, so a test can hold the hands.
class Clock {
 public:
  virtual ~Clock() = default;
  /// Wall time. May jump either way: never use it for order or for timeouts.
  virtual Instant now() = 0;
  /// Time since some fixed moment; never goes back.
  virtual Duration monotonic() = 0;
};

Clock& real_clock();

/// Stands still until it is moved. Threading: safe from any thread.
class FakeClock : public Clock {
 public:
  explicit FakeClock(Instant start) : start_(start), now_micros_(to_micros(start)) {}
  Instant now() override { return instant_from_micros(__atomic_load_n(&now_micros_, __ATOMIC_SEQ_CST)); }
  Duration monotonic() override { return now() - start_; }
  void advance(Duration by) { __atomic_add_fetch(&now_micros_, by.count(), __ATOMIC_SEQ_CST); }

 private:
  const Instant start_;
  int64_t now_micros_;
};

}  // namespace millrace::env
