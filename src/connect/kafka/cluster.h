#pragma once

#include <atomic>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "connect/kafka/client.h"
#include "port/topic_store.h"

namespace millrace::connect::kafka {

struct TopicShape {
  model::TopicId id;
  int32_t partitions = 0;
};

/// The id of a topic whose broker gives none: the same for the same name in the same cluster.
model::TopicId derived_topic_id(std::string_view cluster, std::string_view topic);

/// What is asked of the cluster as a whole. Threading: any thread. Every call ends within some twenty seconds.
class Cluster {
 public:
  static Result<std::unique_ptr<Cluster>> open(const KafkaOptions& options);

  const KafkaOptions& options() const { return options_; }
  bool read_committed() const { return read_committed_; }

  /// kNotFound when there is no such topic. `stop` ends the wait with kCancelled.
  Result<TopicShape> shape(const std::string& topic, const std::atomic<bool>* stop = nullptr);
  /// kAlreadyExists when there is one.
  Status create(const port::TopicSpec& spec);
  /// Of the partitions first, first + 1, …
  Result<std::vector<port::OffsetRange>> ranges(const std::string& topic, int32_t first, int32_t count);
  /// The offset that the group has committed; waits for a transaction that would change it.
  Result<std::optional<int64_t>> committed(const std::string& group, const std::string& topic, int32_t partition);

 private:
  explicit Cluster(KafkaOptions options);
  Result<std::shared_ptr<Client>> reach(std::string_view what, const std::atomic<bool>* stop = nullptr);

  const KafkaOptions options_;
  const bool read_committed_;
  Mutex mutex_;
  std::shared_ptr<Client> client_ GUARDED_BY(mutex_);
};

}  // namespace millrace::connect::kafka
