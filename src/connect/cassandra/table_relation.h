#pragma once

#include <memory>
#include <vector>

#include "connect/cassandra/session.h"
#include "connect/cassandra/table_shape.h"
#include "port/relation.h"

namespace millrace::connect::cassandra {

/// A declared table in FROM: read page by page, only the columns that are asked for. Equality on the whole partition key, and
/// then on leading clustering columns, makes it a read of one partition. The session outlives it.
class TableRelation : public port::Relation {
 public:
  TableRelation(Session& session, TableName name, model::TableDef def, ExistingTable table);

  const model::Schema& schema() const override { return def_.schema; }
  Result<std::unique_ptr<port::RelationScan>> scan(const port::ScanRequest& request) override;

 private:
  Session& session_;
  const TableName name_;
  const model::TableDef def_;
  const ExistingTable table_;
};

/// The statement of a scan and the values of its markers. Pure.
struct Selection {
  std::string text;
  std::vector<std::string> values;
};
Selection select_statement(const TableName& name, const model::TableDef& def, const ExistingTable& table,
                           const port::ScanRequest& request);

}  // namespace millrace::connect::cassandra
