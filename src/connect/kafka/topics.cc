#include "connect/kafka/topics.h"

#include <fmt/format.h>

#include <chrono>
#include <thread>

#include "connect/kafka/group_source.h"
#include "connect/kafka/source.h"
#include "connect/kafka/topic_sink.h"

namespace millrace::connect::kafka {

Result<std::unique_ptr<KafkaTopics>> KafkaTopics::open(const KafkaOptions& options) {
  TRY_DO(check_options(options.url, options.options));
  TRY(std::unique_ptr<Cluster> cluster, Cluster::open(options));
  return std::unique_ptr<KafkaTopics>(new KafkaTopics(std::move(cluster)));
}

Result<port::TopicInfo> KafkaTopics::declare(const port::TopicSpec& spec) {
  auto info = describe(spec.name);
  if (!info && info.error().code == Errc::kNotFound) {
    Status created = cluster_->create(spec);
    if (!created && created.error().code != Errc::kAlreadyExists) return fail(created.error());
    // The controller answers before every broker knows of the topic.
    auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds(10);
    while (!(info = describe(spec.name)) && std::chrono::steady_clock::now() < deadline) {
      std::this_thread::sleep_for(std::chrono::milliseconds(50));
    }
  }
  if (!info) return info;
  auto partitions = static_cast<int32_t>(info->partitions.size());
  if (partitions < spec.partitions) {
    return fail(Errc::kFailedPrecondition,
                fmt::format("topic {} has {} partitions, and {} are declared", spec.name, partitions, spec.partitions),
                fmt::format("kafka-topics --bootstrap-server … --alter --topic {} --partitions {}", spec.name, spec.partitions));
  }
  return info;
}

Result<port::TopicInfo> KafkaTopics::describe(const std::string& topic) {
  TRY(TopicShape shape, cluster_->shape(topic));
  TRY(auto ranges, cluster_->ranges(topic, 0, shape.partitions));
  return port::TopicInfo{.id = shape.id, .partitions = std::move(ranges)};
}

Result<std::unique_ptr<port::Source>> KafkaTopics::source(const std::string& topic) {
  return KafkaSource::open(*cluster_, topic);
}

Result<std::unique_ptr<port::GroupSource>> KafkaTopics::group_source(const std::string& topic, const std::string& query) {
  return KafkaGroupSource::open(*cluster_, topic, query);
}

bool KafkaTopics::uses_groups() const { return cluster_->options().options.contains("group.id"); }

Result<std::unique_ptr<port::Sink>> KafkaTopics::sink(const port::TopicSinkSpec& spec) {
  return TopicSink::open(*cluster_, spec);
}

Result<std::unique_ptr<port::TopicWriter>> KafkaTopics::writer(const std::string& topic) {
  TRY_DO(cluster_->shape(topic));
  return std::make_unique<KafkaTopicWriter>(producer_, topic);
}

}  // namespace millrace::connect::kafka
