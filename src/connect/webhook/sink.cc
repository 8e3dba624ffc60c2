#include "connect/webhook/sink.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/printable.h"
#include "format/json_write.h"

namespace millrace::connect::webhook {
namespace {

using net::http::Outcome;

constexpr size_t kExcerptBytes = 200;

uint64_t fnv1a(std::string_view bytes) {
  uint64_t hash = 0xcbf29ce484222325;
  for (char c : bytes) hash = (hash ^ static_cast<uint8_t>(c)) * 0x100000001b3;
  return hash;
}

/// Statuses that speak of the content, not of the address or the login.
bool refuses_content(int status) { return status == 400 || status == 413 || status == 422; }

}  // namespace

Result<std::unique_ptr<WebhookSink>> WebhookSink::open(WebhookSpec spec, store::Store& store, const env::Env& env,
                                                       net::http::Wait wait) {
  return std::unique_ptr<WebhookSink>(new WebhookSink(std::move(spec), store, env, std::move(wait)));
}

Status WebhookSink::read_cuts() {
  if (cuts_known_) return {};
  TRY(auto stored, store_.get(store::Space::kMeta, cuts_key(spec_.query)));
  cuts_.clear();
  if (stored) {
    auto cuts = decode_cuts(*stored);
    if (!cuts) return fail(Errc::kCorruption, "the store's entry " + cuts_key(spec_.query) + " is not what this version writes");
    cuts_ = std::move(*cuts);
  }
  cuts_known_ = true;
  return {};
}

/// Before the requests that they end are sent. Losing them with the power costs the receiver a request with another key.
Status WebhookSink::write_cuts(const port::Epoch& epoch) {
  // An epoch that is tried again can end elsewhere: until it is committed all its cuts count.
  Cuts cuts = settled_ ? Cuts() : cuts_;
  for (const port::PartitionEnd& end : epoch.ends)
    if (pending_.contains(end.partition.value)) cuts[end.partition.value].insert(end.next.value);
  settled_ = settled_ && cuts.empty();
  if (settled_ || cuts == cuts_) return {};
  store::Batch batch;
  batch.put(store::Space::kMeta, cuts_key(spec_.query), encode_cuts(cuts));
  TRY_DO(store_.commit(std::move(batch), store::Durability::kLog));
  cuts_ = std::move(cuts);
  return {};
}

/// Whether `next`, a row of so many bytes, begins another request.
bool WebhookSink::ends_before(const Pending& pending, const port::RowOrigin& next, size_t bytes) const {
  if (pending.rows == 0) return false;
  if (pending.rows >= spec_.rows_max || pending.body.size() + bytes > spec_.bytes_max) return true;
  auto cuts = cuts_.find(next.partition);
  if (cuts == cuts_.end()) return false;
  auto cut = cuts->second.upper_bound(pending.last.offset);
  return cut != cuts->second.end() && next.offset >= *cut;
}

Result<port::SinkReport> WebhookSink::stage(const model::ColumnBatch& rows, const std::vector<port::RowOrigin>& origins, bool) {
  TRY_DO(read_cuts());
  port::SinkReport report;
  std::string row;
  for (size_t i = 0; i < rows.rows; ++i) {
    row.clear();
    format::append_row_json(row, rows, i);
    Pending& pending = pending_[origins[i].partition];
    if (ends_before(pending, origins[i], row.size() + 1)) {
      TRY(Answer answer, send(pending));
      if (answer.outcome != Outcome::kOk) return fail(failure(answer).error());
    }
    if (!spec_.lines) pending.body += pending.rows == 0 ? '[' : ',';
    pending.body += row;
    if (spec_.lines) pending.body += '\n';
    if (pending.rows++ == 0) pending.first = origins[i];
    pending.last = origins[i];
    if (spec_.rows_max > 1) continue;
    TRY(Answer answer, send(pending));
    if (answer.outcome == Outcome::kOk) continue;
    if (!refuses_content(answer.status)) return fail(failure(answer).error());
    report.faults.push_back({static_cast<uint32_t>(i), fmt::format("http_{}", answer.status), failure(answer).error().message});
  }
  return report;
}

Status WebhookSink::commit(const port::Epoch& epoch, store::Batch&) {
  TRY_DO(read_cuts());
  std::erase_if(pending_, [](const auto& entry) { return entry.second.rows == 0; });
  TRY_DO(write_cuts(epoch));
  for (auto& [partition, pending] : pending_) {
    TRY(Answer answer, send(pending));
    if (answer.outcome != Outcome::kOk) return failure(answer);
  }
  return {};
}

void WebhookSink::abandon() { pending_.clear(); }

/// Sends what is pending until it is answered for good, and forgets it. kUnavailable and kCancelled are errors; any other
/// answer is the result.
Result<WebhookSink::Answer> WebhookSink::send(Pending& pending) {
  if (!spec_.lines) pending.body += ']';
  net::http::HttpRequest request{.method = spec_.method, .url = spec_.url, .headers = spec_.headers, .timeout = spec_.timeout};
  request.max_redirects = 0;
  request.max_body_bytes = 1 << 20;
  request.headers.emplace_back("Content-Type", spec_.lines ? "application/x-ndjson" : "application/json");
  request.headers.emplace_back(
      "Idempotency-Key",
      fmt::format("{}/{}/{}/{}.{}-{}.{}/{:016x}", spec_.pipeline, spec_.query, pending.first.partition, pending.first.offset,
                  pending.first.ordinal, pending.last.offset, pending.last.ordinal, fnv1a(pending.body)));
  request.body = std::move(pending.body);
  pending = Pending();
  const Duration begin = env_.clock.monotonic();
  for (int attempt = 1;; ++attempt) {
    if (stop_.stop_requested()) return fail(Errc::kCancelled, "stopped");
    if (Duration left = not_before_ - env_.clock.monotonic(); left > Duration(0))
      return fail(Errc::kUnavailable, fmt::format("{} asked not to be called for another {}", net::http::redact_url(spec_.url),
                                                  format_duration(left)));
    Answer answer = ask(request);
    if (answer.outcome == Outcome::kCancelled) return fail(Errc::kCancelled, "stopped");
    if (!net::http::may_pass(answer.outcome)) return answer;
    auto step = net::http::after_attempt(spec_.retry, answer.outcome, attempt, answer.retry_after, env_.random.next());
    if (!step.again || env_.clock.monotonic() - begin + step.delay > spec_.tries_max) {
      if (answer.retry_after) not_before_ = env_.clock.monotonic() + *answer.retry_after;
      return fail(Errc::kUnavailable, fmt::format("{} (attempt {})", answer.what, attempt));
    }
    if (!wait_(step.delay, stop_.get_token())) return fail(Errc::kCancelled, "stopped");
  }
}

WebhookSink::Answer WebhookSink::ask(const net::http::HttpRequest& request) {
  Answer out;
  const std::string where = fmt::format("{} {}", request.method, net::http::redact_url(request.url));
  // What a receiver says of rows that it took is of no interest, however long.
  auto answer = client_.stream(request, [](std::string_view) { return Status(); }, stop_.get_token());
  if (!answer) {
    out.outcome = net::http::outcome_of_error(answer.error().code);
    out.what = answer.error().message;
    return out;
  }
  out.status = answer->status;
  out.outcome = net::http::outcome_of_status(answer->status);
  std::string_view body = answer->body;
  out.what = fmt::format("{} answered {}", where, answer->status);
  if (!body.empty()) out.what += ": " + printable(body.substr(0, kExcerptBytes));
  if (auto header = answer->header("retry-after")) out.retry_after = net::http::parse_retry_after(*header, env_.clock.now());
  if (out.retry_after) out.retry_after = std::min(*out.retry_after, spec_.retry.retry_after_max);
  return out;
}

Status WebhookSink::failure(const Answer& answer) const {
  std::string hint;
  if (refuses_content(answer.status) && spec_.rows_max > 1)
    hint = "with the option rows_max: 1 a row that is refused becomes a dead letter, and the others go on";
  if (answer.status == 401 || answer.status == 403) hint = "mend the connection's auth options";
  if (answer.status >= 300 && answer.status < 400) hint = "redirects are not followed: write the address that it leads to";
  return fail(Errc::kFailedPrecondition, answer.what, std::move(hint));
}

}  // namespace millrace::connect::webhook
