#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "connect/kafka/fetcher.h"
#include "connect/kafka/topic_watch.h"

namespace millrace::connect::kafka {

/// All partitions of a topic, from positions that the caller keeps.
class KafkaSource : public port::Source {
 public:
  /// The cluster outlives the source.
  static Result<std::unique_ptr<KafkaSource>> open(Cluster& cluster, const std::string& topic);
  ~KafkaSource() override;

  Result<port::SourceInfo> describe() override;
  Result<port::OffsetRange> bounds(model::Partition partition) override;
  Status seek(model::Partition partition, model::Offset offset) override;
  Result<std::vector<model::RecordRun>> poll(const port::PollLimit& limit, Duration wait) override;
  void wake() override;

 private:
  struct Handles;
  KafkaSource(Cluster& cluster, std::unique_ptr<Client> client, const std::string& topic);

  /// The topic is looked at when it is time, and partitions that nobody reads yet are begun.
  Status refresh();
  bool reading(int32_t partition) const {
    return static_cast<size_t>(partition) < started_.size() && started_[static_cast<size_t>(partition)];
  }
  Status start(int32_t partition, int64_t offset);
  void stop(int32_t partition);

  Cluster& cluster_;
  std::unique_ptr<Client> client_;
  std::unique_ptr<Handles> handles_;
  Fetcher fetcher_;
  TopicWatch watch_;
  std::atomic<bool> woken_ = false;
  std::vector<bool> started_;  // by partition
};

}  // namespace millrace::connect::kafka
