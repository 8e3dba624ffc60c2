#include "log/partition.h"

#include <algorithm>
#include <cstdlib>
#include <utility>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/log.h"
#include "env/fault.h"
#include "log/flusher.h"

namespace millrace::log {

namespace kafka_record = codec::kafka_record;
using kafka_record::BatchHeader;

namespace {

/// A batch of `count` offsets and no records.
std::string empty_batch(int32_t count, int64_t now_ms) {
  std::string batch;
  append_be(batch, int64_t{0});
  append_be(batch, static_cast<int32_t>(kafka_record::kHeaderBytes - kafka_record::kPrefixBytes));
  append_be(batch, int32_t{0});  // leader epoch
  batch.push_back(2);            // magic
  std::string covered;           // by the CRC
  append_be(covered, int16_t{0});
  append_be(covered, count - 1);
  append_be(covered, now_ms);
  append_be(covered, now_ms);
  append_be(covered, int64_t{-1});
  append_be(covered, int16_t{-1});
  append_be(covered, int32_t{-1});
  append_be(covered, int32_t{0});
  append_be(batch, kafka_record::crc32c(covered));
  return batch + covered;
}

}  // namespace

std::string visible_end_key(const model::TopicId& id, model::Partition partition) {
  std::string key = "topic-end/";
  key.append(reinterpret_cast<const char*>(id.bytes.data()), id.bytes.size());
  append_be(key, partition.value);
  return key;
}

PartitionLog::PartitionLog(env::Env env, Place place, const TopicSettings& settings, const Options& options, Flusher& flusher)
    : env_(env),
      place_(std::move(place)),
      options_(options),
      flusher_(flusher),
      settings_(settings),
      index_(model::Offset(0), options.index_interval_bytes),
      compression_(settings.compression) {}

PartitionLog::~PartitionLog() = default;

std::string PartitionLog::segment_path(model::Offset base, std::string_view suffix) const {
  return fmt::format("{}/{:020}.{}", place_.dir, base.value, suffix);
}

std::string PartitionLog::where() const { return fmt::format("topic {} partition {}", place_.topic, place_.partition.value); }

// ---- appending

Result<Ticket> PartitionLog::append_async(std::span<const model::Record> records, std::string_view writer) {
  if (records.empty()) return fail(Errc::kInvalidArgument, where() + ": an append has at least one record");
  kafka_record::EncodeOptions options;
  options.compression = compression_.load();
  // Encoding takes the most time of an append; the base offset and its CRC do not depend on one another, so it needs no lock.
  options.now_ms = to_millis(env_.clock.now());
  TRY(std::string batch, kafka_record::encode_batch(records, options));
  return write_batch(std::move(batch), writer);
}

Result<Appended> PartitionLog::append(std::span<const model::Record> records, std::string_view writer) {
  TRY(Ticket ticket, append_async(records, writer));
  return wait(ticket);
}

Result<Ticket> PartitionLog::append_batch_async(std::string batch, std::string_view writer) {
  TRY(BatchHeader header, kafka_record::read_header(batch));
  if (header.total_bytes() != batch.size()) return fail(Errc::kCorruption, where() + ": the bytes are not one batch");
  TRY_DO(kafka_record::check_crc(header, batch));
  if (header.record_count < 1 || header.last_offset_delta != header.record_count - 1) {
    return fail(Errc::kCorruption, where() + ": the batch's count and offsets differ");
  }
  std::vector<model::RecordView> views;
  std::vector<std::shared_ptr<const void>> owners;
  TRY_DO(kafka_record::decode_records(header, batch, {}, views, owners));
  return write_batch(std::move(batch), writer);
}

Result<Ticket> PartitionLog::write_batch(std::string batch, std::string_view writer) {
  if (batch.size() > options_.batch_bytes_max) {
    return fail(
        Errc::kInvalidArgument,
        fmt::format("{}: a batch of {} bytes is larger than the limit of {}", where(), batch.size(), options_.batch_bytes_max),
        "append fewer records at once");
  }
  TRY(BatchHeader header, kafka_record::read_header(batch));
  MutexLock lock(mutex_);
  if (refusal_) return fail(*refusal_);
  if (!settings_.owner.empty() && settings_.owner != writer) {
    return fail(Errc::kPermissionDenied, fmt::format("topic {} is written by query {} alone", place_.topic, settings_.owner));
  }
  TRY(model::Offset first, place_batch(batch, header));
  after_write();
  return Ticket{this, {first, header.record_count}, index_.summary().next, settings_.sync == SyncMode::kAlways};
}

Result<model::Offset> PartitionLog::place_batch(std::string& batch, const BatchHeader& header) {
  const SegmentSummary& segment = index_.summary();
  bool full = segment.bytes + batch.size() > options_.segment_bytes_max ||
              env::take_fault("log.segment_full").action != env::FaultAction::kNone;
  if (segment.bytes > 0 && full) TRY_DO(roll());
  BatchHeader placed = header;
  placed.base_offset = index_.summary().next;
  kafka_record::set_base_offset(batch.data(), placed.base_offset, 0);
  TRY_DO(write_out(batch));
  index_.add(placed, to_millis(env_.clock.now()));
  return placed.base_offset;
}

Status PartitionLog::write_out(std::string_view batch) {
  uint64_t end = index_.summary().bytes;
  // Bytes of a failed write must be gone before anything shorter is written over them: recovery would find their rest.
  if (must_truncate_) TRY_DO(file_->truncate(end));
  must_truncate_ = false;
  Status written = file_->write_at(end, batch);
  if (written) written = env::fault("log.after_append");
  if (written) return {};
  must_truncate_ = !file_->truncate(end);
  return fail(at(where(), std::move(written.error())));
}

void PartitionLog::after_write() {
  if (++unsynced_appends_ == group_) group_is_back_.notify_one();
  if (settings_.sync != SyncMode::kAlways) signal_waiters();
  if (settings_.sync == SyncMode::kNever || sync_requested_) return;
  sync_requested_ = true;
  Duration delay = settings_.sync == SyncMode::kInterval ? std::chrono::milliseconds(settings_.sync_interval_ms) : Duration(0);
  flusher_.request(shared_from_this(), delay);
}

Status PartitionLog::roll() {
  // Whatever the sync mode: recovery relies on every segment but the last being whole.
  if (auto synced = file_->sync(); !synced) return sync_failed(std::move(synced.error()));
  model::Offset base = index_.summary().next;
  std::string path = segment_path(base, "log");
  auto file = env_.files.open(path, env::OpenMode::kWrite);
  Status opened = file ? env::fault("log.roll") : fail(at(where(), std::move(file.error())));
  if (!opened) {
    // Recovery drops an empty segment behind another one, in case this does not succeed either.
    (void)env_.files.remove(path);
    return opened;
  }
  if (auto synced = env_.files.sync_directory(place_.dir); !synced) return sync_failed(std::move(synced.error()));
  write_index(index_);
  note_flushed(base);
  sealed_.push_back(index_.summary());
  index_ = SegmentIndex(base, options_.index_interval_bytes);
  indexed_bytes_ = 0;
  file_ = std::move(*file);
  return {};
}

void PartitionLog::write_index(const SegmentIndex& index) {
  std::string path = segment_path(index.summary().base, "index");
  if (auto written = env::write_file_atomically(env_.files, path, index.encode()); !written) {
    log_warn("log", written.error().message + "; the index will be made again from the segment");
  }
}

// ---- making durable

void PartitionLog::gather() {
  // Where a few threads append, waiting costs more than it saves. The time is about half of what a sync takes on a quick disk.
  constexpr uint64_t kGroupMin = 8;
  constexpr Duration kMoment = std::chrono::microseconds(60);
  MutexLock lock(mutex_);
  if (group_ >= kGroupMin && unsynced_appends_ < group_) group_is_back_.wait_for(mutex_, kMoment);
}

Status PartitionLog::sync_once() {
  std::shared_ptr<env::File> file;
  model::Offset end;
  uint64_t cuts = 0;
  {
    MutexLock lock(mutex_);
    cuts = cuts_;
    sync_requested_ = false;
    if (refusal_ && refusal_->code != Errc::kCancelled) return fail(*refusal_);
    if (flushed_ == index_.summary().next) return {};
    file = file_;
    end = index_.summary().next;
    group_ = std::exchange(unsynced_appends_, 0);
  }
  // Outside of the lock, so that the next round gathers meanwhile. A roll in between syncs the old file itself.
  Status synced = env::fault("log.before_sync");
  if (synced) synced = file->sync();
  if (synced) synced = env::fault("log.after_sync");
  MutexLock lock(mutex_);
  if (!synced) return sync_failed(std::move(synced.error()));
  // After a cut the same offsets can stand for other records, which this sync may not have seen.
  if (cuts == cuts_) note_flushed(end);
  return {};
}

void PartitionLog::note_flushed(model::Offset end) {
  if (end <= flushed_) return;
  flushed_ = end;
  if (auto noted = state_->set_flushed(end); !noted) log_warn("log", noted.error().message);
  wake_appenders();
  if (settings_.sync == SyncMode::kAlways && settings_.owner.empty()) signal_waiters();
}

Status PartitionLog::sync_failed(Error error) {
  Error fatal = at(where() + ": sync failed, what was not acknowledged may be lost", std::move(error));
  fatal.code = Errc::kIo;
  if (!refusal_ || refusal_->code == Errc::kCancelled) {
    refusal_ = fatal;
    if (options_.on_sync_failure) {
      options_.on_sync_failure(fatal);
    } else {
      log_error("log", fatal.message);
      std::_Exit(70);
    }
  }
  wake_appenders();
  signal_waiters();
  return fail(*refusal_);
}

Result<Appended> PartitionLog::wait(const Ticket& ticket) {
  PartitionLog& p = *ticket.partition;
  while (ticket.must_sync) {
    uint32_t seen = p.progress_.now();
    if (p.flushed_seen_.load() >= ticket.end.value) break;
    if (p.refused_.load()) {
      MutexLock lock(p.mutex_);
      // Closing syncs what was written before.
      if (p.refusal_->code != Errc::kCancelled) return fail(*p.refusal_);
    }
    p.progress_.wait(seen);
  }
  return ticket.appended;
}

void PartitionLog::wake_appenders() {
  flushed_seen_ = flushed_.value;
  refused_ = refusal_.has_value();
  progress_.raise();
}

Status PartitionLog::wait_all(std::span<const Ticket> tickets) {
  for (const Ticket& ticket : tickets) {
    if (auto done = wait(ticket); !done) return fail(std::move(done.error()));
  }
  return {};
}

Status PartitionLog::flush() { return sync_once(); }

Status PartitionLog::close() {
  refuse({Errc::kCancelled, where() + ": the log is closed"}, false);
  if (options_.read_only) return {};
  TRY_DO(sync_once());
  MutexLock lock(mutex_);
  if (closed_ || reads_refused_) return {};
  closed_ = true;
  if (must_truncate_) TRY_DO(file_->truncate(index_.summary().bytes));
  if (index_.summary().bytes == indexed_bytes_) return {};  // nothing new since it was opened
  TRY_DO(state_->sync());
  write_index(index_);
  return {};
}

// ---- what readers see

model::Offset PartitionLog::visible_end() const {
  if (!settings_.owner.empty()) return committed_;
  return settings_.sync == SyncMode::kAlways ? flushed_ : index_.summary().next;
}

model::Offset PartitionLog::start_offset() const {
  MutexLock lock(mutex_);
  return sealed_.empty() ? index_.summary().base : sealed_.front().base;
}

model::Offset PartitionLog::end_offset() const {
  MutexLock lock(mutex_);
  return visible_end();
}

model::Offset PartitionLog::log_end_offset() const {
  MutexLock lock(mutex_);
  return index_.summary().next;
}

model::Offset PartitionLog::flushed_offset() const {
  MutexLock lock(mutex_);
  return flushed_;
}

uint64_t PartitionLog::size_bytes() const {
  MutexLock lock(mutex_);
  uint64_t bytes = index_.summary().bytes;
  for (const SegmentSummary& segment : sealed_) bytes += segment.bytes;
  return bytes;
}

Status PartitionLog::set_visible_end(model::Offset offset) {
  MutexLock lock(mutex_);
  if (refusal_) return fail(*refusal_);
  if (settings_.owner.empty())
    return fail(Errc::kFailedPrecondition, where() + ": a topic without an owner shows all that is durable");
  if (offset > flushed_ || offset < committed_) {
    return fail(Errc::kFailedPrecondition, fmt::format("{}: the visible end cannot go from {} to {}, {} are durable", where(),
                                                       committed_.value, offset.value, flushed_.value));
  }
  committed_ = offset;
  signal_waiters();
  return {};
}

void PartitionLog::put_visible_end(store::Batch& batch, model::Offset offset) const {
  std::string value;
  append_be(value, offset.value);
  batch.put(store::Space::kMeta, visible_end_key(place_.topic_id, place_.partition), value);
}

Result<int64_t> PartitionLog::advance_to(model::Offset offset) {
  int64_t skipped = 0;
  {
    MutexLock lock(mutex_);
    if (refusal_) return fail(*refusal_);
    skipped = offset - index_.summary().next;
    if (skipped <= 0) return 0;
    // A batch of offsets without records, as Kafka's compaction leaves it: the log stays without holes.
    while (index_.summary().next < offset) {
      int64_t count = std::min<int64_t>(offset - index_.summary().next, INT32_MAX);
      std::string batch = empty_batch(static_cast<int32_t>(count), to_millis(env_.clock.now()));
      TRY(BatchHeader header, kafka_record::read_header(batch));
      TRY_DO(place_batch(batch, header));
    }
  }
  TRY_DO(sync_once());
  MutexLock lock(mutex_);
  signal_waiters();
  return skipped;
}

void PartitionLog::attach(Waiter& waiter) {
  MutexLock lock(mutex_);
  waiters_.push_back(&waiter);
}

void PartitionLog::detach(Waiter& waiter) {
  MutexLock lock(mutex_);
  std::erase(waiters_, &waiter);
}

void PartitionLog::signal_waiters() {
  for (Waiter* waiter : waiters_) waiter->signal();
}

Status PartitionLog::configure(const TopicSettings& settings) {
  MutexLock lock(mutex_);
  if (flushed_ < index_.summary().next) {
    // Whoever waits must not wait for a sync that the new mode does not do, nor the visible end go back to a flushed one.
    if (auto synced = file_->sync(); !synced) return sync_failed(std::move(synced.error()));
    note_flushed(index_.summary().next);
  }
  if (settings_.owner.empty() && !settings.owner.empty()) committed_ = visible_end();
  settings_ = settings;
  compression_ = settings.compression;
  wake_appenders();
  signal_waiters();
  return {};
}

void PartitionLog::refuse(Error error, bool reads_too) {
  MutexLock lock(mutex_);
  if (!refusal_ || reads_too) refusal_ = std::move(error);
  reads_refused_ = reads_refused_ || reads_too;
  wake_appenders();
  signal_waiters();
}

}  // namespace millrace::log
