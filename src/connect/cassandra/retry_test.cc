#include "connect/cassandra/retry.h"

#include <gtest/gtest.h>

namespace millrace::connect::cassandra {
namespace {

using namespace std::chrono_literals;

struct Row {
  int32_t code;  // -1: no answer, -2: connection lost, -3: not sent
  Action idempotent;
  Action other;
  bool slow_down;
  Errc errc;
};

// docs of the native protocol v5, section 9, and what drivers do (Java's DefaultRetryPolicy).
constexpr Row kTable[] = {
    {-1, Action::kNextNode, Action::kGiveUp, true, Errc::kUnavailable},
    {-2, Action::kNextNode, Action::kGiveUp, false, Errc::kUnavailable},
    {-3, Action::kNextNode, Action::kNextNode, false, Errc::kUnavailable},
    {0x0000, Action::kNextNode, Action::kGiveUp, false, Errc::kUnavailable},
    {0x000A, Action::kGiveUp, Action::kGiveUp, false, Errc::kInternal},
    {0x0100, Action::kGiveUp, Action::kGiveUp, false, Errc::kPermissionDenied},
    {0x1000, Action::kNextNode, Action::kNextNode, false, Errc::kUnavailable},
    {0x1001, Action::kNextNode, Action::kNextNode, true, Errc::kUnavailable},
    {0x1002, Action::kNextNode, Action::kNextNode, false, Errc::kUnavailable},
    {0x1100, Action::kSameNode, Action::kGiveUp, true, Errc::kUnavailable},
    {0x1200, Action::kSameNode, Action::kGiveUp, true, Errc::kUnavailable},
    {0x1500, Action::kNextNode, Action::kGiveUp, false, Errc::kUnavailable},
    {0x2000, Action::kGiveUp, Action::kGiveUp, false, Errc::kInvalidArgument},
    {0x2100, Action::kGiveUp, Action::kGiveUp, false, Errc::kPermissionDenied},
    {0x2200, Action::kGiveUp, Action::kGiveUp, false, Errc::kFailedPrecondition},
    {0x2400, Action::kGiveUp, Action::kGiveUp, false, Errc::kAlreadyExists},
    {0x2500, Action::kPrepare, Action::kPrepare, false, Errc::kUnavailable},
    {0x7777, Action::kNextNode, Action::kGiveUp, false, Errc::kUnavailable},
};

TEST(CassandraRetry, DoesWhatTheTableSays) {
  for (const Row& row : kTable) {
    Failure failure = row.code == -1   ? Failure::kNoAnswer
                      : row.code == -2 ? Failure::kConnectionLost
                      : row.code == -3 ? Failure::kNotSent
                                       : failure_from_code(row.code);
    EXPECT_EQ(after_failure({failure, true, 1, 1s, 30s}).action, row.idempotent) << row.code;
    EXPECT_EQ(after_failure({failure, false, 1, 1s, 30s}).action, row.other) << row.code;
    EXPECT_EQ(after_failure({failure, true, 1, 1s, 30s}).slow_down, row.slow_down) << row.code;
    EXPECT_EQ(after_failure({failure, true, 1, 30s, 30s}).action, Action::kGiveUp) << row.code;
    EXPECT_EQ(errc_of(failure), row.errc) << row.code;
    EXPECT_FALSE(failure_name(failure).empty());
  }
}

TEST(CassandraRetry, PausesGrowAndTheFirstTryElsewhereIsAtOnce) {
  EXPECT_EQ(after_failure({Failure::kConnectionLost, true, 1, 0s, 30s}).pause, Duration(0));
  EXPECT_GT(after_failure({Failure::kOverloaded, true, 1, 0s, 30s}).pause, Duration(0));
  Duration last(0);
  for (uint32_t tries = 2; tries < 100; ++tries) {
    Duration pause = after_failure({Failure::kConnectionLost, true, tries, 0s, 30s}).pause;
    EXPECT_GE(pause, last);
    EXPECT_LE(pause, 2s);
    last = pause;
  }
  EXPECT_EQ(last, 2s);
}

TEST(CassandraRetry, DoesNotPrepareForEver) {
  EXPECT_EQ(after_failure({Failure::kUnprepared, true, 50, 0s, 30s}).action, Action::kGiveUp);
}

}  // namespace
}  // namespace millrace::connect::cassandra
