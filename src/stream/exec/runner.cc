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
    : parts_(std::move(parts)), clock_(clock), traits_(parts_.sink->traits()), output_(parts_.pipeline->output()) {
  status_.state = paused ? QueryState::kPaused : QueryState::kRunning;
  status_.position = parts_.pipeline->position();
  partitions_ = static_cast<int32_t>(status_.position.partitions.size());
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
  if (Status done = parts_.sink->finish(); !done) log_warn("stream", done.error().message);
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

Result<std::vector<port::PartitionEnd>> Runner::ends() {
  std::vector<model::Partition> partitions;
  if (parts_.group != nullptr) {
    partitions = parts_.group->owned();
  } else {
    for (int32_t p = 0; p < partitions_; ++p) partitions.emplace_back(p);
  }
  std::vector<port::PartitionEnd> ends;
  for (model::Partition partition : partitions) {
    TRY(port::OffsetRange range, parts_.source->bounds(partition));
    // An empty range has nothing to wait for, wherever it begins.
    if (range.end > range.start) ends.push_back({partition, range.end, 0});
  }
  return ends;
}

uint64_t Runner::in_flight() {
  constexpr Duration kAskAgain = std::chrono::seconds(10);
  // A source that did not answer a moment ago would keep whoever asks waiting.
  Duration now = clock_.monotonic();
  if (now.count() < ask_again_) return in_flight_;
  auto known = ends();
  if (!known) {
    ask_again_ = (now + kAskAgain).count();
    return in_flight_;
  }
  uint64_t behind = 0;
  MutexLock lock(mutex_);
  const auto& partitions = status_.position.partitions;
  for (const port::PartitionEnd& end : *known) {
    auto p = static_cast<size_t>(end.partition.value);
    model::Offset next = p < partitions.size() ? partitions[p].next : model::Offset(0);
    if (end.next > next) behind += static_cast<uint64_t>(end.next - next);
  }
  return in_flight_ = behind;
}

bool Runner::wait_for(const std::vector<port::PartitionEnd>& ends, Duration timeout, const std::function<bool()>& cancelled) {
  constexpr Duration kLook = std::chrono::milliseconds(50);  // how often `cancelled` is asked
  Duration until = clock_.monotonic() + timeout;
  MutexLock lock(mutex_);
  while (true) {
    const auto& partitions = status_.position.partitions;
    bool reached = std::all_of(ends.begin(), ends.end(), [&](const port::PartitionEnd& end) {
      auto p = static_cast<size_t>(end.partition.value);
      return p < partitions.size() && partitions[p].next >= end.next;
    });
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
  // The sink may be in the middle of a failure, or never have been used.
  Status settled = parts_.pipeline->recover();
  Result<Pipeline::ReplayReport> result = fail(settled ? Error() : settled.error());
  if (settled) result = parts_.pipeline->replay(job->letters);
  if (!result) parts_.pipeline->abandon();
  MutexLock lock(mutex_);
  status_.position = parts_.pipeline->position();
  job->result = std::move(result);
  job_ = nullptr;
  changed_.notify_all();
  return true;
}

Status Runner::begin() {
  TRY_DO(parts_.pipeline->recover());
  TRY(port::SourceInfo info, parts_.source->describe());
  partitions_ = info.partitions;
  publish(std::nullopt);
  if (parts_.group != nullptr) return parts_.group->rewind();
  for (size_t p = 0; p < parts_.pipeline->position().partitions.size(); ++p)
    TRY_DO(seek(model::Partition(static_cast<int32_t>(p))));
  return {};
}

Status Runner::seek(model::Partition partition) {
  Pipeline& pipeline = *parts_.pipeline;
  model::Offset next = pipeline.position().partitions[static_cast<size_t>(partition.value)].next;
  Status sought = parts_.source->seek(partition, next);
  if (sought || sought.error().code != Errc::kOutOfRange || parts_.on_data_loss == OnDataLoss::kFail) return sought;
  TRY(port::OffsetRange kept, parts_.source->bounds(partition));
  model::Offset at = next < kept.start ? kept.start : kept.end;
  uint64_t lost = next < kept.start ? static_cast<uint64_t>(kept.start - next) : 0;
  log_error("stream",
            fmt::format("query {} goes on without {} records: {}", pipeline.spec().query, lost, sought.error().message));
  TRY_DO(pipeline.skip_lost(partition, at, lost));
  return parts_.source->seek(partition, at);
}

Status Runner::run_epoch(Duration wait) {
  Pipeline& pipeline = *parts_.pipeline;
  size_t epoch_max = std::min(kEpochRecordsMax, traits_.epoch_records_max);
  port::PollLimit limit{std::min(kSliceRecordsMax, epoch_max), kSliceBytesMax};
  TRY(auto runs, parts_.source->poll(limit, wait));
  Duration begin = clock_.monotonic();
  while (!runs.empty()) {
    size_t records = pipeline.epoch_records(), bytes = pipeline.epoch_bytes();
    TRY_DO(pipeline.feed(runs));
    bool caught_up =
        pipeline.epoch_records() - records < limit.records_max / 2 && pipeline.epoch_bytes() - bytes < kSliceBytesMax / 2;
    bool full = pipeline.epoch_records() >= epoch_max || pipeline.epoch_bytes() >= kEpochBytesMax;
    bool long_enough = clock_.monotonic() - begin >= traits_.epoch_time_max;
    if (caught_up || full || long_enough || pipeline.epoch_is_slow()) break;
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
  // In a group, fenced means that a partition has moved on.
  bool passes = failure.code == Errc::kDiskFull || failure.code == Errc::kResourceExhausted ||
                failure.code == Errc::kUnavailable || (failure.code == Errc::kFenced && parts_.group != nullptr);
  if (!passes) return;
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
    if (run_job()) {
      sought = false;
      continue;
    }
    Status done = sought ? Status() : begin();
    sought = true;
    if (done) done = run_epoch(kIdleWait);
    if (!done) {
      parts_.pipeline->abandon();
      if (is_stopping()) continue;  // stop() interrupts what is under way
      const std::string& query = parts_.pipeline->spec().query;
      log_error("stream", fmt::format("query {} failed: {}", query, done.error().message));
      if (done.error().code == Errc::kOutOfRange) {
        done.error().hint = fmt::format(
            "`millrace query reset {} --from earliest` goes on with what is kept; `on_data_loss: continue` does so by itself",
            query);
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
