#pragma once

#include <map>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "base/result.h"
#include "connect/postgres/column_type.h"
#include "connect/postgres/connection.h"
#include "model/table_def.h"

namespace millrace::connect::postgres {

/// In tables that we create: the version of the row's record (port::RowOrigin), which makes the last write win wherever the
/// records of one key come from.
inline constexpr std::string_view kVersionColumn = "_version";

struct TableName {
  std::string schema;  // empty: the first of the server's search path
  std::string table;

  /// `"schema"."table"`
  std::string quoted() const;
};
/// kInvalidArgument when a part is empty or longer than the 63 bytes that the server keeps of it.
Result<TableName> parse_table_name(const std::string& name);

struct ServerColumn {
  std::string name;
  ServerType type;
  std::string shown_type;  // with the modifier: numeric(10,2)
  bool not_null = false;
  bool has_default = false;  // or an identity
  bool is_generated = false;
};

/// A table as it is on the server.
struct ServerTable {
  std::string oid;
  char kind = 'r';  // pg_class.relkind
  std::vector<ServerColumn> columns;
  std::vector<std::set<std::string>> unique_keys;  // column sets of whole, valid unique indexes

  /// By name, exactly or else without case.
  const ServerColumn* find(std::string_view name) const;
  bool has_version(const model::TableDef& def) const;
};

/// None when there is no such table.
Result<std::optional<ServerTable>> read_table(Connection& connection, const TableName& name);

/// CREATE TABLE for the definition. `as_jsonb` are text columns that hold JSON.
std::string create_statement(const TableName& name, const model::TableDef& def, const std::set<std::string>& as_jsonb);

/// kFailedPrecondition names every difference that keeps the definition's rows out of the table, each with its remedy.
Status compare(const TableName& name, const model::TableDef& def, const ServerTable& server);

/// Columns of the definition's key: partition key, then clustering columns.
std::vector<size_t> key_of(const model::TableDef& def);

}  // namespace millrace::connect::postgres
