#pragma once

#include <memory>

#include "port/relation.h"
#include "store/store.h"
#include "table/table.h"

namespace millrace::connect::embedded {

/// A table in FROM, as of a snapshot. Predicates on the key narrow what is read: equality on leading key columns, then a range on
/// the next. Store and snapshot outlive it.
class TableRelation : public port::Relation {
 public:
  TableRelation(store::Store& store, std::shared_ptr<const table::Table> table, const store::Snapshot& snapshot, Instant now);

  const model::Schema& schema() const override { return table_->def.schema; }
  Result<std::unique_ptr<port::RelationScan>> scan(const port::ScanRequest& request) override;

 private:
  store::Store& store_;
  std::shared_ptr<const table::Table> table_;
  const store::Snapshot& snapshot_;
  const Instant now_;
};

}  // namespace millrace::connect::embedded
