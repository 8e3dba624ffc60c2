#include <fmt/format.h>

#include "cli/command.h"

namespace millrace::cli {

using format::Json;

namespace {

void print_status(const Session& session, const Json& status) {
  if (session.json()) return print_object(session, status);
  bool ready = status.bool_or("ready", false);
  fmt::print("{} {} ({})\n", status.string_or("pipeline", "") == "" ? "at rest" : status.string_or("pipeline", ""),
             ready ? "is ready" : "is not ready", status.string_or("data", ""));
  for (const Json& reason : *status.find("reasons")->as_array()) fmt::print("  {}\n", *reason.as_string());
  if (!status.find("sources")->as_array()->empty()) {
    fmt::print("\n");
    print_list(session, *status.find("sources"),
               {{"source", "SOURCE"},
                {"topic", "INTO"},
                {"polls", "POLLS"},
                {"failed_polls", "FAILED"},
                {"out", "RECORDS"},
                {"last_error", "LAST ERROR"}});
  }
  if (!status.find("edges")->as_array()->empty()) {
    fmt::print("\n");
    print_list(session, *status.find("edges"),
               {{"query", "QUERY"},
                {"from", "FROM"},
                {"to", "TO"},
                {"state", "STATE"},
                {"in", "IN"},
                {"out", "OUT"},
                {"filtered", "FILTERED"},
                {"absorbed", "ABSORBED"},
                {"dead", "DEAD"},
                {"skipped", "SKIPPED"},
                {"late", "LATE"},
                {"expired", "EXPIRED"},
                {"in_flight", "IN FLIGHT"}});
  }
}

}  // namespace

void add_status(CLI::App& program, Session& session) {
  CLI::App* verb =
      add_api_verb(program, session, "status", "whether all is well, and the balance of every edge; exit 0 only when ready", true,
                   [&session](ApiClient& api) -> Status {
                     TRY(Json status, api.get("/v1/status"));
                     print_status(session, status);
                     if (!status.bool_or("ready", false)) session.exit_code = status.find("pid")->is_null() ? kNoServer : kFailed;
                     return {};
                   });
  verb->footer(
      "in = out + filtered + absorbed + dead + skipped + late + expired + in_flight: nothing else ever disappears.\nExample:\n  "
      "millrace status -o json");
}

}  // namespace millrace::cli
