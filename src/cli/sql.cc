#include <fmt/format.h>
#include <unistd.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <iostream>

#include "cli/api_client.h"
#include "cli/commands.h"
#include "cli/session.h"

namespace millrace::cli {
namespace {

struct SqlOptions {
  std::string statement;
};

Status run_statement(ApiClient& api, const Session& session, std::string_view statement) {
  if (session.json()) {
    TRY_DO(api.stream("POST", "/v1/sql", statement, "text/plain", [](std::string_view bytes) -> Status {
      std::fwrite(bytes.data(), 1, bytes.size(), stdout);
      return {};
    }));
    fmt::print("\n");
    return {};
  }
  TRY(format::Json rows, api.request("POST", "/v1/sql", statement, "text/plain"));
  print_rows(rows);
  return {};
}

/// One statement a line, until the end of the input. A statement that fails does not end the others.
void run_lines(ApiClient& api, Session& session) {
  bool prompt = isatty(STDIN_FILENO) != 0;
  std::string line;
  while (true) {
    if (prompt) fmt::print(stderr, "millrace> ");
    if (!std::getline(std::cin, line)) break;
    if (line.find_first_not_of(" \t\r") == std::string::npos) continue;
    session.check(run_statement(api, session, line));
    std::fflush(stdout);
  }
}

}  // namespace

void add_sql(CLI::App& program, Session& session) {
  auto options = std::make_shared<SqlOptions>();
  CLI::App* command =
      program.add_subcommand("sql", "run one SQL statement, or one a line from stdin, over topics, tables and dead letters");
  command->footer(
      "Examples:\n"
      "  millrace sql \"SELECT gender, count(*) FROM spark_streams.created_users GROUP BY ALL\"\n"
      "  millrace sql -o json \"SELECT _offset, name.first FROM users_created LIMIT 3\"\n"
      "  echo \"SELECT * FROM dead_letters\" | millrace sql");
  command->add_option("statement", options->statement, "the statement; without it lines are read from stdin")->type_name("SQL");
  add_data_option(*command, session);
  add_output_option(*command, session);
  command->callback([&session, options] {
    auto api = ApiClient::connect(session.data, true);
    if (!api) return session.fail(api.error());
    if (options->statement.empty()) {
      run_lines(*api, session);
    } else {
      session.check(run_statement(*api, session, options->statement));
    }
  });
}

}  // namespace millrace::cli
