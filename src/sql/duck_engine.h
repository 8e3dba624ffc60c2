#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <utility>

#include "base/time.h"
#include "port/sql_engine.h"

namespace millrace::sql {

struct EngineOptions {
  /// The memory of all statements of the engine together, however it is allocated (memory_guard.h); nothing spills to disk.
  uint64_t memory_bytes_max = 512 << 20;
  /// Limits on one run of a compiled query: its rows, the bytes of their values, its time.
  size_t run_rows_max = 4'000'000;
  size_t run_bytes_max = 512 << 20;
  Duration run_time_max = std::chrono::seconds(60);
};

/// Statements longer than this, or nested deeper, are refused before DuckDB reads them.
inline constexpr size_t kStatementBytesMax = 1 << 20;
inline constexpr int kStatementNestingMax = 200;

class Instances;
class Connection;

/// SQL on an in-memory DuckDB that sees no files, no network, no extensions and no settings: only the rows it is handed.
///
/// **Threading**: any thread; statements of different threads run side by side. A CompiledQuery is for one thread at a time.
/// **Lifetime**: compiled queries may outlive the engine.
/// **Errors**: kInvalidArgument for SQL that is wrong or fails on the rows (message of DuckDB on one line, "LINE n:c: " first
/// where the place is known), kNotFound for an unknown relation, kPermissionDenied for statements that do not only read,
/// kDeadlineExceeded, kResourceExhausted for memory and the limits above, kUnavailable when other statements hold the memory,
/// kInternal after a fault inside of DuckDB: the next call gets a new instance.
class DuckEngine : public port::SqlEngine {
 public:
  static Result<std::unique_ptr<DuckEngine>> open(const EngineOptions& options);
  ~DuckEngine() override;

  /// The statement is one that only reads; a column port::kRowNumberColumn stands beside the input's. Result types outside of
  /// model::TypeId are an error.
  Result<std::unique_ptr<port::CompiledQuery>> compile(const std::string& sql, const port::QueryInput& input) override;
  Result<model::Schema> parse_columns(const std::string& columns) override;
  /// Relations are `topic`, `keyspace.table` and so on, as the catalog finds them; the columns `_key`, `_value`, `_offset`,
  /// `_partition`, `_timestamp`, `_headers` are left out of `SELECT *` where a relation has others. Result types outside of
  /// model::TypeId arrive as text. An EXPLAIN gives its plan as text; SHOW TABLES the catalog's names.
  Status execute(const std::string& sql, port::Catalog& catalog, const port::StatementLimits& limits,
                 const std::function<Status(const model::ColumnBatch&)>& on_batch) override;

  /// The syntax tree of SELECT statements as the JSON of DuckDB's json_serialize_sql: {"error":false,"statements":[{"node":…}]}.
  Result<std::string> syntax_tree(const std::string& sql) override;
  /// The SQL text of such a tree.
  Result<std::string> statement_from_tree(const std::string& tree) override;
  const std::set<std::string>& volatile_functions() const override { return volatile_functions_; }
  const std::set<std::string>& aggregate_functions() const override { return aggregate_functions_; }

 private:
  explicit DuckEngine(std::shared_ptr<Instances> instances) : instances_(std::move(instances)) {}
  Status read_function_names();
  /// Runs `work` on a connection of its own, within the limits.
  Status on_connection(const std::function<Status(Connection&)>& work);

  std::set<std::string> volatile_functions_;
  std::set<std::string> aggregate_functions_;

  std::shared_ptr<Instances> instances_;
};

}  // namespace millrace::sql
