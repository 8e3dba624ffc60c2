#include <fmt/format.h>

#include "cli/command.h"

namespace millrace::cli {
namespace {

using format::Json;

struct LetterOptions {
  std::string id;
  std::string query;
  std::string where;
  int64_t limit = 1000;
};

std::string path_of_id(std::string_view id) {
  std::string path = "/v1/dead-letters";
  while (!id.empty()) {
    size_t slash = id.find('/');
    path += "/" + path_segment(id.substr(0, slash));
    id.remove_prefix(slash == std::string_view::npos ? id.size() : slash + 1);
  }
  return path;
}

}  // namespace

void add_dead_letters(CLI::App& program, Session& session) {
  CLI::App* command = program.add_subcommand("dead-letters", "records that a query could not process: list, show, replay");
  command->require_subcommand(1);
  auto options = std::make_shared<LetterOptions>();
  CLI::App* list = add_api_verb(
      *command, session, "list", "dead letters with the reason", true, [&session, options](ApiClient& api) -> Status {
        std::string path = fmt::format("/v1/dead-letters?limit={}", options->limit);
        if (!options->query.empty()) path += "&query=" + path_segment(options->query);
        TRY(Json letters, api.get(path));
        print_list(session, letters,
                   {{"id", "ID"}, {"stage", "STAGE"}, {"code", "CODE"}, {"message", "MESSAGE"}, {"value", "VALUE"}});
        return {};
      });
  list->add_option("--query", options->query, "of one query only")->type_name("QUERY");
  list->add_option("-n,--limit", options->limit, "how many at most")->check(CLI::Range(1, 100000))->capture_default_str();
  list->footer("The same with SQL:\n  millrace sql \"SELECT stage, code, count(*) FROM dead_letters GROUP BY ALL\"");
  CLI::App* show = add_api_verb(*command, session, "show", "one dead letter with all it has", true,
                                [&session, options](ApiClient& api) -> Status {
                                  TRY(Json letter, api.get(path_of_id(options->id)));
                                  print_object(session, letter);
                                  return {};
                                });
  show->add_option("id", options->id, "as `list` prints it")->required()->type_name("ID");
  CLI::App* replay =
      add_api_verb(*command, session, "replay", "process dead letters again, after a fix", false,
                   [&session, options](ApiClient& api) -> Status {
                     TRY(Json report, api.post("/v1/dead-letters/replay", Json::object().set("where", options->where)));
                     print_object(session, report);
                     return {};
                   });
  replay->add_option("--where", options->where, "an SQL predicate over the relation dead_letters (default: all)")
      ->type_name("SQL");
  replay->footer("Example:\n  millrace dead-letters replay --where \"query = 'created_users' AND stage = 'sql'\"");
}

}  // namespace millrace::cli
