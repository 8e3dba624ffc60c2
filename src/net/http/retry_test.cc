#include "net/http/retry.h"

#include <gtest/gtest.h>

namespace millrace::net::http {
namespace {

using namespace std::chrono_literals;

const Instant kNow = *parse_instant("2026-11-21T05:00:00Z");

TEST(Retry, TriesAgainOnlyWhatMayPass) {
  const std::pair<int, bool> statuses[] = {{200, false}, {301, false}, {400, false}, {401, false}, {404, false},
                                           {408, true},  {429, true},  {500, true},  {501, false}, {502, true},
                                           {503, true},  {505, false}, {599, true}};
  for (auto [status, again] : statuses) EXPECT_EQ(after_attempt({}, outcome_of_status(status), 1, {}, 0).again, again) << status;
  const std::pair<Errc, bool> errors[] = {{Errc::kDeadlineExceeded, true},
                                          {Errc::kUnavailable, true},
                                          {Errc::kResourceExhausted, false},
                                          {Errc::kCancelled, false},
                                          {Errc::kInvalidArgument, false}};
  for (auto [code, again] : errors)
    EXPECT_EQ(after_attempt({}, outcome_of_error(code), 1, {}, 0).again, again) << errc_name(code);
  EXPECT_TRUE(after_attempt({}, Outcome::kMalformed, 1, {}, 0).again);
}

TEST(Retry, BacksOffWithFullJitter) {
  RetryOptions options{.max_attempts = 100, .base_delay = 100ms, .max_delay = 1s};
  const Duration ceilings[] = {100ms, 200ms, 400ms, 800ms, 1s, 1s};
  for (int attempt = 1; attempt <= 6; ++attempt) {
    auto ceiling = static_cast<uint64_t>(ceilings[attempt - 1].count());
    EXPECT_EQ(after_attempt(options, Outcome::kTimeout, attempt, {}, 0).delay, 0us);
    EXPECT_EQ(after_attempt(options, Outcome::kTimeout, attempt, {}, ceiling).delay, ceilings[attempt - 1]);
    EXPECT_EQ(after_attempt(options, Outcome::kTimeout, attempt, {}, ceiling + 1).delay, 0us);
  }
  EXPECT_LE(after_attempt(options, Outcome::kTimeout, 99, {}, UINT64_MAX).delay, 1s);
}

TEST(Retry, EndsAtTheLastAttempt) {
  EXPECT_TRUE(after_attempt({.max_attempts = 3}, Outcome::kServerError, 2, {}, 0).again);
  EXPECT_FALSE(after_attempt({.max_attempts = 3}, Outcome::kServerError, 3, {}, 0).again);
  EXPECT_FALSE(after_attempt({.max_attempts = 1}, Outcome::kServerError, 1, 1s, 0).again);
}

TEST(Retry, WaitsForAShortRetryAfterOnly) {
  EXPECT_EQ(after_attempt({}, Outcome::kTooManyRequests, 1, 7s, 123).delay, 7s);
  EXPECT_FALSE(after_attempt({.max_delay = 30s}, Outcome::kTooManyRequests, 1, 31s, 123).again);
}

TEST(RetryAfter, ReadsSecondsAndDates) {
  EXPECT_EQ(parse_retry_after("120", kNow), 120s);
  EXPECT_EQ(parse_retry_after("0", kNow), 0s);
  EXPECT_EQ(parse_retry_after("Sat, 21 Nov 2026 05:00:30 GMT", kNow), 30s);
  EXPECT_EQ(parse_retry_after("Sat, 21 Nov 2026 04:00:00 GMT", kNow), 0s);
  EXPECT_GT(*parse_retry_after("99999999999999999999999", kNow), 24h);
  for (std::string_view bad : {"", "-1", "1.5", "soon", "Sat, 21 Nov", "Sat, 31 Feb 2026 05:00:30 GMT",
                               "Sat, 21 Nov 2026 25:00:30 GMT", "Sat, 21 Nov 2026 05:00:30 GMT+1"})
    EXPECT_FALSE(parse_retry_after(bad, kNow)) << bad;
}

TEST(HttpDate, ReadsTheThreeForms) {
  Instant then = *parse_instant("1994-11-06T08:49:37Z");
  EXPECT_EQ(parse_http_date("Sun, 06 Nov 1994 08:49:37 GMT", kNow), then);
  EXPECT_EQ(parse_http_date("Sunday, 06-Nov-94 08:49:37 GMT", kNow), then);
  EXPECT_EQ(parse_http_date("Sun Nov  6 08:49:37 1994", kNow), then);
}

}  // namespace
}  // namespace millrace::net::http
