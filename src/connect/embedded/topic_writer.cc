#include "connect/embedded/topic_writer.h"

namespace millrace::connect::embedded {

Result<std::vector<port::Appended>> TopicWriter::append(const std::vector<model::Record>& records,
                                                        std::optional<model::Partition> unkeyed) {
  // A batch is read and decoded as a whole, so it stays moderate.
  constexpr size_t kBatchRecords = 10'000;
  constexpr size_t kBatchBytes = 4 << 20;
  struct Pending {
    std::vector<model::Record> records;
    size_t bytes = 0;
  };
  int32_t partitions = topic_->partition_count();
  int32_t sticky = (unkeyed ? unkeyed->value : static_cast<int32_t>(turn_++ & 0x7fffffff)) % partitions;
  std::vector<Pending> pending(static_cast<size_t>(partitions));
  std::vector<log::Ticket> tickets;
  std::vector<port::Appended> batches;
  auto write = [&](int32_t partition) -> Status {
    Pending& batch = pending[static_cast<size_t>(partition)];
    if (batch.records.empty()) return {};
    TRY(log::Ticket ticket, topic_->partition(model::Partition(partition)).append_async(batch.records));
    tickets.push_back(ticket);
    batches.push_back({model::Partition(partition), ticket.appended.first_offset, static_cast<size_t>(ticket.appended.count)});
    batch = {};
    return {};
  };
  for (const model::Record& record : records) {
    int32_t partition = record.key ? codec::kafka_record::partition_of_key(*record.key, partitions) : sticky;
    Pending& batch = pending[static_cast<size_t>(partition)];
    batch.bytes += (record.value ? record.value->size() : 0) + (record.key ? record.key->size() : 0);
    batch.records.push_back(record);
    if (batch.records.size() >= kBatchRecords || batch.bytes >= kBatchBytes) TRY_DO(write(partition));
  }
  for (int32_t partition = 0; partition < partitions; ++partition) TRY_DO(write(partition));
  TRY_DO(log::PartitionLog::wait_all(tickets));
  return batches;
}

}  // namespace millrace::connect::embedded
