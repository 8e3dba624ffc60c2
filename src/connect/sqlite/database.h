#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"

struct sqlite3;
struct sqlite3_stmt;

namespace millrace::connect::sqlite {

/// A prepared statement. Parameters are bound in order, then step(); columns are read in order. Threading: one thread.
class Statement {
 public:
  Statement(sqlite3* db, sqlite3_stmt* statement) : db_(db), statement_(statement) {}
  ~Statement();
  Statement(const Statement&) = delete;
  Statement& operator=(const Statement&) = delete;

  /// Begins anew with no parameter bound.
  Statement& reset();
  Statement& bind(int64_t value);
  Statement& bind(std::string_view value);  // must live until step()
  Statement& bind(Instant value) { return bind(to_micros(value)); }
  template <class T>
  Statement& bind(const std::optional<T>& value) {
    if (value) return bind(*value);
    ++parameter_;  // stays NULL
    return *this;
  }
  Statement& bind(const std::optional<int32_t>& value) {
    if (value) return bind(static_cast<int64_t>(*value));
    ++parameter_;
    return *this;
  }

  /// True when there is a row.
  Result<bool> step();
  /// For statements without rows.
  Status run();

  int64_t integer();
  std::string text();
  Instant instant() { return instant_from_micros(integer()); }
  std::optional<Instant> maybe_instant();
  std::optional<int32_t> maybe_integer();

 private:
  sqlite3* const db_;
  sqlite3_stmt* const statement_;
  int parameter_ = 0;
  int column_ = 0;
};

/// One connection. Threading: one thread at a time.
class Database {
 public:
  static Result<std::unique_ptr<Database>> open(const std::string& path);
  /// For reading a file that nobody writes; the file stays as it is.
  static Result<std::unique_ptr<Database>> open_at_rest(const std::string& path);
  ~Database();
  Status execute(const char* sql);
  Result<std::unique_ptr<Statement>> prepare(const char* sql);
  Result<int64_t> query_integer(const char* sql);

 private:
  explicit Database(sqlite3* db) : db_(db) {}
  static Result<std::unique_ptr<Database>> open_as(const std::string& name, const std::string& path, int flags);
  sqlite3* const db_;
};

}  // namespace millrace::connect::sqlite
