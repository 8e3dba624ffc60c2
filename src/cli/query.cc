#include <fmt/format.h>

#include "cli/command.h"

namespace millrace::cli {
namespace {

using format::Json;

struct QueryOptions {
  std::string query;
  std::string from = "earliest";
};
using Options = std::shared_ptr<QueryOptions>;

std::string path_of(const QueryOptions& options, std::string_view suffix) {
  return "/v1/queries/" + path_segment(options.query) + std::string(suffix);
}

/// A verb on one query that answers with an object, shown by `print`.
CLI::App* add_verb(CLI::App& command, Session& session, const Options& options, const char* name, const char* help, bool reads,
                   std::function<Status(ApiClient&, const QueryOptions&)> action) {
  CLI::App* verb = add_api_verb(command, session, name, help, reads,
                                [options, action = std::move(action)](ApiClient& api) { return action(api, *options); });
  verb->add_option("query", options->query, "the query's name")->required()->type_name("QUERY");
  return verb;
}

void print_why(const Session& session, const Json& answer) {
  if (session.json()) return print_object(session, answer);
  fmt::print("{}\n", answer.string_or("answer", ""));
  const Json* edges = answer.find("edges");
  if (edges == nullptr || edges->as_array() == nullptr) return;
  for (const Json& edge : *edges->as_array()) {
    std::string why = edge.string_or("why", "");
    fmt::print("  {} -> {}: {} in, {} out{}{}\n", edge.string_or("from", ""), edge.string_or("to", ""), edge.int_or("in", 0),
               edge.int_or("out", 0), why.empty() ? "" : ": ", why);
  }
}

}  // namespace

void add_query(CLI::App& program, Session& session) {
  CLI::App* command =
      program.add_subcommand("query", "list, pause, resume and reset queries; why-empty says where records are lost");
  command->require_subcommand(1);
  auto options = std::make_shared<QueryOptions>();
  add_api_verb(*command, session, "list", "all queries with their balance", true, [&session](ApiClient& api) -> Status {
    TRY(Json queries, api.get("/v1/queries"));
    if (session.json()) {
      print_list(session, queries, {});
      return {};
    }
    for (Json& query : *queries.as_array()) {
      for (const Json::Member& count : *query.find("balance")->as_object()) query.set(count.name, count.value);
    }
    print_list(session, queries,
               {{"query", "QUERY"},
                {"topic", "FROM"},
                {"into", "INTO"},
                {"state", "STATE"},
                {"in", "IN"},
                {"out", "OUT"},
                {"filtered", "FILTERED"},
                {"dead", "DEAD"},
                {"in_flight", "IN FLIGHT"}});
    return {};
  });
  for (const char* verb : {"pause", "resume"}) {
    add_verb(*command, session, options, verb,
             std::string_view(verb) == "pause" ? "stop after the epoch under way" : "go on after a pause or a failure", false,
             [&session, verb](ApiClient& api, const QueryOptions& chosen) -> Status {
               TRY(Json answer, api.request("POST", path_of(chosen, std::string("/") + verb), {}, {}));
               print_object(session, answer);
               return {};
             });
  }
  CLI::App* reset = add_verb(*command, session, options, "reset", "process a topic again from a place on", false,
                             [&session](ApiClient& api, const QueryOptions& chosen) -> Status {
                               TRY(Json answer, api.post(path_of(chosen, "/reset"), Json::object().set("from", chosen.from)));
                               print_object(session, answer);
                               return {};
                             });
  reset->add_option("--from", options->from, "earliest, latest, an offset of every partition, or a time")->capture_default_str();
  reset->footer(
      "Into a table, rows are written over by key; into a topic, what is processed again is appended again.\n\n"
      "Examples:\n  millrace query reset created_users --from earliest\n  millrace query reset created_users --from "
      "2026-01-31T08:00:00Z");
  for (const char* verb : {"why-empty", "why-open"}) {
    add_verb(
        *command, session, options, verb,
        std::string_view(verb) == "why-empty" ? "at which edge the first records are lost" : "why a window is not closed yet",
        true, [&session, verb](ApiClient& api, const QueryOptions& chosen) -> Status {
          TRY(Json answer, api.get(path_of(chosen, std::string("/") + verb)));
          print_why(session, answer);
          return {};
        });
  }
}

}  // namespace millrace::cli
