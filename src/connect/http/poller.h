#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "env/env.h"
#include "model/record.h"
#include "net/http/client.h"
#include "net/http/retry.h"
#include "net/http/wait.h"
#include "port/feed.h"

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
  net::http::RetryOptions retry;
  size_t max_body_bytes = 64 << 20;
  size_t round_bytes_max = 256 << 20;  // a round with more pages than this is cut;
                                       // the next goes on with the next page
  int max_redirects = 5;
};

struct PollerCounters {
  uint64_t rounds = 0;
  uint64_t requests = 0;
  uint64_t retries = 0;
  uint64_t records = 0;
  uint64_t records_without_key = 0;       // `key` matched nothing or null: the record goes on with a null key
  uint64_t bytes = 0;                     // of bodies
  std::array<uint64_t, 10> by_outcome{};  // indexed by net::http::Outcome
};

/// The HTTP source of a pipeline: asks an API round by round and makes a record
/// of each match. A record's value is the JSON text of the match as it stands
/// in the answer; text keys are without their quotes. It keeps no position.
/// Threading: one thread; `counters` from any.
class HttpPoller : public port::Feed {
 public:
  using Wait = net::http::Wait;

  /// Errors: kInvalidArgument (JSONPath, url, header).
  static Result<std::unique_ptr<HttpPoller>> create(PollerOptions options, env::Clock& clock, env::Random& random,
                                                    Wait wait = real_wait());
  ~HttpPoller() override;

  /// One round. Its failures are in the result: `GET http://h/p answered 500
  /// three times (last: …)`; kCancelled when stopped. The next one comes after
  /// the interval, at once after a cut round, or when a Retry-After says.
  Polled poll(std::stop_token stop) override;
  Status resume(const std::string& position) override;
  PollerCounters counters() const;

  static Wait real_wait() { return net::http::real_wait(); }

 private:
  struct Parts;
  explicit HttpPoller(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace millrace::connect::http
