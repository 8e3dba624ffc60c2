#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "codec/cql/frame.h"
#include "codec/cql/primitive.h"
#include "codec/cql/type.h"

/// RESULT of kind Rows (native protocol, section 4.2.5.2).
namespace millrace::codec::cql {

struct ColumnSpec {
  std::string keyspace;
  std::string table;
  std::string name;
  CqlType type;
  friend bool operator==(const ColumnSpec&, const ColumnSpec&) = default;
};

struct RowsMetadata {
  /// Empty when the metadata was skipped; `column_count` stands all the same.
  std::vector<ColumnSpec> columns;
  size_t column_count = 0;
  std::optional<std::string> paging_state;  // there are more pages
  std::optional<std::string> new_id;        // v5: the result's metadata has changed to this
  friend bool operator==(const RowsMetadata&, const RowsMetadata&) = default;
};

struct RowsResult {
  RowsMetadata metadata;
  size_t row_count = 0;
  std::string_view cells;  // a view into the envelope's body
  friend bool operator==(const RowsResult&, const RowsResult&) = default;
};

/// Walks over the rows without copying a cell.
///
///   RowsReader rows(result);
///   while (true) { TRY(bool more, rows.next()); if (!more) break; use(rows.row()); }
class RowsReader {
 public:
  /// The result's bytes must stay.
  explicit RowsReader(const RowsResult& result);
  /// False after the last row. Errors: kCorruption.
  Result<bool> next();
  /// The cells of the row, null or bytes.
  std::span<const Value> row() const { return row_; }

 private:
  Reader in_;
  size_t rows_left_;
  std::vector<Value> row_;
};

/// Writes a Rows envelope row by row. Every row gets metadata.column_count cells.
class RowsWriter {
 public:
  /// Without `with_columns` the metadata is skipped (the client has it). `out` may hold earlier envelopes.
  RowsWriter(std::string& out, Version version, int16_t stream, const RowsMetadata& metadata, bool with_columns = true);
  /// Where the caller appends the cells of the next row: put_bytes, put_null, ValueEncoder::append.
  std::string& next_row() {
    ++rows_;
    return out_;
  }
  void finish();

 private:
  std::string& out_;
  size_t start_;
  size_t count_at_ = 0;
  size_t rows_ = 0;
};

/// The metadata of rows, inside a body: written and read also for PREPARED.
void put_metadata(std::string& out, Version version, const RowsMetadata& metadata, bool with_columns = true);
RowsMetadata read_metadata(Reader& in, Version version);
/// The columns of metadata with the flag `global` that says whether one keyspace and table stand for all.
void put_column_specs(std::string& out, Version version, const std::vector<ColumnSpec>& columns, bool global);
std::vector<ColumnSpec> read_column_specs(Reader& in, size_t count, bool global);
/// True when one keyspace and table can stand for all.
bool same_table(const std::vector<ColumnSpec>& columns);

}  // namespace millrace::codec::cql
