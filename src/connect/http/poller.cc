#include "connect/http/poller.h"

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/mutex.h"
#include "format/json_path.h"

namespace millrace::connect::http {

using net::http::HttpClient;
using net::http::HttpRequest;
using net::http::HttpResponse;
using net::http::Outcome;
using net::http::redact_url;
namespace {

constexpr size_t kExcerptBytes = 80;
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";

/// The start of a body, fit for a message.
std::string excerpt(std::string_view body) {
  std::string out;
  for (char c : body.substr(0, kExcerptBytes))
    out += static_cast<unsigned char>(c) < 0x20 || static_cast<unsigned char>(c) >= 0x7f ? ' ' : c;
  return body.size() > kExcerptBytes ? out + "…" : out;
}

/// Whether the first line is JSON by itself and more lines follow.
bool is_json_lines(std::string_view body) {
  size_t end = body.find('\n');
  if (end == std::string_view::npos) return false;
  static const format::JsonPath kWhole = *format::JsonPath::parse("$");
  return format::select(body.substr(0, end), kWhole, [](std::string_view) { return Status(); }).has_value();
}

std::string times(int n) {
  static constexpr const char* kWords[] = {"", "once", "twice", "three times", "four times", "five times"};
  return n < 6 ? kWords[n] : fmt::format("{} times", n);
}

std::string page_url(const PollerOptions& options, int64_t page) {
  if (options.paging.parameter.empty()) return options.url;
  size_t hash = std::min(options.url.find('#'), options.url.size());
  std::string url = options.url.substr(0, hash);
  return fmt::format("{}{}{}={}", url, url.find('?') == std::string::npos ? '?' : '&', options.paging.parameter, page);
}

bool has_line_break(std::string_view text) { return text.find_first_of("\r\n") != std::string_view::npos; }

}  // namespace

struct HttpPoller::Parts {
  PollerOptions options;
  env::Clock& clock;
  env::Random& random;
  Wait wait;
  format::JsonPath records_path;
  std::optional<format::JsonPath> key_path;
  HttpClient client;
  int64_t next_page = 1;

  Mutex mutex;
  PollerCounters counters GUARDED_BY(mutex);

  struct Try {
    Outcome outcome = Outcome::kOk;
    std::string what;  // follows "GET url "
    Errc code = Errc::kUnavailable;
    std::optional<Duration> retry_after;
    std::vector<model::Record> records;
    size_t bytes = 0;
  };
  Try ask(int64_t page, std::stop_token stop);
  void read_answer(const HttpResponse& answer, Try& out);
  Result<std::vector<model::Record>> extract(std::string_view body);
  std::string judge_body(std::string_view body, std::vector<model::Record>& records);
  Try ask_until_answered(int64_t page, Polled& result, std::stop_token stop);
};

/// Status, media type and body of one answer, judged.
void HttpPoller::Parts::read_answer(const HttpResponse& answer, Try& out) {
  out.bytes = answer.body.size();
  out.outcome = net::http::outcome_of_status(answer.status);
  if (auto header = answer.header("retry-after")) out.retry_after = net::http::parse_retry_after(*header, clock.now());
  if (out.retry_after) out.retry_after = std::min(*out.retry_after, options.retry.retry_after_max);
  if (out.outcome != Outcome::kOk) {
    out.what = fmt::format("answered {}", answer.status);
    if (!answer.body.empty() && answer.body[0] != '<') out.what += ": " + excerpt(answer.body);
    if (out.retry_after) out.what += fmt::format(", asked again after {}", format_duration(*out.retry_after));
    bool later = out.outcome != Outcome::kRejected;
    out.code = later                                          ? Errc::kUnavailable
               : answer.status == 401 || answer.status == 403 ? Errc::kPermissionDenied
                                                              : Errc::kFailedPrecondition;
    return;
  }
  std::string wrong = judge_body(answer.body, out.records);
  if (wrong.empty()) return;
  out.outcome = Outcome::kMalformed;
  out.code = Errc::kInvalidArgument;
  out.what = fmt::format("answered {} with {}", answer.status, wrong);
}

/// The records of a body; else what it is instead.
std::string HttpPoller::Parts::judge_body(std::string_view body, std::vector<model::Record>& records) {
  if (body.starts_with(kByteOrderMark)) body.remove_prefix(kByteOrderMark.size());
  size_t first = body.find_first_not_of(" \t\r\n");
  if (first == std::string_view::npos) return "an empty body";
  if (body[first] == '<') return "HTML or XML, not JSON: " + excerpt(body);
  if (body.starts_with("\xff\xfe") || body.starts_with("\xfe\xff")) return "UTF-16; JSON is read as UTF-8";
  auto found = extract(body);
  if (!found && found.error().code == Errc::kNotFound) return fmt::format("{}: {}", found.error().message, excerpt(body));
  if (!found && is_json_lines(body)) return "one JSON value a line, not one in all: " + excerpt(body);
  if (!found) return fmt::format("what is not JSON ({}): {}", found.error().message, excerpt(body));
  records = std::move(*found);
  return {};
}

/// kNotFound when the answer is JSON of another shape than the path.
Result<std::vector<model::Record>> HttpPoller::Parts::extract(std::string_view body) {
  std::vector<model::Record> records;
  uint64_t without_key = 0;
  TRY(bool fits, format::select(body, records_path, [&](std::string_view raw) -> Status {
        model::Record& record = records.emplace_back();
        record.value.emplace(raw);
        if (key_path) {
          TRY(record.key, format::select_text(*record.value, *key_path));
          if (!record.key) ++without_key;
        }
        return {};
      }));
  if (!fits)
    return fail(Errc::kNotFound,
                fmt::format("JSON in which '{}' finds {}", records_path.text(), records_path.has_each() ? "no list" : "nothing"));
  MutexLock lock(mutex);
  counters.records_without_key += without_key;
  return records;
}

HttpPoller::Parts::Try HttpPoller::Parts::ask(int64_t page, std::stop_token stop) {
  HttpRequest request{.method = options.method,
                      .url = page_url(options, page),
                      .headers = options.headers,
                      .body = options.body,
                      .timeout = options.timeout,
                      .connect_timeout = options.connect_timeout,
                      .max_body_bytes = options.max_body_bytes,
                      .max_redirects = options.max_redirects};
  if (options.auth.kind == Auth::Kind::kBearer) request.headers.emplace_back("Authorization", "Bearer " + options.auth.value);
  if (options.auth.kind == Auth::Kind::kBasic)
    request.headers.emplace_back("Authorization", "Basic " + to_base64(options.auth.value));
  Try out;
  auto answer = client.request(request, stop);
  if (answer) {
    read_answer(*answer, out);
  } else {
    out.outcome = net::http::outcome_of_error(answer.error().code);
    out.code = answer.error().code;
    std::string where = fmt::format("{} {}: ", request.method, redact_url(request.url));
    std::string_view message = answer.error().message;
    if (message.starts_with(where)) message.remove_prefix(where.size());
    out.what = "failed: " + std::string(message);
  }
  MutexLock lock(mutex);
  ++counters.requests;
  ++counters.by_outcome[static_cast<size_t>(out.outcome)];
  counters.bytes += out.bytes;
  counters.records += out.records.size();
  return out;
}

HttpPoller::Parts::Try HttpPoller::Parts::ask_until_answered(int64_t page, Polled& result, std::stop_token stop) {
  for (int attempt = 1;; ++attempt) {
    Try last = ask(page, stop);
    net::http::RetryStep step = net::http::after_attempt(options.retry, last.outcome, attempt, last.retry_after, random.next());
    if (step.again && wait(step.delay, stop)) {
      MutexLock lock(mutex);
      ++counters.retries;
      continue;
    }
    if (step.again)
      last = Try{.outcome = Outcome::kCancelled, .what = "was stopped while waiting to try again", .code = Errc::kCancelled};
    if (last.outcome == Outcome::kOk) return last;
    std::string where = fmt::format("{} {}", options.method, redact_url(options.url));
    std::string message = attempt == 1 || last.outcome == Outcome::kCancelled
                              ? fmt::format("{} {}", where, last.what)
                              : fmt::format("{} failed {} (last: {})", where, times(attempt), last.what);
    result.error = Error{last.code, std::move(message), {}};
    if (last.retry_after) result.next_delay = std::max(options.interval, *last.retry_after);
    return last;
  }
}

HttpPoller::HttpPoller(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
HttpPoller::~HttpPoller() = default;

Result<std::unique_ptr<HttpPoller>> HttpPoller::create(PollerOptions options, env::Clock& clock, env::Random& random, Wait wait) {
  if (!options.url.starts_with("http://") && !options.url.starts_with("https://"))
    return fail(Errc::kInvalidArgument, fmt::format("'{}' is not an http or https URL", redact_url(options.url)));
  for (const auto& [name, value] : options.headers)
    if (name.empty() || has_line_break(name) || has_line_break(value))
      return fail(Errc::kInvalidArgument, "a header of the HTTP source is empty or has a line break");
  if (has_line_break(options.auth.value))
    return fail(Errc::kInvalidArgument, "the token of the HTTP source has a line break", "trim the secret's file");
  TRY(auto records_path, format::JsonPath::parse(options.records));
  std::optional<format::JsonPath> key_path;
  if (!options.key.empty()) {
    TRY(key_path, format::JsonPath::parse(options.key));
  }
  int64_t first_page = options.paging.start;
  return std::unique_ptr<HttpPoller>(new HttpPoller(std::unique_ptr<Parts>(new Parts{.options = std::move(options),
                                                                                     .clock = clock,
                                                                                     .random = random,
                                                                                     .wait = std::move(wait),
                                                                                     .records_path = std::move(records_path),
                                                                                     .key_path = std::move(key_path),
                                                                                     .next_page = first_page})));
}

port::Feed::Polled HttpPoller::poll(std::stop_token stop) {
  const PollerOptions& options = parts_->options;
  const bool paged = !options.paging.parameter.empty();
  Polled result{.next_delay = options.interval};
  {
    MutexLock lock(parts_->mutex);
    ++parts_->counters.rounds;
  }
  size_t bytes = 0;
  for (int64_t pages = 1;; ++pages) {
    Parts::Try answered = parts_->ask_until_answered(parts_->next_page, result, stop);
    if (result.error) break;
    bytes += answered.bytes;
    bool last = !paged || answered.records.empty();
    std::move(answered.records.begin(), answered.records.end(), std::back_inserter(result.records));
    ++parts_->next_page;
    if (last) break;
    if (bytes >= options.round_bytes_max || pages >= options.paging.pages_max) {
      result.next_delay = Duration(0);
      return result;
    }
  }
  // A later page that failed is asked for again; a round that is whole starts
  // anew.
  if (!result.error) parts_->next_page = options.paging.start;
  return result;
}

Status HttpPoller::resume(const std::string& position) {
  if (position.empty()) return {};
  return fail(Errc::kFailedPrecondition, "an HTTP source keeps no position, but one is stored for it",
              "give the source another name, or make it again what it was");
}

PollerCounters HttpPoller::counters() const {
  MutexLock lock(parts_->mutex);
  return parts_->counters;
}

}  // namespace millrace::connect::http
