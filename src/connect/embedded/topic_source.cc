#include "connect/embedded/topic_source.h"

#include <algorithm>
#include <iterator>

namespace millrace::connect::embedded {
namespace {

// One partition's turn: small enough that what was read is still in the processor's cache when it is decoded.
constexpr size_t kTurnBytes = 4 << 20;

}  // namespace

TopicSource::TopicSource(std::shared_ptr<log::Topic> topic) : topic_(std::move(topic)) {
  for (int32_t i = 0; i < topic_->partition_count(); ++i) {
    log::PartitionLog& partition = topic_->partition(model::Partition(i));
    positions_.push_back(partition.start_offset());
    partition.attach(waiter_);
  }
}

TopicSource::~TopicSource() {
  for (int32_t i = 0; i < topic_->partition_count(); ++i) topic_->partition(model::Partition(i)).detach(waiter_);
}

Result<port::SourceInfo> TopicSource::describe() { return port::SourceInfo{topic_->id(), topic_->partition_count(), true}; }

Status TopicSource::check(model::Partition partition) const {
  if (partition.value >= 0 && partition.value < topic_->partition_count()) return {};
  return fail(Errc::kInvalidArgument, "topic " + topic_->name() + " has no partition " + std::to_string(partition.value));
}

Result<port::OffsetRange> TopicSource::bounds(model::Partition partition) {
  TRY_DO(check(partition));
  log::PartitionLog& log = topic_->partition(partition);
  return port::OffsetRange{log.start_offset(), log.end_offset()};
}

Status TopicSource::seek(model::Partition partition, model::Offset offset) {
  TRY_DO(check(partition));
  // Reading nothing tells whether the offset is kept.
  TRY_DO(topic_->partition(partition).read(offset, 0, 0));
  positions_[static_cast<size_t>(partition.value)] = offset;
  return {};
}

Result<std::vector<model::RecordRun>> TopicSource::poll(const port::PollLimit& limit, Duration wait) {
  uint64_t woken = wakes_.load();
  uint64_t seen = waiter_.signals();
  TRY(auto runs, take(limit));
  if (!runs.empty() || wait.count() <= 0 || woken != answered_wakes_) {
    answered_wakes_ = woken;
    return runs;
  }
  waiter_.wait(seen, wait);
  answered_wakes_ = wakes_.load();
  return take(limit);
}

Result<std::vector<model::RecordRun>> TopicSource::take(const port::PollLimit& limit) {
  size_t partitions = positions_.size();
  std::vector<std::vector<model::RecordRun>> by_partition(partitions);
  size_t records_left = limit.records_max;
  size_t bytes_left = limit.bytes_max;
  for (size_t dry = 0; dry < partitions && records_left > 0 && bytes_left > 0; turn_ = (turn_ + 1) % partitions) {
    model::Offset& position = positions_[turn_];
    log::PartitionLog& partition = topic_->partition(model::Partition(static_cast<int32_t>(turn_)));
    TRY(auto run, partition.read(position, std::min(bytes_left, kTurnBytes), records_left));
    bool moved = run.next != position;
    dry = moved ? 0 : dry + 1;
    position = run.next;
    // Offsets without records are handed on, too: the position must pass them, or they would count as in flight for ever.
    if (!moved) continue;
    size_t bytes = run.records.size() * sizeof(model::RecordView);
    for (const model::RecordView& record : run.records) {
      bytes += record.key.value_or("").size() + record.value.value_or("").size() + record.raw_headers.size();
    }
    bytes_left -= std::min(bytes, bytes_left);
    records_left -= run.records.size();
    by_partition[turn_].push_back(std::move(run));
  }
  std::vector<model::RecordRun> runs;
  for (auto& of_one : by_partition) std::move(of_one.begin(), of_one.end(), std::back_inserter(runs));
  return runs;
}

void TopicSource::wake() {
  ++wakes_;
  waiter_.signal();
}

}  // namespace millrace::connect::embedded
