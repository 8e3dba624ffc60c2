#pragma once

#include <memory>
#include <string>

#include "base/result.h"
#include "model/table_def.h"
#include "port/relation.h"
#include "port/sink.h"

namespace millrace::port {

/// The output of a query into a table.
struct TableSinkSpec {
  model::TableDef def;
  /// The query's columns: some of the table's, by name, all of its key among them. What is lacking is not written.
  std::shared_ptr<const model::Schema> output;
  std::string pipeline;  // with `query`: who writes
  std::string query;
  /// Several processes write as this query: no epoch is counted, so the sink must be kIdempotent.
  bool shared = false;
};

/// Tables that are somewhere else. Threading: any thread. Lifetime: outlives what it opens. Errors: kUnavailable,
/// kPermissionDenied (login, rights), kFailedPrecondition (the table that is there differs: every difference is named, with the
/// remedy).
class TableStore {
 public:
  virtual ~TableStore() = default;
  /// Creates the table, and what it needs around it, or checks the one that is there column by column. Returns what tells this
  /// table from one of the same name that is made after it was dropped; empty when the system has no such thing.
  virtual Result<std::string> declare(const model::TableDef& def) = 0;
  virtual Result<std::unique_ptr<Sink>> sink(const TableSinkSpec& spec) = 0;
  /// A declared table, for SQL. Predicates on the whole partition key should become a read by key.
  virtual Result<std::unique_ptr<Relation>> relation(const model::TableDef& def) = 0;
};

}  // namespace millrace::port
