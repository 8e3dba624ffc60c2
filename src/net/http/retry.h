#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

#include "base/result.h"
#include "base/time.h"

namespace millrace::net::http {

/// How one try went, as far as trying again goes.
enum class Outcome {
  kOk,
  kServerError,      // 5xx, but 501 and 505
  kTooManyRequests,  // 429
  kTimeout,          // ours, or 408
  kNoConnection,     // refused, lost, not resolved
  kMalformed,        // 2xx whose body is not what was asked for: proxies and
                     // half-written answers do that
  kRejected,         // any other status: asking again gives the same answer
  kTooLarge,
  kCancelled,
  kBroken,  // the request itself cannot be made
};
std::string_view outcome_name(Outcome outcome);
Outcome outcome_of_status(int status);
Outcome outcome_of_error(Errc code);
/// Whether the same request may go well later.
bool may_pass(Outcome outcome);

struct RetryOptions {
  int max_attempts = 5;  // 1: no second try
  Duration base_delay = std::chrono::milliseconds(200);
  Duration max_delay = std::chrono::seconds(30);
  Duration retry_after_max = std::chrono::minutes(5);  // what a server can make the next round wait
};

struct RetryStep {
  bool again = false;
  Duration delay{0};
};

/// What to do after try number `attempts` (1, 2, …) went so. Exponential
/// backoff with full jitter: a delay drawn evenly from [0, min(max_delay,
/// base_delay * 2^(attempts-1))] by `chance`; a Retry-After takes its place. One
/// above `max_delay` is not waited for here: the round fails, visibly, and the
/// next one begins after it.
RetryStep after_attempt(const RetryOptions& options, Outcome outcome, int attempts, std::optional<Duration> retry_after,
                        uint64_t chance);

/// Retry-After (RFC 9110, 10.2.3): seconds or an HTTP date; a date that has
/// passed is 0. nullopt when it is neither.
std::optional<Duration> parse_retry_after(std::string_view value, Instant now);
/// The three forms of RFC 9110, 5.6.7: `Sun, 06 Nov 1994 08:49:37 GMT`,
/// `Sunday, 06-Nov-94 08:49:37 GMT`, `Sun Nov  6 08:49:37 1994`. `now` settles
/// the century of the two-digit year.
std::optional<Instant> parse_http_date(std::string_view value, Instant now);

}  // namespace millrace::net::http
