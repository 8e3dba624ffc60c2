#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "model/record.h"

namespace millrace::connect::kafka {

/// Bytes that may be read behind a value (simdjson reads ahead).
inline constexpr size_t kReadAheadBytes = 64;
inline constexpr size_t kBlockBytes = 512 << 10;

/// Blocks of memory that go round: the system hands out pages slower than Kafka hands out records. Threading: any thread.
class BlockPool {
 public:
  std::unique_ptr<char[]> take() EXCLUDES(mutex_);
  void give(std::unique_ptr<char[]> block) EXCLUDES(mutex_);

 private:
  static constexpr size_t kFreeMax = 128;
  Mutex mutex_;
  std::vector<std::unique_ptr<char[]>> free_ GUARDED_BY(mutex_);
};

/// Copies what a poll brings into blocks and makes the runs. Threading: one thread.
class RunBuilder {
 public:
  RunBuilder();

  /// Where the partition is read on: what lies before is known to the caller.
  void set_position(int32_t partition, int64_t offset) { slot(partition).position = offset; }
  std::optional<int64_t> position(int32_t partition) const;
  void set_version_floor(int32_t partition, uint64_t version) { slot(partition).version_floor = version; }
  void drop(int32_t partition) { slot(partition) = {}; }

  /// The next record of its partition.
  model::RecordView& add(int32_t partition, int64_t offset, int64_t timestamp_ms, std::optional<std::string_view> key,
                         std::optional<std::string_view> value);
  /// Keeps a copy, for the headers of the record that came last.
  std::string_view keep(std::string_view bytes);
  /// The partition has been read up to `offset`, be there records before it or not.
  void reached(int32_t partition, int64_t offset);

  size_t records() const { return records_; }
  size_t bytes() const { return bytes_; }
  /// Some partition has records, or has moved on.
  bool any() const { return records_ > 0 || moved_; }
  /// By partition; a run without records says that the partition was read up to `next`. Begins anew.
  std::vector<model::RecordRun> take();

 private:
  struct Slot {
    std::vector<model::RecordView> records;
    std::optional<int64_t> position;
    bool moved = false;
    uint64_t version_floor = 0;
    size_t last_count = 0;  // how many records to make room for
  };
  struct Memory;

  Slot& slot(int32_t partition);
  /// Room for `bytes` and the bytes read ahead.
  char* room(size_t bytes);

  std::shared_ptr<BlockPool> pool_ = std::make_shared<BlockPool>();
  std::vector<Slot> slots_;
  std::shared_ptr<Memory> memory_;
  char* free_ = nullptr;
  size_t left_ = 0;
  size_t records_ = 0;
  size_t bytes_ = 0;
  bool moved_ = false;
};

}  // namespace millrace::connect::kafka
