#pragma once

#include <cstddef>

#include "base/time.h"

namespace millrace::connect::cassandra {

/// How many requests may wait for an answer at once: more while answers come as quickly as before, half as many when the server
/// has too much to do. Pure; the rule is TCP's (additive increase, multiplicative decrease; Chiu and Jain 1989) with rounds of
/// one window each.
class Window {
 public:
  static constexpr size_t kStart = 128;
  static constexpr size_t kMin = 8;

  explicit Window(size_t max);
  size_t size() const { return size_; }
  /// A request was answered; `in_flight` counts those that were waiting, this one too.
  void answered(Duration latency, size_t in_flight);
  /// Overload or a time-out. Several within one round count as one.
  void slow_down();

 private:
  void end_round();
  void halve();

  const size_t max_;
  size_t size_;
  size_t answers_ = 0;       // in this round
  size_t full_ = 0;          // of them, while the window was full
  Duration latency_sum_{0};  // in this round
  Duration best_{0};         // mean latency of the quickest round, slowly forgotten
  bool halved_ = false;      // in this round
};

}  // namespace millrace::connect::cassandra
