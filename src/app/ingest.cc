#include "app/ingest.h"

#include <fmt/format.h>

#include "base/log.h"
#include "connect/http/poller.h"

namespace millrace::app {
namespace {

std::string position_key(const std::string& source) { return "source/" + source + "/position"; }

/// False when the stop came first.
bool wait_for(Duration duration, std::stop_token stop) { return connect::http::HttpPoller::real_wait()(duration, stop); }

}  // namespace

Result<std::unique_ptr<Ingest>> Ingest::create(std::string source, std::string topic, Parts parts, env::Env env) {
  TRY(auto position, parts.store.get(store::Space::kMeta, position_key(source)));
  if (position) TRY_DO(parts.feed->resume(*position));
  std::unique_ptr<Ingest> ingest(new Ingest(std::move(source), std::move(topic), std::move(parts), env));
  MutexLock lock(ingest->polling_);
  ingest->position_ = position.value_or("");
  return ingest;
}

Ingest::~Ingest() { stop(); }

void Ingest::start() {
  thread_ = std::jthread([this](std::stop_token stop) {
    while (wait_for_room(stop)) {
      auto next = poll_once(stop);
      if (next && !wait_for(*next, stop)) break;
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
    Status room = parts_.check_room();
    if (room) return env_.clock.monotonic() - begin;
    {
      MutexLock lock(mutex_);
      counts_.last_error = room.error().message;
    }
    (void)wait_for(kLookAgain, stop);
  }
  return fail(Errc::kCancelled, "stopped");
}

Status Ingest::take(const port::Feed::Polled& polled) {
  if (!polled.records.empty()) TRY_DO(parts_.writer->append(polled.records));
  if (polled.position.empty() || polled.position == position_) return {};
  store::Batch batch;
  batch.put(store::Space::kMeta, position_key(name_), polled.position);
  TRY_DO(parts_.store.commit(std::move(batch), store::Durability::kSync));
  position_ = polled.position;
  return {};
}

/// What an API gave once it may not give again, so it waits here until the topic's log answers.
Status Ingest::take_patiently(const port::Feed::Polled& polled, std::stop_token stop) {
  constexpr Duration kTryAgain = std::chrono::seconds(1);
  while (true) {
    Status taken = take(polled);
    if (taken || taken.error().code != Errc::kUnavailable || stop.stop_requested()) return taken;
    {
      MutexLock lock(mutex_);
      if (counts_.last_error != taken.error().message)
        log_warn("ingest", fmt::format("source {} waits: {}", name_, taken.error().message));
      counts_.last_error = taken.error().message;
    }
    (void)wait_for(kTryAgain, stop);
  }
}

Result<Duration> Ingest::poll_once(std::stop_token stop) {
  MutexLock one_at_a_time(polling_);
  port::Feed::Polled polled = parts_.feed->poll(stop);
  Status appended = take_patiently(polled, stop);
  // What has a position comes again.
  if (!appended && !polled.position.empty()) TRY_DO(parts_.feed->resume(position_));
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
    if (!wait_for(std::min(next, left), stop)) return fail(Errc::kCancelled, "stopped");
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
