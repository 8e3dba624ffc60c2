#pragma once

#include <memory>
#include <string>

#include "connect/kafka/cluster.h"
#include "connect/kafka/options.h"
#include "connect/kafka/topic_writer.h"
#include "port/topic_store.h"

namespace millrace::connect::kafka {

/// The topics of a Kafka cluster: `kafka://host:port[,host:port]`.
class KafkaTopics : public port::TopicStore {
 public:
  /// Connects in the background. Errors: kInvalidArgument, as check_options.
  static Result<std::unique_ptr<KafkaTopics>> open(const KafkaOptions& options);

  Result<port::TopicInfo> declare(const port::TopicSpec& spec) override;
  Result<port::TopicInfo> describe(const std::string& topic) override;
  Result<std::unique_ptr<port::Source>> source(const std::string& topic) override;
  Result<std::unique_ptr<port::GroupSource>> group_source(const std::string& topic, const std::string& query) override;
  bool uses_groups() const override;
  Result<std::unique_ptr<port::Sink>> sink(const port::TopicSinkSpec& spec) override;
  Result<std::unique_ptr<port::TopicWriter>> writer(const std::string& topic) override;

 private:
  explicit KafkaTopics(std::unique_ptr<Cluster> cluster) : cluster_(std::move(cluster)), producer_(cluster_->options()) {}

  const std::unique_ptr<Cluster> cluster_;
  SharedProducer producer_;
};

}  // namespace millrace::connect::kafka
