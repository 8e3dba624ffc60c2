#include "env/cautious_clock.h"

#include "base/log.h"

namespace millrace::env {

Instant CautiousClock::now() {
  MutexLock lock(mutex_);
  Instant wall = clock_.now();
  Duration monotonic = clock_.monotonic();
  Instant origin = wall - monotonic;
  bool leapt = origin - origin_ > kLeapMax;
  if (leapt && !leapt_at_) {
    leapt_at_ = monotonic;
    log_warn("env", "the clock has leapt ahead to " + format_instant(wall) +
                        "; nothing is deleted for its age until that has lasted " + format_duration(kBelievedAfter));
  }
  if (leapt && monotonic - *leapt_at_ < kBelievedAfter) return origin_ + monotonic;
  leapt_at_.reset();
  origin_ = origin;
  return wall;
}

}  // namespace millrace::env
