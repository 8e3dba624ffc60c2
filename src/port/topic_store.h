#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "model/record.h"
#include "port/sink.h"
#include "port/source.h"
#include "port/value_codec.h"

namespace millrace::port {

/// What the pipeline file says of a topic.
struct TopicSpec {
  std::string name;
  int32_t partitions = 1;
  std::optional<Duration> retention_time;
  std::optional<int64_t> retention_bytes;  // of a partition
  std::string compression = "none";        // none, gzip, snappy, lz4, zstd
};

struct TopicInfo {
  model::TopicId id;
  std::vector<OffsetRange> partitions;
};

/// Records that were appended together; they have the offsets first, first + 1, ….
struct Appended {
  model::Partition partition;
  model::Offset first;
  size_t count = 0;
};

/// Appends records to one topic. Threading: any thread.
class TopicWriter {
 public:
  virtual ~TopicWriter() = default;
  /// Returns when all are durable. Records with a key go to the key's partition (murmur2, as Kafka's clients do), the others to
  /// `unkeyed`, or one that the writer chooses. Records of one partition keep their order. On an error some may have been taken.
  virtual Result<std::vector<Appended>> append(const std::vector<model::Record>& records,
                                               std::optional<model::Partition> unkeyed = std::nullopt) = 0;
};

/// The output of a query into a topic.
struct TopicSinkSpec {
  std::string topic;
  std::string pipeline;  // with `query`: who writes
  std::string query;
  /// Writes the values; null: JSON objects.
  std::shared_ptr<ValueEncoder> encoder;
  /// The query's input, if that is a consumer group of the same store: its positions join the transaction. It outlives the sink.
  GroupSource* group = nullptr;
};

/// A log that is somewhere else: where the topics of a profile or a connection live. Threading: any thread. Lifetime: outlives
/// what it opens. Errors: kUnavailable, kPermissionDenied (login, rights), kNotFound (no such topic).
class TopicStore {
 public:
  virtual ~TopicStore() = default;
  /// Creates the topic, or checks the one that is there: fewer partitions than declared is kFailedPrecondition, more is fine.
  virtual Result<TopicInfo> declare(const TopicSpec& spec) = 0;
  virtual Result<TopicInfo> describe(const std::string& topic) = 0;
  /// Every partition, from positions that the caller keeps.
  virtual Result<std::unique_ptr<Source>> source(const std::string& topic) = 0;
  /// The partitions that the group gives to this process. kFailedPrecondition when the store has no group (see uses_groups).
  virtual Result<std::unique_ptr<GroupSource>> group_source(const std::string& topic, const std::string& query) = 0;
  /// The options name a consumer group: several processes share the work.
  virtual bool uses_groups() const = 0;
  virtual Result<std::unique_ptr<Sink>> sink(const TopicSinkSpec& spec) = 0;
  virtual Result<std::unique_ptr<TopicWriter>> writer(const std::string& topic) = 0;
};

}  // namespace millrace::port
