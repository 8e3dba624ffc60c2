#pragma once

#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "model/ids.h"
#include "model/record.h"

namespace millrace::port {

struct SourceInfo {
  model::TopicId topic_id;
  int32_t partitions = 1;
  /// Reading again from a position gives the same records.
  bool replayable = true;
};

/// What a partition holds: the first offset that is kept, and the one behind the last that may be read.
struct OffsetRange {
  model::Offset start{0};
  model::Offset end{0};
  friend bool operator==(const OffsetRange&, const OffsetRange&) = default;
};

struct PollLimit {
  size_t records_max = 1'000'000;
  size_t bytes_max = 256 << 20;
};

/// Records by partition and offset: a topic, embedded or foreign. Threading: one thread, but for bounds() and wake().
///
/// Errors of every call: kUnavailable (nobody answers; a later try may succeed), kFailedPrecondition with the reason (the topic
/// was deleted, or made again).
class Source {
 public:
  virtual ~Source() = default;
  virtual Result<SourceInfo> describe() = 0;
  /// As of now, from any thread.
  virtual Result<OffsetRange> bounds(model::Partition partition) = 0;
  /// Reads on at `offset`. kOutOfRange says what is kept when the offset is gone. A partition that nobody sought is read from the
  /// first offset that is kept, also one that the topic gets later.
  virtual Status seek(model::Partition partition, model::Offset offset) = 0;
  /// What is there, in partition order, up to the limit; waits up to `wait` for the first record. Empty when nothing came or
  /// wake() was called.
  virtual Result<std::vector<model::RecordRun>> poll(const PollLimit& limit, Duration wait) = 0;
  /// Ends a waiting poll, from any thread.
  virtual void wake() = 0;
};

/// Where an epoch ends in one input partition: the offset to read on at, and the last write version that was given out.
struct PartitionEnd {
  model::Partition partition;
  model::Offset next;
  uint64_t version = 0;
  friend bool operator==(const PartitionEnd&, const PartitionEnd&) = default;
};

/// A source that shares its partitions with other processes and keeps the positions itself: a Kafka consumer group.
///
/// Every record that poll() gave out is committed or given up (rewind) before the first poll after one that returned nothing:
/// that is where partitions come and go. seek() is not called. RecordRun::version_floor carries the committed version.
class GroupSource : public Source {
 public:
  /// Makes `ends` the place to read on, with the membership under which the records were polled. kFenced when a partition has
  /// moved to another member: the epoch must be abandoned.
  virtual Status commit(const std::vector<PartitionEnd>& ends) = 0;
  /// Reads on at what is committed.
  virtual Status rewind() = 0;
  /// The partitions that are this member's now, ascending; from any thread.
  virtual std::vector<model::Partition> owned() = 0;
};

}  // namespace millrace::port
