#pragma once

#include <optional>

#include "connect/kafka/client.h"
#include "connect/kafka/cluster.h"
#include "connect/kafka/runs.h"
#include "port/source.h"

struct rd_kafka_queue_s;
struct rd_kafka_message_s;

namespace millrace::connect::kafka {

/// The settings of every consumer: quick to answer, and with enough in hand to keep a core busy.
Client::Settings consumer_defaults();
/// What a pipeline file cannot change.
Client::Settings consumer_fixed();

/// Takes records from a queue of librdkafka and makes runs of them. Threading: one thread, but for wake().
class Fetcher {
 public:
  Fetcher(Client& client, std::string topic);
  ~Fetcher();

  rd_kafka_queue_s* queue() const { return queue_; }
  RunBuilder& runs() { return runs_; }
  /// Waits up to `wait` for the first record, or until a partition has moved on, then takes what is there.
  void gather(const port::PollLimit& limit, Duration wait);
  /// A message that came by another queue: a record, the end of a partition, or what keeps it from being read.
  void deliver(const rd_kafka_message_s& message);
  /// Ends a gather that waits, and else the next one.
  void wake();

  /// The topic may be gone: somebody should look.
  bool take_doubt() { return std::exchange(doubt_, false); }
  /// A partition whose position is not kept any more; until forgive().
  std::optional<int32_t> out_of_range() const { return out_of_range_; }
  /// What keeps a partition from being read, apart from that; told once.
  std::optional<Error> take_error() { return std::exchange(error_, std::nullopt); }
  void forgive(int32_t partition) {
    if (out_of_range_ == partition) out_of_range_.reset();
  }

 private:
  static void on_message(rd_kafka_message_s* message, void* self);
  void take(const rd_kafka_message_s& message);
  void take_headers(const rd_kafka_message_s& message, model::RecordView& record);
  void note(const rd_kafka_message_s& message);
  bool full() const { return runs_.records() >= limit_.records_max || runs_.bytes() >= limit_.bytes_max; }

  Client& client_;
  const std::string topic_;
  rd_kafka_queue_s* queue_;
  RunBuilder runs_;
  port::PollLimit limit_;
  bool doubt_ = false;
  std::optional<int32_t> out_of_range_;
  std::optional<Error> error_;
  std::string headers_;  // scratch
};

/// The error for a position that is not kept: how much is gone and what is there.
Error out_of_range(std::string_view topic, int32_t partition, int64_t offset, const port::OffsetRange& kept);

}  // namespace millrace::connect::kafka
