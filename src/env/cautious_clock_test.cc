#include "env/cautious_clock.h"

#include <gtest/gtest.h>

namespace millrace::env {
namespace {

using namespace std::chrono_literals;

const Instant kStart = instant_from_micros(1'790'000'000'000'000);  // in 2026
constexpr Duration kTo2038 = std::chrono::hours(24 * 365 * 12);
constexpr Duration kTo2106 = std::chrono::hours(24 * 365 * 80);

struct CautiousClockTest : testing::Test {
  FakeClock wall{kStart};
  CautiousClock clock{wall};
};

TEST_F(CautiousClockTest, FollowsAClockThatGoesRight) {
  for (int i = 0; i < 100; ++i) {
    wall.advance(30s);
    wall.leap(i % 2 == 0 ? 200ms : -300ms);  // a time server at work
    EXPECT_EQ(clock.now(), wall.now());
  }
}

TEST_F(CautiousClockTest, FollowsTheClockBack) {
  wall.leap(-1h);
  EXPECT_EQ(clock.now(), kStart - 1h);
  wall.advance(30s);
  EXPECT_EQ(clock.now(), kStart - 1h + 30s);
}

TEST_F(CautiousClockTest, ALeapAheadIsNotBelievedAtOnce) {
  for (Duration leap : {Duration(1h), kTo2038, kTo2106}) {
    wall.leap(leap);
    EXPECT_EQ(clock.now(), wall.now() - leap);
    wall.advance(59min);
    EXPECT_EQ(clock.now(), wall.now() - leap);
    wall.leap(-leap);
    EXPECT_EQ(clock.now(), wall.now());
  }
}

TEST_F(CautiousClockTest, ALeapThatLastsIsBelieved) {
  wall.leap(8h);
  EXPECT_EQ(clock.now(), kStart);
  wall.advance(1h);
  EXPECT_EQ(clock.now(), wall.now());
  wall.advance(1min);
  EXPECT_EQ(clock.now(), wall.now());
}

}  // namespace
}  // namespace millrace::env
