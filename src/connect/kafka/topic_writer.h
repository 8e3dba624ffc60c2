#pragma once

#include <memory>
#include <string>

#include "base/mutex.h"
#include "connect/kafka/client.h"
#include "port/topic_store.h"

namespace millrace::connect::kafka {

/// The idempotent producer that the writers of a store share. Threading: any thread.
class SharedProducer {
 public:
  explicit SharedProducer(const KafkaOptions& options) : options_(options) {}
  /// Another one when the last has failed for good; who still holds that may use it up.
  Result<std::shared_ptr<Client>> get() EXCLUDES(mutex_);

 private:
  const KafkaOptions& options_;
  Mutex mutex_;
  std::shared_ptr<Client> client_ GUARDED_BY(mutex_);
};

class KafkaTopicWriter : public port::TopicWriter {
 public:
  KafkaTopicWriter(SharedProducer& producer, std::string topic) : producer_(producer), topic_(std::move(topic)) {}
  Result<std::vector<port::Appended>> append(const std::vector<model::Record>& records,
                                             std::optional<model::Partition> unkeyed) override;

 private:
  SharedProducer& producer_;
  const std::string topic_;
};

}  // namespace millrace::connect::kafka
