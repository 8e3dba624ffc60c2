#pragma once

#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "model/column_builder.h"
#include "store/store.h"
#include "table/table.h"

namespace millrace::table {

inline constexpr size_t kScanRowsMax = 2048;

/// Keys in [from, to); `to` empty: to the end of the space. `empty`: no key can match.
struct KeyRange {
  std::string from;
  std::string to;
  bool empty = false;
};

/// Row 0 of `value`, which has the key column's type.
struct KeyBound {
  model::Column value;
  bool inclusive = true;
};

KeyRange whole_table(const Table& table);
/// The rows whose leading key columns equal `equal` and whose next key column lies between the bounds. kInvalidArgument when
/// there are more values than key columns or a type differs. A NULL matches nothing.
Result<KeyRange> key_range(const Table& table, std::span<const model::Column> equal, const std::optional<KeyBound>& low = {},
                           const std::optional<KeyBound>& high = {});

/// The schema of a projection of the table.
std::shared_ptr<const model::Schema> projected_schema(const Table& table, std::span<const size_t> columns);

/// Turns stored rows into columns. `table` and `columns` outlive it.
class RowDecoder {
 public:
  RowDecoder(const Table& table, std::span<const size_t> columns);
  /// `out` has the projected schema; rows go there until the next bind.
  void bind(model::BatchBuilder& out);
  /// `rest` is the value behind its header. kCorruption names table and key; `out` is spent then.
  Status append(std::string_view key, std::string_view rest);

 private:
  const Table& table_;
  std::span<const size_t> columns_;
  std::vector<const model::Type*> value_types_;
  std::vector<model::ColumnBuilder*> key_out_;    // null: skip
  std::vector<model::ColumnBuilder*> value_out_;  // null: skip
  size_t last_key_ = 0;                           // key columns behind this many are not wanted
  bool wants_values_ = false;
};

/// The rows of a range in key order, without tombstones and expired rows. Single-threaded; store and snapshot outlive it.
class TableScan {
 public:
  /// `columns` are the wanted columns in the wanted order, each once. With none, rows are only counted and values not decoded.
  TableScan(store::Store& store, std::shared_ptr<const Table> table, const KeyRange& range, std::vector<size_t> columns,
            Instant now, const store::Snapshot* snapshot = nullptr);
  /// At most kScanRowsMax rows; none at the end. Errors: kCorruption names the table and key, kIo.
  Result<model::ColumnBatch> next();

  TableScan(const TableScan&) = delete;
  TableScan& operator=(const TableScan&) = delete;

 private:
  std::shared_ptr<const Table> table_;
  std::vector<size_t> columns_;
  std::shared_ptr<const model::Schema> schema_;
  RowDecoder decoder_;
  Instant now_;
  std::unique_ptr<store::Cursor> cursor_;
};

/// The row with this whole key (row 0 of one column a key column), as one row or none.
Result<model::ColumnBatch> get_row(store::Store& store, const Table& table, std::span<const model::Column> key,
                                   std::span<const size_t> columns, Instant now, const store::Snapshot* snapshot = nullptr);

/// How many rows there are in the range.
Result<uint64_t> count_rows(store::Store& store, const Table& table, const KeyRange& range, Instant now,
                            const store::Snapshot* snapshot = nullptr);

}  // namespace millrace::table
