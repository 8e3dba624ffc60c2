#include "connect/kafka/runs.h"

#include <cstring>

namespace millrace::connect::kafka {

/// What the runs of one poll point into.
struct RunBuilder::Memory {
  explicit Memory(std::shared_ptr<BlockPool> from) : pool(std::move(from)) {}
  ~Memory() {
    for (auto& block : blocks) pool->give(std::move(block));
  }
  std::shared_ptr<BlockPool> pool;
  std::vector<std::unique_ptr<char[]>> blocks;
  std::vector<std::unique_ptr<char[]>> large;  // of one record each
};

std::unique_ptr<char[]> BlockPool::take() {
  {
    MutexLock lock(mutex_);
    if (!free_.empty()) {
      auto block = std::move(free_.back());
      free_.pop_back();
      return block;
    }
  }
  auto block = std::make_unique_for_overwrite<char[]>(kBlockBytes);
  std::memset(block.get() + kBlockBytes - kReadAheadBytes, 0, kReadAheadBytes);
  return block;
}

void BlockPool::give(std::unique_ptr<char[]> block) {
  MutexLock lock(mutex_);
  if (free_.size() < kFreeMax) free_.push_back(std::move(block));
}

RunBuilder::RunBuilder() : memory_(std::make_shared<Memory>(pool_)) {}

RunBuilder::Slot& RunBuilder::slot(int32_t partition) {
  if (static_cast<size_t>(partition) >= slots_.size()) slots_.resize(static_cast<size_t>(partition) + 1);
  return slots_[static_cast<size_t>(partition)];
}

std::optional<int64_t> RunBuilder::position(int32_t partition) const {
  return static_cast<size_t>(partition) < slots_.size() ? slots_[static_cast<size_t>(partition)].position : std::nullopt;
}

char* RunBuilder::room(size_t bytes) {
  if (bytes + kReadAheadBytes > kBlockBytes) {
    auto& block = memory_->large.emplace_back(std::make_unique_for_overwrite<char[]>(bytes + kReadAheadBytes));
    std::memset(block.get() + bytes, 0, kReadAheadBytes);
    return block.get();
  }
  if (bytes + kReadAheadBytes > left_) {
    free_ = memory_->blocks.emplace_back(pool_->take()).get();
    left_ = kBlockBytes;
  }
  char* place = free_;
  free_ += bytes;
  left_ -= bytes;
  return place;
}

std::string_view RunBuilder::keep(std::string_view bytes) {
  char* place = room(bytes.size());
  std::memcpy(place, bytes.data(), bytes.size());
  bytes_ += bytes.size();
  return {place, bytes.size()};
}

model::RecordView& RunBuilder::add(int32_t partition, int64_t offset, int64_t timestamp_ms, std::optional<std::string_view> key,
                                   std::optional<std::string_view> value) {
  // A record without headers has the count 0 there.
  static constexpr char kNoHeaders[1] = {0};
  Slot& to = slot(partition);
  if (to.records.empty()) to.records.reserve(to.last_count);
  model::RecordView& record = to.records.emplace_back();
  record.offset = model::Offset(offset);
  record.timestamp_ms = timestamp_ms;
  if (key) record.key = keep(*key);
  if (value) record.value = keep(*value);
  record.raw_headers = {kNoHeaders, 1};
  to.position = offset + 1;
  ++records_;
  return record;
}

void RunBuilder::reached(int32_t partition, int64_t offset) {
  Slot& to = slot(partition);
  if (to.position.value_or(0) >= offset) return;
  to.position = offset;
  to.moved = moved_ = true;
}

std::vector<model::RecordRun> RunBuilder::take() {
  std::vector<model::RecordRun> runs;
  for (size_t p = 0; p < slots_.size(); ++p) {
    Slot& from = slots_[p];
    if (from.records.empty() && !from.moved) continue;
    model::RecordRun& run = runs.emplace_back();
    run.partition = model::Partition(static_cast<int32_t>(p));
    run.next = model::Offset(*from.position);
    run.owner = memory_;
    run.version_floor = from.version_floor;
    from.last_count = from.records.size();
    run.records = std::exchange(from.records, {});
    from.moved = false;
  }
  memory_ = std::make_shared<Memory>(pool_);
  free_ = nullptr;
  left_ = records_ = bytes_ = 0;
  moved_ = false;
  return runs;
}

}  // namespace millrace::connect::kafka
