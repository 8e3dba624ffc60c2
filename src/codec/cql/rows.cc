#include "codec/cql/rows.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/check.h"

namespace millrace::codec::cql {
namespace {

constexpr int32_t kGlobalTable = 0x01;
constexpr int32_t kHasMorePages = 0x02;
constexpr int32_t kNoMetadata = 0x04;
constexpr int32_t kMetadataChanged = 0x08;  // v5
constexpr int32_t kKindRows = 2;
constexpr size_t kSpecBytesMin = 4;
/// A CQL table has fewer; what claims more is not a result, and no memory is given for it.
constexpr size_t kColumnsMax = 65535;

}  // namespace

bool same_table(const std::vector<ColumnSpec>& columns) {
  return !columns.empty() && std::ranges::all_of(columns, [&](const ColumnSpec& column) {
    return column.keyspace == columns[0].keyspace && column.table == columns[0].table;
  });
}

void put_column_specs(std::string& out, Version version, const std::vector<ColumnSpec>& columns, bool global) {
  if (global) {
    put_string(out, columns.at(0).keyspace);
    put_string(out, columns.at(0).table);
  }
  for (const ColumnSpec& column : columns) {
    if (!global) {
      put_string(out, column.keyspace);
      put_string(out, column.table);
    }
    put_string(out, column.name);
    put_type(out, version, column.type);
  }
}

std::vector<ColumnSpec> read_column_specs(Reader& in, size_t count, bool global) {
  ColumnSpec first;
  if (global) {
    first.keyspace = in.string();
    first.table = in.string();
  }
  std::vector<ColumnSpec> columns;
  columns.reserve(std::min(count, in.left() / kSpecBytesMin));
  for (size_t i = 0; i < count && in.ok(); ++i) {
    ColumnSpec& column = columns.emplace_back(first);
    if (!global) {
      column.keyspace = in.string();
      column.table = in.string();
    }
    column.name = in.string();
    column.type = read_type(in);
  }
  return columns;
}

void put_metadata(std::string& out, Version version, const RowsMetadata& metadata, bool with_columns) {
  with_columns = with_columns && !metadata.columns.empty();
  const bool global = with_columns && same_table(metadata.columns);
  const bool new_id = version >= Version::kV5 && metadata.new_id;
  put_int(out, (global ? kGlobalTable : 0) | (metadata.paging_state ? kHasMorePages : 0) | (with_columns ? 0 : kNoMetadata) |
                   (new_id ? kMetadataChanged : 0));
  put_int(out, static_cast<int32_t>(metadata.column_count));
  if (metadata.paging_state) put_bytes(out, *metadata.paging_state);
  if (new_id) put_short_bytes(out, *metadata.new_id);
  if (with_columns) put_column_specs(out, version, metadata.columns, global);
}

RowsMetadata read_metadata(Reader& in, Version version) {
  RowsMetadata metadata;
  const int32_t flags = in.i32();
  metadata.column_count = in.count(0, kColumnsMax);
  if ((flags & kHasMorePages) != 0) {
    auto state = in.bytes();
    metadata.paging_state = std::string(state.value_or(""));
  }
  if (version >= Version::kV5 && (flags & kMetadataChanged) != 0) metadata.new_id = std::string(in.short_bytes());
  if ((flags & kNoMetadata) == 0) {
    metadata.columns = read_column_specs(in, metadata.column_count, (flags & kGlobalTable) != 0);
  }
  return metadata;
}

RowsReader::RowsReader(const RowsResult& result)
    : in_(result.cells), rows_left_(result.row_count), row_(result.metadata.column_count) {}

Result<bool> RowsReader::next() {
  if (rows_left_ == 0) return false;
  --rows_left_;
  for (Value& cell : row_) {
    auto bytes = in_.bytes();
    cell = bytes ? Value::of(*bytes) : Value::null();
  }
  TRY_DO(in_.status("the rows of a result"));
  return true;
}

RowsWriter::RowsWriter(std::string& out, Version version, int16_t stream, const RowsMetadata& metadata, bool with_columns)
    : out_(out), start_(begin_envelope(out, version, true, stream, Opcode::kResult)) {
  put_int(out, kKindRows);
  put_metadata(out, version, metadata, with_columns);
  count_at_ = out.size();
  put_int(out, 0);
}

void RowsWriter::finish() {
  store_be(out_.data() + count_at_, static_cast<int32_t>(rows_));
  end_envelope(out_, start_);
}

}  // namespace millrace::codec::cql
