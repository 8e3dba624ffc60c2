#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "format/json_doc.h"

namespace CLI {
class App;
}

namespace millrace::cli {

// The process's answers (contract, section 2).
inline constexpr int kDone = 0;
inline constexpr int kFailed = 1;
inline constexpr int kWrongUsage = 2;
inline constexpr int kFaultsFound = 3;
inline constexpr int kNoServer = 4;
inline constexpr int kDataInUse = 5;

/// What all commands share: the options before the verb, and the exit code that the one which ran leaves behind.
struct Session {
  std::string data;    // --data, $MILLRACE_DATA or ./.millrace
  std::string output;  // -o: text (empty) or json
  int exit_code = kDone;

  bool json() const { return output == "json"; }
  /// Says what went wrong on stderr, and keeps the exit code that fits, unless one is set already.
  void fail(const Error& error);
  /// fail() unless `done`; true when it was.
  bool check(const Status& done);
};

/// To stderr. A terminal that was closed meanwhile is no error.
void say(std::string_view text);

/// Adds `--data` to a command.
void add_data_option(CLI::App& command, Session& session);
/// Adds `-o json` to a command.
void add_output_option(CLI::App& command, Session& session);

/// One column of a listing: the member's name in the JSON, and the heading.
struct ListColumn {
  std::string_view member;
  std::string_view heading;
};
/// An array of objects, as JSON or as a table with these columns.
void print_list(const Session& session, const format::Json& rows, const std::vector<ListColumn>& columns);
/// Every row with whatever members it has, in their order: results of SQL.
void print_rows(const format::Json& rows);
/// An object, as JSON or one `name: value` a line, nested ones indented.
void print_object(const Session& session, const format::Json& object);

}  // namespace millrace::cli
