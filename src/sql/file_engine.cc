#include "sql/file_engine.h"

#include <duckdb.h>

#include "sql/error.h"

namespace millrace::sql {

struct FileEngine::Handles {
  ~Handles() {
    duckdb_disconnect(&connection);
    duckdb_close(&database);
  }
  duckdb_database database = nullptr;
  duckdb_connection connection = nullptr;
};

FileEngine::FileEngine() = default;
FileEngine::~FileEngine() = default;

Status FileEngine::open() {
  auto handles = std::make_unique<Handles>();
  duckdb_config config = nullptr;
  if (duckdb_create_config(&config) != DuckDBSuccess) return fail(Errc::kInternal, "no configuration of DuckDB");
  static constexpr std::pair<const char*, const char*> kSettings[] = {
      {"threads", "1"},
      {"memory_limit", "512MB"},
      {"autoinstall_known_extensions", "false"},
      {"autoload_known_extensions", "false"},
      {"allow_community_extensions", "false"},
  };
  for (const auto& [name, value] : kSettings) duckdb_set_config(config, name, value);
  char* message = nullptr;
  duckdb_state state = duckdb_open_ext(nullptr, &handles->database, config, &message);
  duckdb_destroy_config(&config);
  if (state != DuckDBSuccess) {
    std::string why = message != nullptr ? message : "";
    duckdb_free(message);
    return fail(Errc::kInternal, "DuckDB does not open: " + why);
  }
  if (duckdb_connect(handles->database, &handles->connection) != DuckDBSuccess)
    return fail(Errc::kInternal, "DuckDB gives no connection");
  handles_ = std::move(handles);
  return run_unlocked("SET GLOBAL TimeZone = 'UTC'");
}

Status FileEngine::run(const std::string& sql) {
  MutexLock lock(mutex_);
  if (handles_ == nullptr) TRY_DO(open());
  return run_unlocked(sql);
}

Status FileEngine::run_unlocked(const std::string& sql) {
  duckdb_result result;
  Status done;
  if (duckdb_query(handles_->connection, sql.c_str(), &result) != DuckDBSuccess) {
    const char* message = duckdb_result_error(&result);
    done = fail(make_error(duckdb_result_error_type(&result), message == nullptr ? "the statement failed" : message, sql, sql));
  }
  duckdb_destroy_result(&result);
  return done;
}

}  // namespace millrace::sql
