#pragma once

#include <array>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "net/http/client.h"
#include "connect/http/retry.h"
#include "env/env.h"
#include "model/record.h"

namespace millrace::connect::http {

struct Auth {
  enum class Kind { kNone, kBearer, kBasic };
  Kind kind = Kind::kNone;
  std::string value;  // the token, or "user:password"
};

/// Asks page after page until one has no records.
struct Paging {
  std::string parameter;  // empty: one request a round
  int64_t start = 1;
  int64_t pages_max = 10'000;
};

struct PollerOptions {
  std::string url;
  std::string method = "GET";
  net::http::Headers headers;
  std::string body;
  Auth auth;
  Duration interval = std::chrono::seconds(1);
  Duration timeout = std::chrono::seconds(30);
  Duration connect_timeout = std::chrono::seconds(5);
  std::string records = "$";  // JSONPath of the records in an answer
  std::string key;            // JSONPath in a record; empty: no key
  Paging paging;
  RetryOptions retry;
  size_t max_body_bytes = 64 << 20;
  size_t round_bytes_max = 256 << 20;  // a round with more pages than this is cut;
                                       // the next goes on with the next page
  int max_redirects = 5;
};

/// What one round gave. `records` may be there beside `error`, when a later
/// page failed.
struct PollResult {
  std::vector<model::Record> records;
  std::optional<Error> error;
  int attempts = 0;        // requests sent, retries included
  Duration next_delay{0};  // when to poll again: the interval, 0 after a cut
                           // round, or what a Retry-After asked for
};

struct PollerCounters {
  uint64_t rounds = 0;
  uint64_t requests = 0;
  uint64_t retries = 0;
  uint64_t records = 0;
  uint64_t records_without_key = 0;       // `key` matched nothing or null: the record goes on with a null key
  uint64_t bytes = 0;                     // of bodies
  std::array<uint64_t, 10> by_outcome{};  // indexed by Outcome
};

/// The HTTP source of a pipeline: asks an API round by round and makes a record
/// of each match. A record's value is the JSON text of the match as it stands
/// in the answer; text keys are without their quotes. Threading: one thread;
/// `counters` from any.
class HttpPoller {
 public:
  /// Waits, and returns false when stop came first.
  using Wait = std::function<bool(Duration, std::stop_token)>;

  /// Errors: kInvalidArgument (JSONPath, url, header).
  static Result<std::unique_ptr<HttpPoller>> create(PollerOptions options, env::Clock& clock, env::Random& random,
                                                    Wait wait = real_wait());
  ~HttpPoller();

  /// One round. Its failures are in the result: `GET http://h/p answered 500
  /// three times (last: …)`; kCancelled when stopped.
  PollResult poll(std::stop_token stop);
  PollerCounters counters() const;

  static Wait real_wait();

 private:
  struct Parts;
  explicit HttpPoller(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace millrace::connect::http
