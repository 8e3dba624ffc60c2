#include "connect/embedded/topic_sink.h"

#include "base/check.h"
#include "format/json_write.h"

namespace millrace::connect::embedded {

namespace {
constexpr size_t kBatchRecords = 4096;
constexpr std::string_view kKeyColumn = "_key";
}  // namespace

TopicSink::TopicSink(std::shared_ptr<log::Topic> topic, std::string query)
    : topic_(std::move(topic)), query_(std::move(query)), pending_(static_cast<size_t>(topic_->partition_count())) {}

Result<port::SinkReport> TopicSink::stage(const model::ColumnBatch& rows, const std::vector<port::RowOrigin>& origins, bool) {
  if (abandoned_) TRY_DO(cut_uncommitted());
  std::optional<size_t> key = rows.schema->find(kKeyColumn);
  model::ColumnBatch values = rows;
  if (key) {
    auto schema = std::make_shared<model::Schema>(*rows.schema);
    schema->fields.erase(schema->fields.begin() + static_cast<ptrdiff_t>(*key));
    values.schema = std::move(schema);
    values.columns.erase(values.columns.begin() + static_cast<ptrdiff_t>(*key));
  }
  for (size_t i = 0; i < rows.rows; ++i) {
    model::Record record;
    record.timestamp_ms = origins[i].timestamp_ms;
    format::append_row_json(record.value.emplace(), values, i);
    int32_t partition = origins[i].partition % topic_->partition_count();
    if (key && !rows.columns[*key].is_null(i)) {
      std::string& text = record.key.emplace();
      const model::Column& column = rows.columns[*key];
      if (column.type->id == model::TypeId::kText || column.type->id == model::TypeId::kBlob) {
        text = column.text(i);
      } else {
        format::append_value_text(text, column, i);
      }
      partition = codec::kafka_record::partition_of_key(text, topic_->partition_count());
    }
    auto& pending = pending_[static_cast<size_t>(partition)];
    pending.push_back(std::move(record));
    if (pending.size() >= kBatchRecords) TRY_DO(append_pending(static_cast<size_t>(partition)));
  }
  return port::SinkReport{};
}

Status TopicSink::append_pending(size_t partition) {
  auto& pending = pending_[partition];
  if (pending.empty()) return {};
  TRY(log::Ticket ticket, topic_->partition(model::Partition(static_cast<int32_t>(partition))).append_async(pending, query_));
  tickets_.push_back(ticket);
  pending.clear();
  return {};
}

Status TopicSink::commit(const port::Epoch&, store::Batch& batch) {
  for (size_t partition = 0; partition < pending_.size(); ++partition) TRY_DO(append_pending(partition));
  TRY_DO(log::PartitionLog::wait_all(tickets_));
  for (const log::Ticket& ticket : tickets_) ticket.partition->put_visible_end(batch, ticket.end);
  return {};
}

void TopicSink::committed() {
  for (const log::Ticket& ticket : tickets_) {
    Status moved = ticket.partition->set_visible_end(ticket.end);
    CHECK(moved.has_value() || moved.error().code == Errc::kNotFound || moved.error().code == Errc::kCancelled,
          "a committed end is durable");
  }
  tickets_.clear();
}

void TopicSink::abandon() {
  for (auto& pending : pending_) pending.clear();
  tickets_.clear();
  abandoned_ = true;
}

Status TopicSink::cut_uncommitted() {
  for (int32_t p = 0; p < topic_->partition_count(); ++p) {
    log::PartitionLog& partition = topic_->partition(model::Partition(p));
    if (partition.log_end_offset() != partition.end_offset()) TRY_DO(partition.cut_to(partition.end_offset()));
  }
  abandoned_ = false;
  return {};
}

}  // namespace millrace::connect::embedded
