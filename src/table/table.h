#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/table_def.h"

namespace millrace::table {

using model::ClusteringColumn;
using model::TableDef;

/// A table as it is stored. Ids are never reused.
struct Table {
  uint32_t id = 0;
  TableDef def;
  std::vector<ClusteringColumn> key_columns;  // partition key, then clustering
  std::vector<size_t> value_columns;          // the others, in schema order

  Table() = default;
  Table(uint32_t id, TableDef def);
  bool is_key(size_t column) const;
};

/// Faults of a definition: no key, a column named twice, a key column that cannot be one (list, struct, interval), an interval
/// anywhere, a type that `model::encode_schema` cannot keep, a name without keyspace. kInvalidArgument names the table and the
/// column.
Status check_table_def(const TableDef& def);

/// Whether `now` may become `next` in place: columns only appended, ttl and delete rule may change. kFailedPrecondition says
/// what cannot change and why.
Status check_evolution(const TableDef& now, const TableDef& next);

/// First byte of a catalog entry.
inline constexpr uint8_t kTableFormat = 1;

/// The catalog entry (docs/formats/table.md) and back; nullopt when the bytes are not one.
std::string encode_table(const Table& table);
std::optional<Table> decode_table(std::string_view bytes);

}  // namespace millrace::table
