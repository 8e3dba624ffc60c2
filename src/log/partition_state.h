#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>

#include "base/result.h"
#include "env/file.h"
#include "model/ids.h"

namespace millrace::log {

/// The file `partition.state`: whose directory this is, and up to where its log is known to be on disk.
///
/// Little-endian. At 0: magic "MRPS", format u16 = 1, zero u16, topic id 16 bytes, partition i32, CRC-32C u32 of all before. At
/// 512 and at 1024 one slot each: sequence u64, flushed offset i64, CRC-32C u32 of both. The slot with the higher sequence holds;
/// a new value goes into the other one.
///
/// The slots are written after each sync of the log but not synced themselves: after power loss they may be old, never too new.
/// Threading: one thread at a time.
class PartitionState {
 public:
  static Status create(env::FileSystem& files, const std::string& path, const model::TopicId& id, model::Partition partition);
  /// Errors: kNotFound, kCorruption (not ours, or another topic's), kFailedPrecondition (newer format).
  static Result<std::unique_ptr<PartitionState>> open(env::FileSystem& files, const std::string& path, bool read_only);

  const model::TopicId& topic_id() const { return topic_id_; }
  model::Partition partition() const { return partition_; }
  /// nullopt when neither slot can be read.
  std::optional<model::Offset> flushed() const { return flushed_; }
  Status set_flushed(model::Offset offset);
  Status sync() { return file_->sync(); }

 private:
  std::unique_ptr<env::File> file_;
  model::TopicId topic_id_;
  model::Partition partition_;
  uint64_t sequence_ = 0;
  std::optional<model::Offset> flushed_;
};

}  // namespace millrace::log
