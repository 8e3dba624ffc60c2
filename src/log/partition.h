#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "env/env.h"
#include "env/event_count.h"
#include "log/partition_state.h"
#include "log/segment_index.h"
#include "log/topic.h"
#include "log/waiter.h"
#include "model/record.h"
#include "store/store.h"

namespace millrace::log {

class Flusher;

struct Options {
  bool read_only = false;
  uint64_t segment_bytes_max = 128 << 20;
  uint64_t index_interval_bytes = 4096;
  /// Of one batch, that is of one append, as it stands on disk.
  size_t batch_bytes_max = 64 << 20;
  /// Called once when a sync has failed, with the file in the message. Empty: log it and end the process with exit code 70. When
  /// it returns (tests), the partition refuses everything but reads of what was durable before.
  std::function<void(const Error&)> on_sync_failure;
};

struct Appended {
  model::Offset first_offset;
  int32_t count = 0;
};

/// An append that has been written; PartitionLog::wait tells when it is durable. Keep the Topic alive for as long.
struct Ticket {
  class PartitionLog* partition = nullptr;
  Appended appended;
  model::Offset end;
  bool must_sync = true;  // false in the weaker sync modes: there is nothing to wait for
};

/// What a copy of a partition is made of: the segments, oldest first, and how much of each belongs to it. All but the last one
/// are whole, and only these may have an index beside them that fits the copy.
struct PartitionImage {
  struct Segment {
    std::string path;
    uint64_t bytes = 0;
  };
  model::Offset start;
  model::Offset end;
  std::vector<Segment> segments;  // at least one
};

/// One partition: a directory of segments, the last of which is appended to.
///
/// The offsets, in order: start <= visible end <= log end. Readers see up to the visible end. That is the flushed end in SyncMode
/// kAlways, the written end in the weaker modes, and in a topic that a query owns what set_visible_end said last (never more than
/// the flushed end).
///
/// Threading: safe from any thread; appends of one partition go one after the other.
/// Errors: kIo, kDiskFull and kResourceExhausted name the file; kNotFound once the topic is dropped; kCancelled once the log is
/// closed.
class PartitionLog : public std::enable_shared_from_this<PartitionLog> {
 public:
  struct Place {
    std::string dir;    // of the partition
    std::string topic;  // for messages
    model::TopicId topic_id;
    model::Partition partition;
  };

  /// Makes the directory of a new, empty partition, durably but for the entry in the parent directory.
  static Status create(env::FileSystem& files, const Place& place);
  /// Recovers the partition: the last segment is read from where it is known to be good; a torn tail is cut, which can only hold
  /// appends that nobody was told of. A bad batch among durable ones is kCorruption and nothing is cut.
  /// `committed_end`: for a topic with an owner, what put_visible_end put into the store; output beyond it is cut.
  static Result<std::shared_ptr<PartitionLog>> open(env::Env env, Place place, const TopicSettings& settings,
                                                    const Options& options, Flusher& flusher,
                                                    std::optional<model::Offset> committed_end);
  ~PartitionLog();

  /// Appends the records as one batch, whole or not at all, and waits as the topic's sync mode says.
  /// `writer` is the query that writes; kPermissionDenied when the topic belongs to another.
  /// Errors: kInvalidArgument (no records, or more than batch_bytes_max), kDiskFull (nothing is written).
  Result<Appended> append(std::span<const model::Record> records, std::string_view writer = {});
  /// The same without waiting. The order of tickets is the order of offsets.
  Result<Ticket> append_async(std::span<const model::Record> records, std::string_view writer = {});
  /// A ready batch as a Kafka producer sends it: CRC, counts and content are checked, then it is given its offset.
  Result<Ticket> append_batch_async(std::string batch, std::string_view writer = {});
  /// Returns when the ticket's records are durable (kAlways) or at once (weaker modes).
  static Result<Appended> wait(const Ticket& ticket);
  static Status wait_all(std::span<const Ticket> tickets);

  /// Consecutive records from `from` on, at most `records_max`, out of about `bytes_max` bytes of the log (at least one batch).
  /// The run is empty at the visible end. `next` can pass `from` without a record (offsets that were lost or never used).
  /// Errors: kOutOfRange naming what is kept, kCorruption naming file and position.
  Result<model::RecordRun> read(model::Offset from, size_t bytes_max, size_t records_max);

  model::Offset start_offset() const;
  /// The visible end.
  model::Offset end_offset() const;
  model::Offset log_end_offset() const;
  model::Offset flushed_offset() const;
  uint64_t size_bytes() const;
  /// The first visible offset whose record is not older than the time; the visible end when there is none.
  Result<model::Offset> offset_for_time(int64_t timestamp_ms);

  /// Makes sure that no offset below `offset` is ever given to a new record, for offsets that a query has already committed.
  /// Returns how many offsets were skipped: records that a weaker sync mode has lost.
  Result<int64_t> advance_to(model::Offset offset);

  /// For a topic with an owner. Records up to `offset` become visible; kFailedPrecondition when they are not durable.
  Status set_visible_end(model::Offset offset);
  /// Puts the end that this commit makes visible into the query's epoch. Call set_visible_end when the batch is committed.
  void put_visible_end(store::Batch& batch, model::Offset offset) const;
  /// Drops everything from `offset` on, which must be the end of an append, on disk as well. For what nobody has seen yet: behind
  /// the visible end of a topic with an owner, or before anybody reads. Not while another thread appends.
  Status cut_to(model::Offset offset);

  /// `waiter` gets a signal when the visible end moves, and when the partition is closed.
  void attach(Waiter& waiter);
  void detach(Waiter& waiter);

  /// The files up to the end of what is written. Of a topic with an owner it goes up to `committed_end`, as put_visible_end
  /// stored it: later output may still be cut. Segments stay where they are while a Log::Hold lives. Errors: kDataLoss (the log
  /// ends before `committed_end`).
  Result<PartitionImage> image(std::optional<model::Offset> committed_end);

  /// Syncs what is written.
  Status flush();

 private:
  friend class Log;
  friend class Flusher;

  struct OpenSegment {
    std::shared_ptr<env::File> file;
    std::shared_ptr<const SegmentIndex> index;
  };
  /// Where a read starts, found under the lock and used outside of it.
  struct ReadPlan {
    std::shared_ptr<env::File> file;
    std::string path;
    uint64_t position = 0;
    uint64_t limit = 0;  // bytes of the segment that are written
    model::Offset visible_end;
  };

  PartitionLog(env::Env env, Place place, const TopicSettings& settings, const Options& options, Flusher& flusher);

  // recovery.cc
  Status recover(std::optional<model::Offset> committed_end) REQUIRES(mutex_);
  Result<std::vector<model::Offset>> list_segments();
  Status load_sealed(model::Offset base, model::Offset next_base) REQUIRES(mutex_);
  Status load_last(model::Offset base) REQUIRES(mutex_);
  Status show_committed(std::optional<model::Offset> committed_end) REQUIRES(mutex_);
  Status cut_locked(model::Offset offset) REQUIRES(mutex_);
  std::optional<SegmentIndex> read_index(model::Offset base);
  Status check_boundary(model::Offset offset) REQUIRES(mutex_);
  Result<uint64_t> position_of(env::File& file, const SegmentIndex& index, model::Offset offset);
  Status remove_index(model::Offset base);
  Status remove_segment(model::Offset base);

  // partition.cc
  Result<Ticket> write_batch(std::string batch, std::string_view writer);
  Result<model::Offset> place_batch(std::string& batch, const codec::kafka_record::BatchHeader& header) REQUIRES(mutex_);
  Status write_out(std::string_view batch) REQUIRES(mutex_);
  Status roll() REQUIRES(mutex_);
  /// The flusher's: gives the threads that the last sync has woken a moment to append again, so that one sync serves them all.
  void gather();
  Status sync_once();
  Status sync_failed(Error error) REQUIRES(mutex_);
  void after_write() REQUIRES(mutex_);
  void write_index(const SegmentIndex& index);
  void note_flushed(model::Offset end) REQUIRES(mutex_);
  void signal_waiters() REQUIRES(mutex_);
  void wake_appenders() REQUIRES(mutex_);
  model::Offset visible_end() const REQUIRES(mutex_);
  Status configure(const TopicSettings& settings);
  void refuse(Error error, bool reads_too);
  Status close();

  // retention.cc
  Result<uint64_t> enforce_retention(int64_t now_ms, std::optional<model::Offset> floor);
  Status truncate();
  Status delete_first_segment() REQUIRES(mutex_);

  // read.cc
  Result<ReadPlan> plan_read(model::Offset from);
  Result<OpenSegment> open_sealed(const SegmentSummary& segment);
  Result<model::Offset> find_time(env::File& file, const SegmentIndex& index, int64_t timestamp_ms);
  Error gone(model::Offset from, model::Offset start) const;
  Error damaged(const std::string& path, uint64_t position, const Error& why) const;

  std::string segment_path(model::Offset base, std::string_view suffix) const;
  std::string where() const;

  env::Env env_;
  const Place place_;
  const Options options_;
  Flusher& flusher_;

  mutable Mutex mutex_;
  TopicSettings settings_ GUARDED_BY(mutex_);
  std::vector<SegmentSummary> sealed_ GUARDED_BY(mutex_);  // oldest first
  std::shared_ptr<env::File> file_ GUARDED_BY(mutex_);     // of the last segment
  SegmentIndex index_ GUARDED_BY(mutex_);                  // of the last segment; its summary is the segment's
  uint64_t indexed_bytes_ GUARDED_BY(mutex_) = 0;          // of the last segment, that its index file covers
  model::Offset flushed_ GUARDED_BY(mutex_);
  model::Offset committed_ GUARDED_BY(mutex_);  // the visible end of a topic with an owner
  std::unique_ptr<PartitionState> state_ GUARDED_BY(mutex_);
  bool must_truncate_ GUARDED_BY(mutex_) = false;  // a failed write left bytes behind the end
  std::optional<Error> refusal_ GUARDED_BY(mutex_);
  bool reads_refused_ GUARDED_BY(mutex_) = false;
  bool closed_ GUARDED_BY(mutex_) = false;
  bool sync_requested_ GUARDED_BY(mutex_) = false;
  uint64_t unsynced_appends_ GUARDED_BY(mutex_) = 0;
  uint64_t group_ GUARDED_BY(mutex_) = 0;  // appends that the last sync served
  CondVar group_is_back_;
  uint64_t cuts_ GUARDED_BY(mutex_) = 0;
  std::vector<Waiter*> waiters_ GUARDED_BY(mutex_);

  // What waiting appenders look at: woken all at once, they must not queue up at the mutex. `progress_` changes with each sync
  // and each refusal.
  env::EventCount progress_;
  std::atomic<int64_t> flushed_seen_{0};
  std::atomic<bool> refused_{false};

  std::atomic<Compression> compression_;  // of settings_, for encoding outside of the lock

  // The index of the sealed segment that was read last: readers go through a segment from front to back.
  Mutex sealed_mutex_;
  OpenSegment sealed_open_ GUARDED_BY(sealed_mutex_);
};

/// The key in store::Space::kMeta of put_visible_end.
std::string visible_end_key(const model::TopicId& id, model::Partition partition);

}  // namespace millrace::log
