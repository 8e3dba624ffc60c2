#include "connect/cassandra/window.h"

#include <gtest/gtest.h>

namespace millrace::connect::cassandra {
namespace {

using namespace std::chrono_literals;

void rounds(Window& window, int count, Duration latency) {
  for (int i = 0; i < count; ++i) {
    size_t size = window.size();
    for (size_t answer = 0; answer < size; ++answer) window.answered(latency, size);
  }
}

TEST(CassandraWindow, GrowsWhileAnswersComeAsQuicklyAndNotBeyondItsBound) {
  Window window(1024);
  EXPECT_EQ(window.size(), 128u);
  rounds(window, 1, 2ms);
  EXPECT_GT(window.size(), 128u);
  rounds(window, 200, 2ms);
  EXPECT_EQ(window.size(), 1024u);
  EXPECT_EQ(Window(20).size(), 20u);
}

TEST(CassandraWindow, StaysWhereItIsWhenLatencyHasRisen) {
  Window window(1024);
  rounds(window, 4, 2ms);
  size_t size = window.size();
  rounds(window, 5, 40ms);
  EXPECT_EQ(window.size(), size);
}

TEST(CassandraWindow, DoesNotGrowWhenItIsNotUsed) {
  Window window(1024);
  for (int i = 0; i < 10'000; ++i) window.answered(1ms, 3);
  EXPECT_EQ(window.size(), 128u);
}

TEST(CassandraWindow, HalvesOnceForTroublesOfOneRound) {
  Window window(1024);
  rounds(window, 100, 2ms);
  for (int i = 0; i < 50; ++i) window.slow_down();
  EXPECT_EQ(window.size(), 512u);
  rounds(window, 1, 2ms);
  window.slow_down();
  EXPECT_LE(window.size(), 288u);
  for (int i = 0; i < 30; ++i) {
    window.slow_down();
    rounds(window, 1, 2ms);
    window.slow_down();
  }
  EXPECT_GE(window.size(), Window::kMin);
}

TEST(CassandraWindow, HalvesWhenLatencyBlowsUp) {
  Window window(1024);
  rounds(window, 10, 2ms);
  size_t size = window.size();
  rounds(window, 1, 900ms);
  EXPECT_EQ(window.size(), size / 2);
}

}  // namespace
}  // namespace millrace::connect::cassandra
