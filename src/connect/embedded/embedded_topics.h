#pragma once

#include "log/log.h"
#include "port/topic_store.h"

namespace millrace::connect::embedded {

/// The embedded log behind the seam that a Kafka cluster stands behind, too. Lifetime: the Log outlives it.
class EmbeddedTopics : public port::TopicStore {
 public:
  explicit EmbeddedTopics(log::Log& log) : log_(log) {}

  Result<port::TopicInfo> declare(const port::TopicSpec& spec) override;
  Result<port::TopicInfo> describe(const std::string& topic) override;
  Result<std::unique_ptr<port::Source>> source(const std::string& topic) override;
  /// The log is one process's: kFailedPrecondition.
  Result<std::unique_ptr<port::GroupSource>> group_source(const std::string& topic, const std::string& query) override;
  bool uses_groups() const override { return false; }
  Result<std::unique_ptr<port::Sink>> sink(const port::TopicSinkSpec& spec) override;
  Result<std::unique_ptr<port::TopicWriter>> writer(const std::string& topic) override;

 private:
  Result<std::shared_ptr<log::Topic>> find(const std::string& topic);

  log::Log& log_;
};

}  // namespace millrace::connect::embedded
