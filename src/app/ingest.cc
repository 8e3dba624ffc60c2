#include "app/ingest.h"

#include <fmt/format.h>

#include "app/append.h"
#include "base/log.h"

namespace millrace::app {
namespace {

connect::http::PollerOptions options_of(const project::Source& source, std::string url) {
  connect::http::PollerOptions options;
  options.url = std::move(url);
  options.method = source.http.method;
  for (const auto& [name, value] : source.http.headers) options.headers.emplace_back(name, value.value);
  if (source.http.auth) {
    const project::HttpAuth& auth = *source.http.auth;
    if (!auth.bearer.value.empty()) {
      options.auth = {connect::http::Auth::Kind::kBearer, auth.bearer.value};
    } else {
      options.auth = {connect::http::Auth::Kind::kBasic, auth.user.value + ":" + auth.password.value};
    }
  }
  options.interval = source.every;
  options.timeout = source.http.timeout;
  options.records = source.http.records;
  options.key = source.key;
  if (source.http.page) {
    options.paging.parameter = source.http.page->param;
    options.paging.start = source.http.page->start;
    options.paging.pages_max = source.http.page->max;
    if (!source.http.page->size_param.empty()) {
      options.url += options.url.find('?') == std::string::npos ? '?' : '&';
      options.url += fmt::format("{}={}", source.http.page->size_param, source.http.page->size);
    }
  }
  options.retry.max_attempts = static_cast<int>(source.http.retry.attempts);
  options.retry.base_delay = source.http.retry.delay;
  options.retry.max_delay = source.http.retry.delay_max;
  options.max_body_bytes = static_cast<size_t>(source.http.max_bytes);
  options.max_redirects = static_cast<int>(source.http.redirects);
  return options;
}

}  // namespace

Result<std::unique_ptr<Ingest>> Ingest::create(const project::Source& source, std::shared_ptr<log::Topic> topic, env::Env env,
                                               Server server) {
  std::string url = source.http.url.value;
  if (url.starts_with("builtin:")) {
    TRY(std::string served, server.builtin_url());
    size_t query = url.find('?');
    url = query == std::string::npos ? served : served + url.substr(query);
  }
  TRY(auto poller, connect::http::HttpPoller::create(options_of(source, std::move(url)), env.clock, env.random));
  return std::unique_ptr<Ingest>(new Ingest(source.name, std::move(topic), env, std::move(server.check_room), std::move(poller)));
}

Ingest::~Ingest() { stop(); }

void Ingest::start() {
  thread_ = std::jthread([this](std::stop_token stop) {
    while (wait_for_room(stop)) {
      auto next = poll_once(stop);
      if (next && !connect::http::HttpPoller::real_wait()(*next, stop)) break;
      if (!next && next.error().code == Errc::kCancelled) break;
    }
  });
}

void Ingest::stop() {
  if (!thread_.joinable()) return;
  thread_.request_stop();
  thread_.join();
}

Result<Duration> Ingest::wait_for_room(std::stop_token stop) {
  constexpr Duration kLookAgain = std::chrono::milliseconds(500);
  Duration begin = env_.clock.monotonic();
  while (!stop.stop_requested()) {
    Status room = check_room_();
    if (room) return env_.clock.monotonic() - begin;
    {
      MutexLock lock(mutex_);
      counts_.last_error = room.error().message;
    }
    (void)connect::http::HttpPoller::real_wait()(kLookAgain, stop);
  }
  return fail(Errc::kCancelled, "stopped");
}

Status Ingest::append(const std::vector<model::Record>& records) {
  if (records.empty()) return {};
  // Unkeyed records of successive polls take the partitions in turn.
  TRY_DO(append_records(*topic_, records, next_partition_));
  next_partition_ = (next_partition_ + 1) % topic_->partition_count();
  return {};
}

Result<Duration> Ingest::poll_once(std::stop_token stop) {
  MutexLock one_at_a_time(polling_);
  connect::http::PollResult polled = poller_->poll(stop);
  Status appended = append(polled.records);
  std::optional<Error> failure = polled.error;
  if (!appended) failure = appended.error();
  MutexLock lock(mutex_);
  ++counts_.polls;
  (appended ? counts_.records : counts_.refused) += polled.records.size();
  if (failure && failure->code == Errc::kCancelled) return fail(*failure);
  if (failure) {
    ++counts_.failed_polls;
    if (failed_in_a_row_++ == 0 || counts_.last_error != failure->message)
      log_warn("ingest", fmt::format("source {}: {}", name_, failure->message));
    counts_.last_error = failure->message;
  } else if (uint64_t failed = std::exchange(failed_in_a_row_, 0); failed != 0) {
    log_info("ingest", fmt::format("source {} answers again, after {} failed poll{}", name_, failed, failed == 1 ? "" : "s"));
  }
  return polled.next_delay;
}

Status Ingest::poll_for(Duration length, std::stop_token stop) {
  IngestCounts before = counts();
  Duration until = env_.clock.monotonic() + length;
  do {
    TRY(Duration waited, wait_for_room(stop));
    until += waited;
    TRY(Duration next, poll_once(stop));
    Duration left = until - env_.clock.monotonic();
    if (left <= Duration(0)) break;
    if (!connect::http::HttpPoller::real_wait()(std::min(next, left), stop)) return fail(Errc::kCancelled, "stopped");
  } while (env_.clock.monotonic() < until);
  IngestCounts after = counts();
  if (after.records == before.records && after.failed_polls != before.failed_polls)
    return fail(Errc::kUnavailable, after.last_error);
  return {};
}

IngestCounts Ingest::counts() const {
  MutexLock lock(mutex_);
  return counts_;
}

}  // namespace millrace::app
