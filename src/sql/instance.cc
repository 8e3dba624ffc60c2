#include "sql/instance.h"

#include <fmt/format.h>

#include "sql/functions.h"
#include "sql/memory_guard.h"
#include "sql/types.h"
#include "sql/vectors.h"

namespace millrace::sql {
namespace {

Error result_error(Instance& instance, duckdb_result& result, const StatementText& text) {
  duckdb_error_type type = duckdb_result_error_type(&result);
  if (breaks_instance(type)) instance.mark_broken();
  const char* message = duckdb_result_error(&result);
  return make_error(type, message == nullptr ? "the statement failed" : message, text.executed, text.written, text.map);
}

/// A message without the error type that execution gives: the class of the error stands before the colon.
duckdb_error_type type_in(std::string_view message) {
  if (message.starts_with("INTERNAL")) return DUCKDB_ERROR_INTERNAL;
  if (message.starts_with("FATAL")) return DUCKDB_ERROR_FATAL;
  if (message.starts_with("INTERRUPT")) return DUCKDB_ERROR_INTERRUPT;
  if (message.starts_with("Out of Memory")) return DUCKDB_ERROR_OUT_OF_MEMORY;
  if (message.starts_with("Not implemented")) return DUCKDB_ERROR_NOT_IMPLEMENTED;
  if (message.starts_with("Permission")) return DUCKDB_ERROR_PERMISSION;
  return DUCKDB_ERROR_INVALID_INPUT;
}

}  // namespace

Result<std::shared_ptr<Instance>> Instance::open(const EngineOptions& options) {
  auto instance = std::make_shared<Instance>();
  duckdb_config config = nullptr;
  if (duckdb_create_config(&config) != DuckDBSuccess) return fail(Errc::kInternal, "no configuration of DuckDB");
  const std::pair<const char*, std::string> settings[] = {
      // The thread that runs a statement does all of its work: the memory is counted by it.
      {"threads", "1"},
      // DuckDB adds up its buffers alone, so where all memory is counted its own limit is only the second line.
      {"memory_limit", fmt::format("{}B", options.memory_bytes_max * (kMemoryIsCounted ? 2 : 1))},
      {"temp_directory", ""},
      {"enable_external_access", "false"},
      {"autoinstall_known_extensions", "false"},
      {"autoload_known_extensions", "false"},
      {"allow_community_extensions", "false"},
      {"allow_unsigned_extensions", "false"},
  };
  std::string refused;
  for (const auto& [name, value] : settings) {
    if (duckdb_set_config(config, name, value.c_str()) != DuckDBSuccess) refused = name;
  }
  char* message = nullptr;
  duckdb_state state = DuckDBError;
  if (refused.empty()) state = duckdb_open_ext(nullptr, &instance->database_, config, &message);
  duckdb_destroy_config(&config);
  if (state != DuckDBSuccess) {
    std::string why = message != nullptr ? message : "the setting " + refused + " is refused";
    duckdb_free(message);
    return fail(Errc::kInternal, "DuckDB does not open: " + why);
  }
  TRY_DO(instance->set_up(options));
  return instance;
}

Instance::~Instance() { duckdb_close(&database_); }

Status Instance::set_up(const EngineOptions&) {
  duckdb_connection connection = nullptr;
  if (duckdb_connect(database_, &connection) != DuckDBSuccess) return fail(Errc::kInternal, "DuckDB gives no connection");
  Status done = register_scan(connection, scans_);
  if (done) done = register_functions(connection);
  // TimeZone last but for the lock: the setting exists only with the ICU extension, which is built in.
  for (const char* sql : {"SET GLOBAL TimeZone = 'UTC'", "SET GLOBAL lock_configuration = true"}) {
    duckdb_result result;
    if (done && duckdb_query(connection, sql, &result) != DuckDBSuccess)
      done = fail(Errc::kInternal, duckdb_result_error(&result));
    if (done) duckdb_destroy_result(&result);
  }
  duckdb_disconnect(&connection);
  return done;
}

Result<std::shared_ptr<Instance>> Instances::current() {
  MutexLock lock(mutex_);
  if (instance_ == nullptr || instance_->broken()) {
    TRY(instance_, Instance::open(options_));
  }
  return instance_;
}

Result<duckdb_data_chunk> Rows::next() {
  duckdb_data_chunk chunk = duckdb_fetch_chunk(result_);
  if (chunk != nullptr) {
    if (duckdb_data_chunk_get_size(chunk) > 0) return chunk;
    duckdb_destroy_data_chunk(&chunk);
    return nullptr;
  }
  const char* message = duckdb_result_error(&result_);
  if (message != nullptr && *message != '\0') return fail(result_error(*instance_, result_, StatementText("")));
  return nullptr;
}

Result<model::Schema> Statement::columns() const {
  model::Schema schema;
  idx_t count = duckdb_prepared_statement_column_count(prepared_);
  for (idx_t i = 0; i < count; ++i) {
    const char* name = duckdb_prepared_statement_column_name(prepared_, i);
    model::Field field{name, {}};
    duckdb_free(const_cast<char*>(name));
    LogicalType logical(duckdb_prepared_statement_column_logical_type(prepared_, i));
    auto type = from_duckdb(logical.get());
    if (!type) return fail(at("column " + model::quote_identifier(field.name), std::move(type.error())));
    field.type = std::move(*type);
    schema.fields.push_back(std::move(field));
  }
  return schema;
}

Result<Rows> Statement::execute() {
  duckdb_result result;
  if (duckdb_execute_prepared_streaming(prepared_, &result) != DuckDBSuccess) {
    Error error = result_error(*instance_, result, text_);
    duckdb_destroy_result(&result);
    return fail(std::move(error));
  }
  return Rows(instance_, result);
}

Result<Connection> Connection::open(std::shared_ptr<Instance> instance) {
  duckdb_connection connection = nullptr;
  if (duckdb_connect(instance->database(), &connection) != DuckDBSuccess)
    return fail(Errc::kInternal, "DuckDB gives no connection");
  return Connection(std::move(instance), connection);
}

Status Connection::run(const std::string& sql) {
  duckdb_result result;
  Status status;
  if (duckdb_query(connection_, sql.c_str(), &result) != DuckDBSuccess)
    status = fail(result_error(*instance_, result, StatementText(sql)));
  duckdb_destroy_result(&result);
  return status;
}

Result<Statement> Connection::prepare(StatementText text) {
  duckdb_prepared_statement prepared = nullptr;
  duckdb_state state = duckdb_prepare(connection_, text.executed.c_str(), &prepared);
  if (state != DuckDBSuccess) {
    const char* message = prepared == nullptr ? nullptr : duckdb_prepare_error(prepared);
    std::string_view words = message == nullptr ? "the statement does not compile" : message;
    duckdb_error_type type = type_in(words);
    if (breaks_instance(type)) instance_->mark_broken();
    Error error = make_error(type, words, text.executed, text.written, text.map);
    duckdb_destroy_prepare(&prepared);
    return fail(std::move(error));
  }
  return Statement(instance_, prepared, std::move(text));
}

Result<std::vector<std::string>> Connection::texts(const std::string& sql, const std::string* parameter) {
  TRY(Statement statement, prepare(StatementText(sql)));
  if (parameter != nullptr &&
      duckdb_bind_varchar_length(statement.get(), 1, parameter->data(), parameter->size()) != DuckDBSuccess) {
    return fail(Errc::kInternal, "DuckDB takes no parameter");
  }
  TRY(Rows rows, statement.execute());
  auto schema = std::make_shared<const model::Schema>(model::Schema{{{"text", {model::TypeId::kText}}}});
  std::vector<std::string> out;
  while (true) {
    TRY(duckdb_data_chunk chunk, rows.next());
    if (chunk == nullptr) return out;
    model::ColumnBatch batch = view_chunk(chunk, schema, nullptr);
    for (size_t i = 0; i < batch.rows; ++i) out.emplace_back(batch.columns[0].is_null(i) ? "" : batch.columns[0].text(i));
  }
}

}  // namespace millrace::sql
