#pragma once

#include <memory>
#include <string>
#include <vector>

#include "log/log.h"
#include "port/sink.h"

namespace millrace::connect::embedded {

/// The output topic of a query. Rows are appended as JSON objects, durable before the epoch's commit,
/// and visible after it; recovery cuts what was appended but never committed.
///
/// A column named `_key` becomes the record's key and is not part of the object; records with a key go to the key's partition,
/// others stay in the order of their input partition. The record keeps the timestamp of the record it comes from.
class TopicSink : public port::Sink {
 public:
  /// `query` is the topic's owner.
  TopicSink(std::shared_ptr<log::Topic> topic, std::string query);

  port::SinkTraits traits() const override { return {.durability = store::Durability::kSync}; }
  Result<port::SinkReport> stage(const model::ColumnBatch& rows, const std::vector<port::RowOrigin>& origins,
                                 bool check_versions) override;
  Status commit(const port::Epoch& epoch, store::Batch& batch) override;
  void committed() override;
  void abandon() override;

 private:
  Status append_pending(size_t partition);
  Status cut_uncommitted();

  std::shared_ptr<log::Topic> topic_;
  const std::string query_;
  std::vector<std::vector<model::Record>> pending_;  // by output partition, at most kBatchRecords each
  std::vector<log::Ticket> tickets_;                 // appended in this epoch
  bool abandoned_ = false;                           // output of an abandoned epoch is still behind the visible end
};

}  // namespace millrace::connect::embedded
