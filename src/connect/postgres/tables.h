#pragma once

#include <memory>
#include <set>
#include <string>
#include <utility>

#include "base/mutex.h"
#include "connect/postgres/options.h"
#include "connect/postgres/table_shape.h"
#include "env/env.h"
#include "port/table_store.h"

namespace millrace::connect::postgres {

/// Tables of a PostgreSQL database, named `schema.table`, or `table` in the first schema of the server's search path.
/// Threading and errors as port::TableStore; every call has a session of its own.
class PostgresTables : public port::TableStore {
 public:
  /// Checks the options only; the first call connects.
  static Result<std::unique_ptr<PostgresTables>> open(const PostgresOptions& options, env::Env env);

  /// From now on declare() makes this text column jsonb; its rows hold JSON.
  void create_as_jsonb(const std::string& table, const std::string& column) EXCLUDES(mutex_);

  /// Also creates the schema. The answer is the table's oid. kInvalidArgument for a definition with a ttl, which PostgreSQL has
  /// not.
  Result<std::string> declare(const model::TableDef& def) override;
  /// kTransactional, or kIdempotent when the query is shared, for which the table must have `_version`. The last write wins as in
  /// embedded tables where declare() made the table, which then has a column
  /// `_version`; in other tables the row that came last.
  Result<std::unique_ptr<port::Sink>> sink(const port::TableSinkSpec& spec) override;
  Result<std::unique_ptr<port::Relation>> relation(const model::TableDef& def) override;

 private:
  PostgresTables(Target target, env::Clock& clock) : target_(std::move(target)), clock_(clock) {}
  Result<std::unique_ptr<Connection>> connect();
  Result<ServerTable> existing(const model::TableDef& def, TableName& name);
  Status create(Connection& connection, const TableName& name, const model::TableDef& def);

  const Target target_;
  env::Clock& clock_;
  const std::shared_ptr<Interrupt> interrupt_ = std::make_shared<Interrupt>();
  Mutex mutex_;
  std::set<std::pair<std::string, std::string>> jsonb_ GUARDED_BY(mutex_);  // table, column
};

}  // namespace millrace::connect::postgres
