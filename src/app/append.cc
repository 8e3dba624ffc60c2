#include "app/append.h"

namespace millrace::app {

Result<std::vector<AppendedBatch>> append_records(log::Topic& topic, std::vector<model::Record> records, int32_t sticky) {
  // A batch is read and decoded as a whole, so it stays moderate.
  constexpr size_t kBatchRecords = 10'000;
  constexpr size_t kBatchBytes = 4 << 20;
  struct Pending {
    std::vector<model::Record> records;
    size_t bytes = 0;
  };
  int32_t partitions = topic.partition_count();
  std::vector<Pending> pending(static_cast<size_t>(partitions));
  std::vector<log::Ticket> tickets;
  std::vector<AppendedBatch> batches;
  auto write = [&](int32_t partition) -> Status {
    Pending& batch = pending[static_cast<size_t>(partition)];
    if (batch.records.empty()) return {};
    TRY(log::Ticket ticket, topic.partition(model::Partition(partition)).append_async(batch.records));
    tickets.push_back(ticket);
    batches.push_back({partition, ticket.appended.first_offset.value, ticket.appended.count});
    batch = {};
    return {};
  };
  for (model::Record& record : records) {
    int32_t partition = record.key ? codec::kafka_record::partition_of_key(*record.key, partitions) : sticky % partitions;
    Pending& batch = pending[static_cast<size_t>(partition)];
    batch.bytes += (record.value ? record.value->size() : 0) + (record.key ? record.key->size() : 0);
    batch.records.push_back(std::move(record));
    if (batch.records.size() >= kBatchRecords || batch.bytes >= kBatchBytes) TRY_DO(write(partition));
  }
  for (int32_t partition = 0; partition < partitions; ++partition) TRY_DO(write(partition));
  TRY_DO(log::PartitionLog::wait_all(tickets));
  return batches;
}

}  // namespace millrace::app
