#pragma once

#include <duckdb.h>

#include <atomic>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "base/result.h"
#include "sql/duck_engine.h"
#include "sql/error.h"
#include "sql/memory_guard.h"
#include "sql/scan.h"
#include "sql/watchdog.h"

namespace millrace::sql {

/// One in-memory DuckDB, locked down, with our functions in it. Shared by the connections to it.
class Instance {
 public:
  static Result<std::shared_ptr<Instance>> open(const EngineOptions& options);
  ~Instance();

  duckdb_database database() const { return database_; }
  ScanRegistry& scans() { return scans_; }
  /// After an internal fault: nobody shall start anything on it any more.
  void mark_broken() { broken_ = true; }
  bool broken() const { return broken_; }

 private:
  Status set_up(const EngineOptions& options);

  ScanRegistry scans_;
  duckdb_database database_ = nullptr;
  std::atomic<bool> broken_ = false;
};

/// Hands out the instance in use, and a new one after a fault inside of DuckDB. Threading: any.
class Instances {
 public:
  explicit Instances(const EngineOptions& options) : options_(options), memory_(options.memory_bytes_max) {}
  Result<std::shared_ptr<Instance>> current() EXCLUDES(mutex_);
  const EngineOptions& options() const { return options_; }
  MemoryBudget& memory() { return memory_; }
  WatchThread& watch_thread() { return watch_thread_; }

 private:
  const EngineOptions options_;
  MemoryBudget memory_;
  WatchThread watch_thread_;
  Mutex mutex_;
  std::shared_ptr<Instance> instance_ GUARDED_BY(mutex_);
};

/// The texts that an error's place is computed from; see make_error.
struct StatementText {
  std::string executed;
  std::string written;
  PositionMap map;

  explicit StatementText(std::string sql) : executed(sql), written(std::move(sql)) {}
  StatementText(std::string executed_sql, std::string written_sql, PositionMap position_map)
      : executed(std::move(executed_sql)), written(std::move(written_sql)), map(std::move(position_map)) {}
};

/// The rows of one execution, chunk by chunk. Threading: one thread, and none other on its connection.
class Rows {
 public:
  Rows(std::shared_ptr<Instance> instance, duckdb_result result) : instance_(std::move(instance)), result_(result) {}
  Rows(Rows&& other) noexcept : instance_(std::move(other.instance_)), result_(std::exchange(other.result_, duckdb_result{})) {}
  Rows& operator=(Rows&&) = delete;
  ~Rows() { duckdb_destroy_result(&result_); }

  /// Null at the end; the caller destroys the chunk.
  Result<duckdb_data_chunk> next();

 private:
  std::shared_ptr<Instance> instance_;
  duckdb_result result_;
};

class Statement {
 public:
  Statement(std::shared_ptr<Instance> instance, duckdb_prepared_statement prepared, StatementText text)
      : instance_(std::move(instance)), prepared_(prepared), text_(std::move(text)) {}
  Statement(Statement&& other) noexcept
      : instance_(std::move(other.instance_)),
        prepared_(std::exchange(other.prepared_, nullptr)),
        text_(std::move(other.text_)) {}
  Statement& operator=(Statement&&) = delete;
  ~Statement() { duckdb_destroy_prepare(&prepared_); }

  duckdb_prepared_statement get() const { return prepared_; }
  duckdb_statement_type type() const { return duckdb_prepared_statement_type(prepared_); }
  /// Names and types of the result. Errors: kUnimplemented for a type that is not model::TypeId's.
  Result<model::Schema> columns() const;
  /// Starts the execution. Errors of rows may also come from Rows::next().
  Result<Rows> execute();

 private:
  std::shared_ptr<Instance> instance_;
  duckdb_prepared_statement prepared_;
  StatementText text_;
};

class Connection {
 public:
  static Result<Connection> open(std::shared_ptr<Instance> instance);
  Connection(Connection&& other) noexcept
      : instance_(std::move(other.instance_)), connection_(std::exchange(other.connection_, nullptr)) {}
  Connection& operator=(Connection&&) = delete;
  ~Connection() { duckdb_disconnect(&connection_); }

  duckdb_connection get() const { return connection_; }
  const std::shared_ptr<Instance>& instance() const { return instance_; }

  /// Runs statements of our own that have no result.
  Status run(const std::string& sql);
  /// Prepares exactly one statement.
  Result<Statement> prepare(StatementText text);
  /// The first column of a statement of our own as texts, with `parameter` bound to its $1 when it has one.
  Result<std::vector<std::string>> texts(const std::string& sql, const std::string* parameter = nullptr);

 private:
  Connection(std::shared_ptr<Instance> instance, duckdb_connection connection)
      : instance_(std::move(instance)), connection_(connection) {}

  std::shared_ptr<Instance> instance_;
  duckdb_connection connection_;
};

}  // namespace millrace::sql
