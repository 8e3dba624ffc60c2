#include "connect/sqlite/database.h"

#include <fmt/format.h>
#include <sqlite3.h>

#include <filesystem>

namespace millrace::connect::sqlite {
namespace {

constexpr int kBusyWaitMs = 10'000;

Errc code_of(int sqlite_code) {
  switch (sqlite_code & 0xff) {
    case SQLITE_FULL: return Errc::kDiskFull;
    case SQLITE_NOMEM: return Errc::kResourceExhausted;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB: return Errc::kCorruption;
    case SQLITE_BUSY:
    case SQLITE_LOCKED: return Errc::kUnavailable;
    case SQLITE_CONSTRAINT: return Errc::kFailedPrecondition;
    default: return Errc::kIo;
  }
}

auto failed(sqlite3* db) {
  const char* file = sqlite3_db_filename(db, "main");
  return fail(code_of(sqlite3_errcode(db)), fmt::format("{}: {}", file == nullptr ? "meta.db" : file, sqlite3_errmsg(db)));
}

}  // namespace

Statement::~Statement() { sqlite3_finalize(statement_); }

Statement& Statement::reset() {
  sqlite3_reset(statement_);
  sqlite3_clear_bindings(statement_);
  parameter_ = 0;
  return *this;
}
Statement& Statement::bind(int64_t value) {
  sqlite3_bind_int64(statement_, ++parameter_, value);
  return *this;
}
Statement& Statement::bind(std::string_view value) {
  sqlite3_bind_text(statement_, ++parameter_, value.data() == nullptr ? "" : value.data(), static_cast<int>(value.size()),
                    SQLITE_STATIC);
  return *this;
}

Result<bool> Statement::step() {
  column_ = 0;
  int code = sqlite3_step(statement_);
  if (code == SQLITE_ROW) return true;
  if (code == SQLITE_DONE) return false;
  auto error = failed(db_);
  sqlite3_reset(statement_);
  return error;
}
Status Statement::run() {
  TRY(bool row, step());
  if (row) return fail(Errc::kInternal, "a statement without rows gave one");
  return {};
}

int64_t Statement::integer() { return sqlite3_column_int64(statement_, column_++); }
std::string Statement::text() {
  const auto* bytes = sqlite3_column_text(statement_, column_);
  int size = sqlite3_column_bytes(statement_, column_++);
  return bytes == nullptr ? std::string() : std::string(reinterpret_cast<const char*>(bytes), static_cast<size_t>(size));
}
std::optional<Instant> Statement::maybe_instant() {
  if (sqlite3_column_type(statement_, column_) != SQLITE_NULL) return instant();
  ++column_;
  return std::nullopt;
}
std::optional<int32_t> Statement::maybe_integer() {
  if (sqlite3_column_type(statement_, column_) != SQLITE_NULL) return static_cast<int32_t>(integer());
  ++column_;
  return std::nullopt;
}

Result<std::unique_ptr<Database>> Database::open(const std::string& path) {
  return open_as(path, path, SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE);
}

Result<std::unique_ptr<Database>> Database::open_at_rest(const std::string& path) {
  // With a write-ahead log SQLite must be let make its index beside it; else it is told that nothing can change.
  std::error_code none;
  uint64_t wal_bytes = std::filesystem::file_size(path + "-wal", none);
  if (!none && wal_bytes > 0) return open_as(path, path, SQLITE_OPEN_READONLY);
  std::string uri = "file:";
  for (char c : std::filesystem::absolute(path).string()) {
    uri += c == '?' || c == '#' || c == '%' ? fmt::format("%{:02x}", static_cast<uint8_t>(c)) : std::string(1, c);
  }
  return open_as(uri + "?immutable=1", path, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI);
}

Result<std::unique_ptr<Database>> Database::open_as(const std::string& name, const std::string& path, int flags) {
  sqlite3* db = nullptr;
  int code = sqlite3_open_v2(name.c_str(), &db, flags | SQLITE_OPEN_NOMUTEX, nullptr);
  if (code != SQLITE_OK) {
    std::string why = db == nullptr ? "out of memory" : sqlite3_errmsg(db);
    sqlite3_close(db);
    return fail(code_of(code), fmt::format("{}: {}", path, why));
  }
  sqlite3_busy_timeout(db, kBusyWaitMs);
  return std::unique_ptr<Database>(new Database(db));
}

Database::~Database() { sqlite3_close(db_); }

Status Database::execute(const char* sql) {
  if (sqlite3_exec(db_, sql, nullptr, nullptr, nullptr) != SQLITE_OK) return failed(db_);
  return {};
}

Result<std::unique_ptr<Statement>> Database::prepare(const char* sql) {
  sqlite3_stmt* statement = nullptr;
  if (sqlite3_prepare_v3(db_, sql, -1, SQLITE_PREPARE_PERSISTENT, &statement, nullptr) != SQLITE_OK) return failed(db_);
  return std::make_unique<Statement>(db_, statement);
}

Result<int64_t> Database::query_integer(const char* sql) {
  TRY(auto statement, prepare(sql));
  TRY(bool row, statement->step());
  return row ? statement->integer() : 0;
}

}  // namespace millrace::connect::sqlite
