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

  /// Asks the cluster. The first answer says which topic it is; kFailedPrecondition when it is another one, or gone for so long
  /// that no start of a broker explains it (kUnavailable before).
  Result<TopicShape> look(const std::atomic<bool>* stop = nullptr);
  /// It is time to ask again.
  bool due() const { return !known_ || asap_ || std::chrono::steady_clock::now() >= next_; }
  void hurry() { asap_ = true; }
  const std::optional<TopicShape>& known() const { return known_; }
  const std::string& topic() const { return topic_; }

 private:
  static constexpr std::chrono::seconds kInterval{30}, kMissingMax{10};

  Cluster& cluster_;
  const std::string topic_;
  std::optional<TopicShape> known_;
  std::optional<std::chrono::steady_clock::time_point> missing_since_;
  bool asap_ = false;
  std::chrono::steady_clock::time_point next_;
};

}  // namespace millrace::connect::kafka
