#include <fmt/format.h>

#include <filesystem>

#include "cli/command.h"

namespace millrace::cli {
namespace {

using format::Json;

struct ApplyOptions {
  std::string file;
  std::string profile;
};

Status apply(Session& session, const ApplyOptions& options) {
  TRY(ApiClient api, ApiClient::connect(session.data, false));
  Json body = Json::object();
  body.set("file", std::filesystem::absolute(options.file).string()).set("profile", options.profile);
  TRY(Json answer, api.post("/v1/apply", body));
  bool faulty = false;
  for (const Json& fault : *answer.find("faults")->as_array()) {
    faulty |= fault.string_or("severity", "") == "error";
    if (!session.json()) {
      fmt::print(stderr, "{}:{}:{}: {}: {} [{}]\n", fault.string_or("file", ""), fault.int_or("line", 0),
                 fault.int_or("column", 0), fault.string_or("severity", ""), fault.string_or("message", ""),
                 fault.string_or("code", ""));
    }
  }
  bool applied = answer.bool_or("applied", false);
  if (session.json()) {
    fmt::print("{}\n", to_json(answer));
  } else {
    for (const Json& change : *answer.find("changes")->as_array()) {
      fmt::print("{:<8} {}{}{}\n", change.string_or("verdict", ""), change.string_or("what", ""),
                 change.string_or("reason", "").empty() ? "" : ": ", change.string_or("reason", ""));
    }
    fmt::print("{}\n",
               applied ? (answer.find("changes")->as_array()->empty() ? "nothing to change" : "applied") : "nothing was changed");
  }
  if (!applied) session.exit_code = faulty ? kFaultsFound : kFailed;
  return {};
}

}  // namespace

void add_apply(CLI::App& program, Session& session) {
  auto options = std::make_shared<ApplyOptions>();
  CLI::App* verb = program.add_subcommand("apply", "change a running pipeline to what its edited file says, without a restart");
  verb->add_option("file", options->file, "the pipeline file")->required()->type_name("FILE");
  verb->add_option("--profile", options->profile, "the profile (default: dev)")->type_name("NAME");
  add_data_option(*verb, session);
  add_output_option(*verb, session);
  verb->footer(
      "What can change live does; if one change is refused, nothing is changed, and the reason is said.\nExample:\n  millrace "
      "apply examples/users.yaml");
  verb->callback([&session, options] { session.check(apply(session, *options)); });
}

}  // namespace millrace::cli
