#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "connect/postgres/connection.h"
#include "port/relation.h"

namespace millrace::connect::postgres {

/// A table of PostgreSQL in FROM. A scan has a session of its own and reads one snapshot through a cursor, kScanRowsMax rows at a
/// time. Predicates go along where the server compares as DuckDB does: all on numbers and times, equality on the rest.
class TableRelation : public port::Relation {
 public:
  using Open = std::function<Result<std::unique_ptr<Connection>>()>;
  /// `columns` are the server's names of the schema's fields, quoted.
  TableRelation(model::Schema schema, std::string quoted_table, std::vector<std::string> columns, Open open);

  const model::Schema& schema() const override { return schema_; }
  Result<std::unique_ptr<port::RelationScan>> scan(const port::ScanRequest& request) override;

 private:
  const model::Schema schema_;
  const std::string table_;
  const std::vector<std::string> columns_;
  const Open open_;
};

}  // namespace millrace::connect::postgres
