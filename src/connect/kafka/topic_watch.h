#pragma once

#include <atomic>
#include <chrono>
#include <optional>
#include <string>

#include "connect/kafka/cluster.h"

namespace millrace::connect::kafka {

/// Whether a topic is still the one that it was. Threading: one thread.
class TopicWatch {
 public:
  TopicWatch(Cluster& cluster, std::string topic) : cluster_(cluster), topic_(std::move(topic)) {}

  /// Asks the cluster. The first answer says which topic it is; kFailedPrecondition when it is gone or another one.
  Result<TopicShape> look(const std::atomic<bool>* stop = nullptr);
  /// It is time to ask again.
  bool due() const { return !known_ || asap_ || std::chrono::steady_clock::now() >= next_; }
  void hurry() { asap_ = true; }
  const std::optional<TopicShape>& known() const { return known_; }
  const std::string& topic() const { return topic_; }

 private:
  static constexpr std::chrono::seconds kInterval{30};

  Cluster& cluster_;
  const std::string topic_;
  std::optional<TopicShape> known_;
  bool asap_ = false;
  std::chrono::steady_clock::time_point next_;
};

}  // namespace millrace::connect::kafka
