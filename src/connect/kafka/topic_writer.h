#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "base/mutex.h"
#include "connect/kafka/client.h"
#include "port/topic_store.h"

namespace millrace::connect::kafka {

/// A producer, and the waiting for its reports. Threading: any thread.
class Producer {
 public:
  explicit Producer(std::unique_ptr<Client> client) : client_(std::move(client)) {}
  Client& client() { return *client_; }
  /// Returns when `open` is zero, to which the reports count down. One of those who wait takes the reports of all.
  void wait(const std::atomic<size_t>& open) EXCLUDES(mutex_);

 private:
  const std::unique_ptr<Client> client_;
  Mutex mutex_;
  CondVar polled_;
  bool polling_ GUARDED_BY(mutex_) = false;
};

/// The idempotent producer that the writers of a store share. Threading: any thread.
class SharedProducer {
 public:
  explicit SharedProducer(const KafkaOptions& options) : options_(options) {}
  /// Another one when the last has failed for good; who still holds that may use it up.
  Result<std::shared_ptr<Producer>> get() EXCLUDES(mutex_);

 private:
  const KafkaOptions& options_;
  Mutex mutex_;
  std::shared_ptr<Producer> producer_ GUARDED_BY(mutex_);
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
