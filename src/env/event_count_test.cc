#include "env/event_count.h"

#include <gtest/gtest.h>

#include <thread>
#include <vector>

namespace millrace::env {
namespace {

TEST(EventCount, WaitReturnsWhenTheCountHasMovedOn) {
  EventCount count;
  uint32_t seen = count.now();
  count.raise();
  count.wait(seen);
  EXPECT_NE(count.now(), seen);
}

TEST(EventCount, EveryWaiterWakesForEachRaise) {
  constexpr int kWaiters = 8, kRounds = 1000;
  EventCount turns, answers;
  std::atomic<int> round{0}, arrived{0};
  std::vector<std::thread> waiters;
  for (int i = 0; i < kWaiters; ++i) {
    waiters.emplace_back([&] {
      for (int expected = 1; expected <= kRounds; ++expected) {
        for (uint32_t seen = turns.now(); round.load() < expected; seen = turns.now()) turns.wait(seen);
        ++arrived;
        answers.raise();
      }
    });
  }
  for (int i = 1; i <= kRounds; ++i) {
    ++round;
    turns.raise();
    for (uint32_t seen = answers.now(); arrived.load() < i * kWaiters; seen = answers.now()) answers.wait(seen);
  }
  for (auto& waiter : waiters) waiter.join();
  EXPECT_EQ(arrived.load(), kWaiters * kRounds);
}

}  // namespace
}  // namespace millrace::env
