#pragma once

#include <optional>

#include "base/mutex.h"
#include "env/clock.h"

namespace millrace::env {

/// Wall time for deeds that cannot be undone: deleting what is too old. It follows the wall clock back, and forward as far as the
/// monotonic clock agrees; a leap ahead by more than kLeapMax is believed only when it has lasted for kBelievedAfter. So a clock
/// that is set to the wrong year for a while empties no table and no topic.
///
/// Threading: safe from any thread. Lifetime: the clock under it outlives it. It notices a leap when it is asked.
class CautiousClock : public Clock {
 public:
  static constexpr Duration kLeapMax = std::chrono::minutes(5);
  static constexpr Duration kBelievedAfter = std::chrono::hours(1);

  explicit CautiousClock(Clock& clock) : clock_(clock), origin_(clock.now() - clock.monotonic()) {}
  Instant now() override;
  Duration monotonic() override { return clock_.monotonic(); }

 private:
  Clock& clock_;
  Mutex mutex_;
  Instant origin_ GUARDED_BY(mutex_);  // the wall time at which the monotonic clock was zero
  std::optional<Duration> leapt_at_ GUARDED_BY(mutex_);
};

}  // namespace millrace::env
