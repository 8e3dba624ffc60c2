#pragma once

#include <atomic>
#include <memory>

#include "log/log.h"
#include "port/topic_store.h"

namespace millrace::connect::embedded {

/// Appends records as a Kafka producer places them: a keyed record goes to its key's partition (murmur2), those without stay
/// together in one partition, another one at each call. Durable means what the topic's sync mode says.
class TopicWriter : public port::TopicWriter {
 public:
  explicit TopicWriter(std::shared_ptr<log::Topic> topic) : topic_(std::move(topic)) {}
  Result<std::vector<port::Appended>> append(const std::vector<model::Record>& records,
                                             std::optional<model::Partition> unkeyed) override;

 private:
  const std::shared_ptr<log::Topic> topic_;
  std::atomic<uint32_t> turn_{0};
};

}  // namespace millrace::connect::embedded
