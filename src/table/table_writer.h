#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "model/column.h"
#include "store/store.h"
#include "table/row_codec.h"
#include "table/table.h"

namespace millrace::table {

/// One entry a row of the batch it comes with.
struct RowStamps {
  std::span<const uint64_t> versions;          // microseconds; the highest version of a key wins
  std::span<const int64_t> timestamps_micros;  // of the record; the TTL counts from it. May be empty for a table without TTL
  std::span<const uint8_t> erased;             // not 0: the row says that its key is deleted. May be empty
};

/// Bytes of encoded rows outside of any allocation of their own.
class RowArena {
 public:
  /// Room for `size` bytes, of which `advance` keeps some.
  char* reserve(size_t size) {
    if (size > left_) grow(size);
    return next_;
  }
  void advance(size_t used) {
    next_ += used;
    left_ -= used;
    used_ += used;
  }
  size_t used_bytes() const { return used_; }
  void clear();

 private:
  void grow(size_t size);

  std::vector<std::unique_ptr<char[]>> blocks_;
  char* next_ = nullptr;
  size_t left_ = 0;
  size_t used_ = 0;
};

/// Collects the rows of one epoch for one table, encoded. Threading: one thread.
class TableWriter {
 public:
  struct RowFault {
    uint32_t row;  // of the batch
    std::string message;
  };
  struct Report {
    std::vector<RowFault> faults;   // not written: a NULL in the key, a key that is too long
    std::vector<uint32_t> expired;  // not written: already past the table's TTL
  };

  explicit TableWriter(std::shared_ptr<const Table> table);

  /// `source[c]` is the batch's column for the table's column c, or kNoColumn for NULLs. Without it the batch has the table's
  /// columns in their order (appended ones may be missing). kInvalidArgument when it has not one entry for each of the table's
  /// columns.
  static constexpr size_t kNoColumn = SIZE_MAX;
  Status set_source(std::vector<size_t> source);

  /// Encodes the rows; views need not outlive the call. Errors: kInvalidArgument (a type differs): nothing is taken.
  Result<Report> add(const model::ColumnBatch& rows, const RowStamps& stamps, Instant now);

  /// Removes the rows for which the store has a newer version. Returns their numbers, counted over all rows given to `add`.
  Result<std::vector<uint32_t>> drop_superseded(store::Store& store, const store::Snapshot* snapshot = nullptr);

  /// Hands the rows over in key order; of rows with one key the highest version is kept, of equal versions the last.
  /// The writer must stay as it is until the batch is committed.
  void add_to(store::Batch& batch);

  /// Rows taken and not dropped; before duplicates are removed.
  size_t rows() const { return rows_.size(); }
  /// Memory in use.
  size_t bytes() const { return arena_.used_bytes() + rows_.size() * sizeof(Row); }
  /// Forgets all rows and starts to count them anew.
  void clear();

 private:
  struct Row {
    const char* key;  // the value follows it
    uint32_t key_size;
    uint32_t value_size;
    uint32_t number;

    std::string_view key_view() const { return {key, key_size}; }
    std::string_view value_view() const { return {key + key_size, value_size}; }
    uint64_t version() const;
  };

  Status bind(const model::ColumnBatch& batch);
  /// At most how many bytes the row's key takes; 0 when it cannot be stored, and `report` says why.
  size_t key_bound(size_t row, Report& report) const;
  std::vector<std::string_view> keys() const;
  void encode(size_t row, const RowHeader& header, size_t key_bound);

  std::shared_ptr<const Table> table_;
  std::vector<size_t> source_;
  std::vector<const model::Column*> key_;     // bound to the batch in hand
  std::vector<const model::Column*> values_;  // bound to the batch in hand
  RowArena arena_;
  std::vector<Row> rows_;
  uint32_t seen_ = 0;
};

}  // namespace millrace::table
