#include "connect/embedded/embedded_topics.h"

#include <fmt/format.h>

#include "connect/embedded/topic_sink.h"
#include "connect/embedded/topic_source.h"
#include "connect/embedded/topic_writer.h"

namespace millrace::connect::embedded {

Result<std::shared_ptr<log::Topic>> EmbeddedTopics::find(const std::string& name) {
  auto topic = log_.find(name);
  if (topic == nullptr) return fail(Errc::kNotFound, fmt::format("topic {} does not exist", name));
  return topic;
}

Result<port::TopicInfo> EmbeddedTopics::declare(const port::TopicSpec& spec) {
  if (auto topic = log_.find(spec.name)) {
    if (topic->partition_count() != spec.partitions) {
      return fail(Errc::kFailedPrecondition, fmt::format("topic {} has {} partitions, {} are declared", spec.name,
                                                         topic->partition_count(), spec.partitions));
    }
    return describe(spec.name);
  }
  log::TopicSettings settings;
  settings.partitions = spec.partitions;
  if (auto compression = codec::kafka_record::parse_compression(spec.compression)) settings.compression = *compression;
  if (spec.retention_time)
    settings.retention_ms = std::chrono::duration_cast<std::chrono::milliseconds>(*spec.retention_time).count();
  if (spec.retention_bytes) settings.retention_bytes = static_cast<uint64_t>(*spec.retention_bytes);
  TRY_DO(log_.create(spec.name, settings));
  return describe(spec.name);
}

Result<port::TopicInfo> EmbeddedTopics::describe(const std::string& name) {
  TRY(auto topic, find(name));
  port::TopicInfo info{topic->id(), {}};
  for (int32_t p = 0; p < topic->partition_count(); ++p) {
    log::PartitionLog& partition = topic->partition(model::Partition(p));
    info.partitions.push_back({partition.start_offset(), partition.end_offset()});
  }
  return info;
}

Result<std::unique_ptr<port::Source>> EmbeddedTopics::source(const std::string& name) {
  TRY(auto topic, find(name));
  return std::make_unique<TopicSource>(topic);
}

Result<std::unique_ptr<port::GroupSource>> EmbeddedTopics::group_source(const std::string& topic, const std::string&) {
  return fail(Errc::kFailedPrecondition, fmt::format("topic {} is in the embedded log, which has no consumer groups", topic));
}

Result<std::unique_ptr<port::Sink>> EmbeddedTopics::sink(const port::TopicSinkSpec& spec) {
  TRY(auto topic, find(spec.topic));
  return std::make_unique<TopicSink>(topic, spec.query);
}

Result<std::unique_ptr<port::TopicWriter>> EmbeddedTopics::writer(const std::string& name) {
  TRY(auto topic, find(name));
  return std::make_unique<TopicWriter>(topic);
}

}  // namespace millrace::connect::embedded
