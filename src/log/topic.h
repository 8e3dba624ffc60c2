#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "base/result.h"
#include "codec/kafka_record/record_batch.h"
#include "model/ids.h"

namespace millrace::log {

class PartitionLog;

using codec::kafka_record::Compression;

/// When appended bytes reach the disk, and what an acknowledgement means.
enum class SyncMode : uint8_t {
  kAlways = 0,    // acked and visible = on disk; one fsync serves everybody who waits
  kInterval = 1,  // acked and visible = written; synced every `sync_interval_ms`, power loss may take what came since
  kNever = 2,     // acked and visible = written; synced when a segment is full and on close
};

inline constexpr int32_t kPartitionsMax = 1024;

struct TopicSettings {
  int32_t partitions = 1;  // 1..kPartitionsMax, fixed for the life of the topic
  SyncMode sync = SyncMode::kAlways;
  int64_t sync_interval_ms = 100;
  Compression compression = Compression::kNone;
  std::optional<int64_t> retention_ms;
  std::optional<uint64_t> retention_bytes;  // of each partition
  /// The topic's frozen column list (model::encode_schema); empty when it has none.
  std::string schema;
  /// The query that is the only writer of this topic; empty when anybody may append.
  std::string owner;

  friend bool operator==(const TopicSettings&, const TopicSettings&) = default;
};

/// Kafka's rule (org.apache.kafka.common.internals.Topic): [a-zA-Z0-9._-]{1,249}, but not "." or "..".
bool is_topic_name(std::string_view name);

/// What the catalog holds under `topic/<name>` in store::Space::kMeta.
struct TopicEntry {
  /// A topic that is being made or dropped is gone after the next open; one being made stays when it has records.
  enum class State : uint8_t { kActive = 0, kCreating = 1, kDropping = 2 };

  State state = State::kActive;
  model::TopicId id;
  TopicSettings settings;
};
/// Format 1: format byte, state, id, then the settings. Newer formats and anything else that does not decode are kCorruption or
/// kFailedPrecondition (newer).
std::string encode_topic_entry(const TopicEntry& entry);
Result<TopicEntry> decode_topic_entry(std::string_view bytes);

/// A topic as its users hold it. Threading: safe from any thread. Lifetime: may outlive the topic's drop (every call then fails
/// with kNotFound), but not the Log.
class Topic {
 public:
  Topic(std::string name, model::TopicId id, TopicSettings settings, std::vector<std::shared_ptr<PartitionLog>> partitions);

  const std::string& name() const { return name_; }
  model::TopicId id() const { return id_; }
  int32_t partition_count() const { return static_cast<int32_t>(partitions_.size()); }
  /// `partition` is within [0, partition_count()).
  PartitionLog& partition(model::Partition partition) const;
  TopicSettings settings() const;
  uint64_t size_bytes() const;

 private:
  friend class Log;

  const std::string name_;
  const model::TopicId id_;
  const std::vector<std::shared_ptr<PartitionLog>> partitions_;
  mutable Mutex mutex_;
  TopicSettings settings_ GUARDED_BY(mutex_);
};

}  // namespace millrace::log
