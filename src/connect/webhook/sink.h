#pragma once

#include <map>
#include <memory>
#include <optional>
#include <stop_token>
#include <string>

#include "connect/webhook/cuts.h"
#include "env/env.h"
#include "net/http/client.h"
#include "net/http/retry.h"
#include "net/http/wait.h"
#include "port/sink.h"
#include "store/store.h"

namespace millrace::connect::webhook {

inline constexpr size_t kRowsMaxMax = 100'000;
inline constexpr int64_t kBytesMaxMax = 64 << 20;

struct WebhookSpec {
  std::string url;
  std::string method = "POST";
  net::http::Headers headers;
  bool lines = false;  // NDJSON; else a JSON array
  size_t rows_max = 500;
  size_t bytes_max = 1 << 20;
  Duration timeout = std::chrono::seconds(10);
  net::http::RetryOptions retry{.max_attempts = 6, .max_delay = std::chrono::seconds(10)};
  Duration tries_max = std::chrono::seconds(30);  // no new attempt after it
  std::string pipeline;
  std::string query;
};

/// Tells somebody of a query's rows by HTTP, at least once, and with a key by which he can tell what he has seen.
///
/// A request carries rows of one input partition, in order: up to rows_max of them or bytes_max, from where the epoch began, the
/// last ones of an epoch when it is committed. `Idempotency-Key: <pipeline>/<query>/<partition>/<first>-<last>/<hash>` names the
/// offset and ordinal of its first and last row (`120.0-619.0`) and the body's hash, so equal keys mean equal bodies. An epoch
/// that is worked through again sends the same requests with the same keys: it begins at the same offsets, and ends a request
/// where the last ones ended then (cuts.h).
///
/// 408, 429, most 5xx and lost connections are tried again, as Retry-After says; a redirect is refused. Errors: kUnavailable (for
/// now), kFailedPrecondition (any other status), kCancelled. With rows_max 1 a row that is refused for what it holds (400, 413,
/// 422) is a fault of that row.
class WebhookSink : public port::Sink {
 public:
  /// `store` and `env` outlive the sink.
  static Result<std::unique_ptr<WebhookSink>> open(WebhookSpec spec, store::Store& store, const env::Env& env,
                                                   net::http::Wait wait = net::http::real_wait());

  port::SinkTraits traits() const override { return {.kind = port::SinkKind::kAtLeastOnce, .epoch_records_max = 50'000}; }
  Result<port::SinkReport> stage(const model::ColumnBatch& rows, const std::vector<port::RowOrigin>& origins,
                                 bool check_versions) override;
  Status commit(const port::Epoch& epoch, store::Batch& batch) override;
  void committed() override { settled_ = true; }
  void abandon() override;
  void interrupt() override { stop_.request_stop(); }

 private:
  /// The rows of a partition that are not sent.
  struct Pending {
    std::string body;
    size_t rows = 0;
    port::RowOrigin first;
    port::RowOrigin last;
  };
  struct Answer {
    net::http::Outcome outcome = net::http::Outcome::kOk;
    int status = 0;
    std::string what;
    std::optional<Duration> retry_after;
  };

  WebhookSink(WebhookSpec spec, store::Store& store, const env::Env& env, net::http::Wait wait)
      : spec_(std::move(spec)), store_(store), env_(env), wait_(std::move(wait)) {}

  Status read_cuts();
  Status write_cuts(const port::Epoch& epoch);
  bool ends_before(const Pending& pending, const port::RowOrigin& next, size_t bytes) const;
  Result<Answer> send(Pending& pending);
  Answer ask(const net::http::HttpRequest& request);
  Status failure(const Answer& answer) const;

  const WebhookSpec spec_;
  store::Store& store_;
  env::Env env_;
  const net::http::Wait wait_;
  net::http::HttpClient client_;
  std::stop_source stop_;
  std::map<int32_t, Pending> pending_;  // by input partition
  Cuts cuts_;                           // as stored
  bool cuts_known_ = false;
  bool settled_ = false;    // the epoch of cuts_ is committed
  Duration not_before_{0};  // monotonic; the receiver asked for it
};

}  // namespace millrace::connect::webhook
