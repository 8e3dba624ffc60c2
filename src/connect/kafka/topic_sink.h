#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "connect/kafka/client.h"
#include "connect/kafka/cluster.h"
#include "port/topic_store.h"

struct rd_kafka_error_s;

namespace millrace::connect::kafka {

class KafkaGroupSource;

/// The output topic of a query. Rows are sent at once in a transaction, which ends with the epoch's number: the committed offset
/// of the group `<transactional id>.epochs` for partition 0 of the topic.
///
/// A column named `_key` becomes the record's key and is not part of the value; records with a key go to the key's partition
/// (murmur2), others to the number of their input partition, modulo the count. The record keeps the timestamp of the record it
/// comes from.
class TopicSink : public port::Sink {
 public:
  /// The cluster outlives the sink. Nobody is asked before recover().
  static Result<std::unique_ptr<TopicSink>> open(Cluster& cluster, const port::TopicSinkSpec& spec);
  ~TopicSink() override;

  port::SinkTraits traits() const override;
  Result<port::SinkReport> stage(const model::ColumnBatch& rows, const std::vector<port::RowOrigin>& origins,
                                 bool check_versions) override;
  Status commit(const port::Epoch& epoch, store::Batch& batch) override;
  void abandon() override;
  Result<std::optional<uint64_t>> recover() override;
  void interrupt() override { stop_ = true; }

 private:
  struct Handles;
  struct Row;
  using Call = std::function<rd_kafka_error_s*(int timeout_ms)>;

  TopicSink(Cluster& cluster, const port::TopicSinkSpec& spec, KafkaGroupSource* group);
  /// Begins the transaction if none is open.
  Status begin();
  Result<bool> produce(const Row& row, uint32_t index, port::SinkReport& report);
  Status send_positions(const port::Epoch& epoch);
  /// Calls again while the error is a passing one, for a bounded time.
  Status insist(std::string_view what, int slice_ms, const Call& call);
  Error failure(std::string_view what, const rd_kafka_error_s* error);
  /// Why the library takes nothing more in this transaction.
  Error transaction_failed(int error);

  Cluster& cluster_;
  const port::TopicSinkSpec spec_;
  KafkaGroupSource* const group_;
  const std::string transactional_id_;
  std::unique_ptr<Client> client_;
  std::unique_ptr<Handles> handles_;  // of the client
  int32_t partitions_ = 1;
  bool open_ = false;              // a transaction is
  bool broken_ = true;             // only recover() helps
  std::optional<Error> delivery_;  // the first record that was not taken
  std::atomic<bool> stop_ = false;
};

}  // namespace millrace::connect::kafka
