#include <fmt/format.h>

#include "app/load_project.h"
#include "cli/command.h"

namespace millrace::cli {
namespace {

using format::Json;

struct CheckOptions {
  std::string file;
  std::string profile;
};
using Options = std::shared_ptr<CheckOptions>;

CLI::App* add_verb(CLI::App& program, Session& session, const Options& options, const char* name, const char* help,
                   std::function<void(const app::Checked&)> show) {
  CLI::App* verb = program.add_subcommand(name, help);
  verb->add_option("file", options->file, "the pipeline file")->required()->type_name("FILE");
  verb->add_option("--profile", options->profile, "the profile to check (default: dev)")->type_name("NAME");
  add_output_option(*verb, session);
  verb->callback([&session, options, show = std::move(show)] {
    auto checked = app::check_project(env::real_env(), options->file, options->profile);
    if (!checked) return session.fail(checked.error());
    show(*checked);
    if (!checked->project) session.exit_code = kFaultsFound;
  });
  return verb;
}

void print_faults(const app::Checked& checked, std::FILE* out) {
  for (const project::Fault& fault : checked.faults) fmt::print(out, "{}\n", project::to_string(fault));
}

}  // namespace

void add_check(CLI::App& program, Session& session) {
  auto options = std::make_shared<CheckOptions>();
  CLI::App* verb = add_verb(
      program, session, options, "check", "every fault of a pipeline file at once, without starting anything",
      [&session, options](const app::Checked& checked) {
        if (session.json()) {
          Json faults = Json::array();
          for (const project::Fault& fault : checked.faults) faults.push(app::fault_json(fault));
          fmt::print("{}\n", to_json(faults));
          return;
        }
        print_faults(checked, stdout);
        auto errors = std::count_if(checked.faults.begin(), checked.faults.end(),
                                    [](const project::Fault& fault) { return fault.severity == project::Severity::kError; });
        auto warnings = static_cast<long>(checked.faults.size()) - errors;
        fmt::print("{}: {}{}\n", options->file, errors == 0 ? "sound" : fmt::format("{} error{}", errors, errors == 1 ? "" : "s"),
                   warnings == 0 ? "" : fmt::format(", {} warning{}", warnings, warnings == 1 ? "" : "s"));
      });
  verb->footer("Exit code 0, or 3 when there are errors.\nExample:\n  millrace check examples/users.yaml -o json");
}

void add_explain(CLI::App& program, Session& session) {
  auto options = std::make_shared<CheckOptions>();
  CLI::App* verb = add_verb(program, session, options, "explain", "the plan of each query, its state, and what is guaranteed",
                            [&session](const app::Checked& checked) {
                              print_faults(checked, stderr);
                              if (session.json()) {
                                fmt::print("{}\n", to_json(checked.explanation_json));
                              } else {
                                for (const std::string& line : checked.explanation) fmt::print("{}\n", line);
                              }
                            });
  verb->footer("Example:\n  millrace explain examples/users.yaml");
}

}  // namespace millrace::cli
