#pragma once

#include <atomic>
#include <functional>
#include <map>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "connect/kafka/fetcher.h"
#include "connect/kafka/topic_watch.h"

struct rd_kafka_topic_partition_list_s;
struct rd_kafka_consumer_group_metadata_s;

namespace millrace::connect::kafka {

/// What stands beside a committed offset: `v1 <version> <topic id>`.
struct CommitNote {
  uint64_t version = 0;
  std::optional<model::TopicId> topic;
  friend bool operator==(const CommitNote&, const CommitNote&) = default;
};
std::string write_commit_note(const CommitNote& note);
/// What another program wrote is no note: version 0, no topic.
CommitNote read_commit_note(std::string_view text);

/// The partitions that a consumer group gives to this process.
class KafkaGroupSource : public port::GroupSource {
 public:
  /// The cluster outlives the source.
  static Result<std::unique_ptr<KafkaGroupSource>> open(Cluster& cluster, const std::string& topic, const std::string& query);
  ~KafkaGroupSource() override;

  Result<port::SourceInfo> describe() override;
  Result<port::OffsetRange> bounds(model::Partition partition) override;
  Status seek(model::Partition partition, model::Offset offset) override;
  Result<std::vector<model::RecordRun>> poll(const port::PollLimit& limit, Duration wait) override;
  void wake() override;
  Status commit(const std::vector<port::PartitionEnd>& ends) override;
  Status rewind() override;
  std::vector<model::Partition> owned() override;

  /// For a sink whose transaction carries the positions: `send` puts them there, under this membership.
  using Send = std::function<Status(const rd_kafka_topic_partition_list_s*, const rd_kafka_consumer_group_metadata_s*)>;
  Status join_transaction(const std::vector<port::PartitionEnd>& ends, const Send& send);
  /// The transaction is committed: a commit of the same ends has nothing left to do.
  void transacted(const std::vector<port::PartitionEnd>& ends) { transacted_ = ends; }

 private:
  struct Pending;
  KafkaGroupSource(Cluster& cluster, const std::string& topic);

  static void on_rebalance(rd_kafka_s* rk, int error, rd_kafka_topic_partition_list_s* partitions, void* opaque);
  static void on_queued(rd_kafka_s* rk, void* self);
  void rebalance(int error, rd_kafka_topic_partition_list_s* partitions);
  Status carry_out();
  Status assign(rd_kafka_topic_partition_list_s* partitions);
  Status accept(const rd_kafka_topic_partition_list_s* partitions);
  void unassign(const rd_kafka_topic_partition_list_s* partitions);
  /// Puts the committed offsets into the list, and notes versions and positions.
  Status load_committed(rd_kafka_topic_partition_list_s* partitions);
  bool owns(int32_t partition);
  Status serve_group();
  Status check_owned(const std::vector<port::PartitionEnd>& ends) EXCLUDES(mutex_);
  Status refresh();

  Cluster& cluster_;
  const std::string topic_;
  TopicWatch watch_;
  std::unique_ptr<Client> client_;
  std::unique_ptr<Fetcher> fetcher_;
  std::unique_ptr<Pending> pending_;  // a change of the assignment that waits for its time
  bool announced_ = false;            // a poll has returned nothing because of it
  bool closing_ = false;
  std::vector<port::PartitionEnd> transacted_;
  std::atomic<bool> woken_ = false;
  mutable Mutex mutex_;
  std::set<int32_t> owned_ GUARDED_BY(mutex_);
};

}  // namespace millrace::connect::kafka
