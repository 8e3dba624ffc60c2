#pragma once

#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "codec/cql/type.h"
#include "model/table_def.h"

/// What a declared table is in CQL, and how a table that is there differs from it. Pure.
namespace millrace::connect::cassandra {

namespace cql = codec::cql;

struct TableName {
  std::string keyspace;
  std::string table;
  /// `"ks"."t"`, for statements.
  std::string quoted() const;
  /// `ks.t`, for messages.
  std::string text() const { return keyspace + "." + table; }
};
/// `keyspace.table`. Errors: kInvalidArgument.
Result<TableName> parse_table_name(std::string_view name);

struct ExistingColumn {
  enum class Kind { kPartitionKey, kClustering, kStatic, kRegular };
  std::string name;
  cql::CqlType type;  // its UDTs resolved
  Kind kind = Kind::kRegular;
  int32_t position = -1;  // within the key's part
  bool descending = false;
};

/// A table as system_schema describes it.
struct ExistingTable {
  std::string id;
  std::vector<ExistingColumn> columns;

  /// By exact name, else without case as SQL has it; null when there is none.
  const ExistingColumn* find(std::string_view name) const;
};

/// The statements that make what is lacking: a UDT for each struct (frozen, named `<table>_<column>`), then the table. Errors:
/// kInvalidArgument for a type that Cassandra does not have.
Result<std::vector<std::string>> create_statements(const TableName& name, const model::TableDef& def);

/// Every difference that would lose something, in one kFailedPrecondition with the remedies as its hint.
Status check_shape(const TableName& name, const model::TableDef& def, const ExistingTable& existing);

}  // namespace millrace::connect::cassandra
