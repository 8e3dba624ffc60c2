#include <fmt/format.h>

#include "cli/command.h"

namespace millrace::cli {
namespace {

using format::Json;

struct TableOptions {
  std::string table;
  std::vector<std::string> key;
};
using Options = std::shared_ptr<TableOptions>;

std::string path_of(const TableOptions& options) {
  std::string path = "/v1/tables/" + path_segment(options.table);
  for (const std::string& part : options.key) path += "/" + path_segment(part);
  return path;
}

CLI::App* add_request(CLI::App& command, Session& session, const Options& options, const char* verb, const char* help,
                      const char* method, const char* suffix) {
  bool reads = std::string_view(method) == "GET";
  CLI::App* added =
      add_api_verb(command, session, verb, help, reads, [&session, options, method, suffix](ApiClient& api) -> Status {
        TRY(Json answer, api.request(method, path_of(*options) + suffix, {}, {}));
        if (answer.as_array() != nullptr && !session.json()) {
          print_rows(answer);
        } else {
          print_object(session, answer);
        }
        return {};
      });
  added->add_option("table", options->table, "keyspace.table")->required()->type_name("TABLE");
  return added;
}

}  // namespace

void add_table(CLI::App& program, Session& session) {
  CLI::App* command = program.add_subcommand("table", "list, describe, get, delete and truncate tables and their rows");
  command->require_subcommand(1);
  auto options = std::make_shared<TableOptions>();
  add_api_verb(*command, session, "list", "all tables", true, [&session](ApiClient& api) -> Status {
    TRY(Json tables, api.get("/v1/tables"));
    print_list(session, tables,
               {{"table", "TABLE"},
                {"columns", "COLUMNS"},
                {"partition_key", "PARTITION KEY"},
                {"clustering", "CLUSTERING"},
                {"ttl", "TTL"}});
    return {};
  });
  add_request(*command, session, options, "describe", "columns, key and number of rows", "GET", "");
  CLI::App* get = add_request(*command, session, options, "get", "the row of a key, or all rows of a partition key", "GET", "");
  get->add_option("key", options->key, "a value for each key column, in the order of the key")->required()->type_name("VALUE…");
  get->footer("Example:\n  millrace table get spark_streams.created_users 1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed");
  CLI::App* erase =
      add_request(*command, session, options, "delete", "delete the row of a key, or, without a key, the table", "DELETE", "");
  erase->add_option("key", options->key, "a value for each key column; none: the whole table")->type_name("VALUE…");
  add_request(*command, session, options, "truncate", "delete all rows of a table", "POST", "/truncate");
}

}  // namespace millrace::cli
