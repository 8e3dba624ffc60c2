#pragma once

#include "env/clock.h"
#include "port/table_store.h"
#include "table/tables.h"

namespace millrace::connect::embedded {

/// The embedded tables behind the seam that a database stands behind, too. Lifetime: what it is made of outlives it.
class EmbeddedTables : public port::TableStore {
 public:
  EmbeddedTables(table::Tables& tables, store::Store& store, env::Clock& clock) : tables_(tables), store_(store), clock_(clock) {}

  Result<std::string> declare(const model::TableDef& def) override;
  Result<std::unique_ptr<port::Sink>> sink(const port::TableSinkSpec& spec) override;
  Result<std::unique_ptr<port::Relation>> relation(const model::TableDef& def) override;

 private:
  table::Tables& tables_;
  store::Store& store_;
  env::Clock& clock_;
};

}  // namespace millrace::connect::embedded
