#include "env/clock.h"

namespace millrace::env {
namespace {

class RealClock : public Clock {
 public:
  Instant now() override { return std::chrono::floor<Duration>(std::chrono::system_clock::now()); }
  Duration monotonic() override { return std::chrono::floor<Duration>(std::chrono::steady_clock::now().time_since_epoch()); }
};

}  // namespace

Clock& real_clock() {
  static RealClock clock;
  return clock;
}

}  // namespace millrace::env
