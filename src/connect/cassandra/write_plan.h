#pragma once

#include <memory>
#include <string>
#include <vector>

#include "codec/cql/value.h"
#include "connect/cassandra/table_shape.h"
#include "model/schema.h"

namespace millrace::connect::cassandra {

/// How the rows of a query become writes of a table. Its columns stand in the order key, then the rest, so that the key's values
/// are the beginning of a row's.
struct WritePlan {
  struct Column {
    std::string name;  // of the table
    size_t source;     // of the query's output
    cql::ValueEncoder encoder;
    bool is_text;  // text or blob: may be empty
  };
  TableName name;
  std::vector<Column> columns;
  size_t partition_columns = 0;
  size_t key_columns = 0;
  std::optional<Duration> ttl;

  /// Binds: the columns, the timestamp, the TTL if there is one.
  std::string insert_text() const;
  /// Binds: the timestamp, the key.
  std::string delete_text() const;
};

/// Errors: kFailedPrecondition (see check_shape) for columns that the table lacks or that cannot be written.
Result<WritePlan> plan_writes(const TableName& name, const model::TableDef& def, const model::Schema& output,
                              const ExistingTable& table);

}  // namespace millrace::connect::cassandra
