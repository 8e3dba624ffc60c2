#include "stream/exec/runner.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"

namespace millrace::stream {

namespace {
// How long a poll sleeps when nothing arrives; wake() ends it at once, so this is no latency.
constexpr Duration kIdleWait = std::chrono::seconds(30);
}  // namespace

std::string_view query_state_name(QueryState state) {
  switch (state) {
    case QueryState::kRunning: return "running";
    case QueryState::kPaused: return "paused";
    case QueryState::kFailed: return "failed";
    case QueryState::kStopped: return "stopped";
  }
  return "unknown";
}

Runner::Runner(Parts parts, env::Clock& clock, bool paused)
    : parts_(std::move(parts)), clock_(clock), output_(parts_.pipeline->output()) {
  status_.state = paused ? QueryState::kPaused : QueryState::kRunning;
  status_.position = parts_.pipeline->position();
}

Runner::~Runner() { stop(); }

void Runner::start() {
  thread_ = std::thread([this] { loop(); });
}

void Runner::stop() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    changed_.notify_all();
  }
  parts_.source->wake();
  if (!thread_.joinable()) return;
  parts_.pipeline->interrupt();
  thread_.join();
  MutexLock lock(mutex_);
  status_.state = QueryState::kStopped;
  changed_.notify_all();
}

void Runner::pause() {
  MutexLock lock(mutex_);
  if (status_.state != QueryState::kStopped) status_.state = QueryState::kPaused;
  changed_.notify_all();
  parts_.source->wake();
}

void Runner::resume() {
  MutexLock lock(mutex_);
  if (status_.state != QueryState::kStopped) status_.state = QueryState::kRunning;
  status_.reason.clear();
  changed_.notify_all();
}

QueryStatus Runner::status() const {
  MutexLock lock(mutex_);
  return status_;
}

bool Runner::wait_for(const std::vector<model::Offset>& ends, Duration timeout, const std::function<bool()>& cancelled) {
  constexpr Duration kLook = std::chrono::milliseconds(50);  // how often `cancelled` is asked
  Duration until = clock_.monotonic() + timeout;
  MutexLock lock(mutex_);
  while (true) {
    const auto& partitions = status_.position.partitions;
    bool reached = true;
    for (size_t i = 0; i < ends.size(); ++i) {
      reached = reached && (ends[i].value == 0 || (i < partitions.size() && partitions[i].next >= ends[i]));
    }
    if (reached) return true;
    if (status_.state == QueryState::kFailed || status_.state == QueryState::kStopped || cancelled() ||
        clock_.monotonic() >= until)
      return false;
    changed_.wait_for(mutex_, kLook);
  }
}

Result<Pipeline::ReplayReport> Runner::replay(std::vector<table::DeadLetter> letters) {
  Job job{std::move(letters), {}};
  MutexLock lock(mutex_);
  while (job_ != nullptr && status_.state != QueryState::kStopped) changed_.wait(mutex_);
  if (stopping_ || status_.state == QueryState::kStopped) return fail(Errc::kCancelled, "the query is stopping");
  job_ = &job;
  changed_.notify_all();
  parts_.source->wake();
  while (!job.result) changed_.wait(mutex_);
  return std::move(*job.result);
}

bool Runner::run_job() {
  Job* job = nullptr;
  {
    MutexLock lock(mutex_);
    job = job_;
  }
  if (job == nullptr) return false;
  auto result = parts_.pipeline->replay(job->letters);
  if (!result) parts_.pipeline->abandon();
  MutexLock lock(mutex_);
  status_.position = parts_.pipeline->position();
  job->result = std::move(result);
  job_ = nullptr;
  changed_.notify_all();
  return true;
}

Status Runner::seek() {
  const Position& position = parts_.pipeline->position();
  for (size_t i = 0; i < position.partitions.size(); ++i) {
    TRY_DO(parts_.source->seek(model::Partition(static_cast<int32_t>(i)), position.partitions[i].next));
  }
  return {};
}

Status Runner::run_epoch(Duration wait) {
  Pipeline& pipeline = *parts_.pipeline;
  port::PollLimit limit{kSliceRecordsMax, kSliceBytesMax};
  TRY(auto runs, parts_.source->poll(limit, wait));
  Duration begin = clock_.monotonic();
  while (!runs.empty()) {
    size_t records = pipeline.epoch_records(), bytes = pipeline.epoch_bytes();
    TRY_DO(pipeline.feed(runs));
    bool caught_up =
        pipeline.epoch_records() - records < kSliceRecordsMax / 2 && pipeline.epoch_bytes() - bytes < kSliceBytesMax / 2;
    bool full = pipeline.epoch_records() >= kEpochRecordsMax || pipeline.epoch_bytes() >= kEpochBytesMax;
    if (caught_up || full || pipeline.epoch_is_slow()) break;
    TRY(runs, parts_.source->poll(limit, Duration(0)));
  }
  uint64_t before = pipeline.position().epoch;
  TRY_DO(pipeline.commit());
  if (pipeline.position().epoch != before) {
    if (on_commit) on_commit(pipeline.position());
    MutexLock lock(mutex_);
    ++status_.epochs;
    status_.busy += clock_.monotonic() - begin;
  }
  return {};
}

bool Runner::is_stopping() const {
  MutexLock lock(mutex_);
  return stopping_;
}

void Runner::publish(std::optional<Error> failure) {
  MutexLock lock(mutex_);
  status_.position = parts_.pipeline->position();
  if (failure) {
    status_.state = QueryState::kFailed;
    status_.reason = failure->message;
    if (!failure->hint.empty()) status_.reason += "; " + failure->hint;
  }
  changed_.notify_all();
}

/// Leaves the query failed, or running again when the failure is of a kind that passes.
void Runner::wait_for_retry(const Error& failure) {
  publish(failure);
  if (failure.code != Errc::kDiskFull && failure.code != Errc::kResourceExhausted && failure.code != Errc::kUnavailable) return;
  Duration until = clock_.monotonic() + retry_after_;
  retry_after_ = std::min(retry_after_ * 2, kRetryMax);
  MutexLock lock(mutex_);
  while (!stopping_ && job_ == nullptr && status_.state == QueryState::kFailed && clock_.monotonic() < until) {
    changed_.wait_for(mutex_, until - clock_.monotonic());
  }
  if (status_.state == QueryState::kFailed) status_.state = QueryState::kRunning;
}

void Runner::loop() {
  env::CrashNote note(parts_.attempts == nullptr ? nullptr : parts_.attempts->crash_note());
  bool sought = false;
  while (true) {
    {
      MutexLock lock(mutex_);
      while (!stopping_ && job_ == nullptr && status_.state != QueryState::kRunning) {
        sought = false;
        changed_.wait(mutex_);
      }
      if (stopping_ && job_ == nullptr) return;
    }
    if (run_job()) continue;
    Status done = sought ? Status() : seek();
    sought = true;
    if (done) done = run_epoch(kIdleWait);
    if (!done) {
      parts_.pipeline->abandon();
      if (is_stopping()) continue;  // stop() interrupts what is under way
      const std::string& query = parts_.pipeline->spec().query;
      log_error("stream", fmt::format("query {} failed: {}", query, done.error().message));
      if (done.error().code == Errc::kOutOfRange) {
        done.error().hint = fmt::format("`millrace query reset {} --from earliest` goes on with what is kept", query);
      }
      wait_for_retry(done.error());
      sought = false;
    } else {
      retry_after_ = kRetryFirst;
      publish(std::nullopt);
    }
  }
}

}  // namespace millrace::stream
