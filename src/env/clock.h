#pragma once

#include <atomic>

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
  explicit FakeClock(Instant start) : wall_micros_(to_micros(start)) {}
  Instant now() override { return instant_from_micros(wall_micros_); }
  Duration monotonic() override { return Duration(monotonic_micros_); }
  void advance(Duration by) {
    monotonic_micros_ += by.count();
    wall_micros_ += by.count();
  }
  /// The wall clock alone is set, as an administrator or a time server does it.
  void leap(Duration by) { wall_micros_ += by.count(); }

 private:
  std::atomic<int64_t> wall_micros_;
  std::atomic<int64_t> monotonic_micros_ = 0;
};

}  // namespace millrace::env
