#pragma once

#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "model/column_builder.h"
#include "table/table.h"

/// Row values: a header, a count of columns, the mask of NULLs, then the values that are there. Key columns are not repeated.
/// See docs/formats/table.md.
namespace millrace::table {

struct RowHeader {
  bool tombstone = false;
  uint64_t version = 0;       // microseconds; the highest wins
  int64_t expiry_micros = 0;  // 0: never
};

/// A tombstone hides older versions of its row for this long (Cassandra's gc_grace_seconds), then compaction drops it.
inline constexpr Duration kTombstoneLife = std::chrono::hours(240);

/// Takes the header off the front of `value`; nullopt when it is not one.
std::optional<RowHeader> take_row_header(std::string_view& value);

/// What readers skip: a tombstone, or an expired row.
inline bool is_hidden(const RowHeader& header, Instant now) {
  return header.tombstone || (header.expiry_micros != 0 && header.expiry_micros <= to_micros(now));
}
/// What compaction may drop. An unreadable value is kept.
bool row_is_dead(std::string_view value, Instant now);

/// At most how many bytes the value of this row takes.
size_t row_value_bound(std::span<const model::Column* const> columns, size_t row);
/// Writes header and columns (a null pointer is a column of NULLs) to `out`, which has room for the bound. Returns the end.
char* write_row_value(char* out, const RowHeader& header, std::span<const model::Column* const> columns, size_t row);

/// Decodes what follows the header. `types[i]` is the type of value column i and `out[i]` its builder, null to skip it; columns
/// that the row does not have are NULL. False when the bytes are not a row; builders may then have grown unevenly.
[[nodiscard]] bool decode_row_columns(std::string_view rest, std::span<const model::Type* const> types,
                                      std::span<model::ColumnBuilder* const> out);

}  // namespace millrace::table
