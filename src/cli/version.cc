#include "app/version.h"

#include <fmt/format.h>

#include "cli/command.h"

namespace millrace::cli {

void add_version(CLI::App& program, Session& session) {
  CLI::App* verb = program.add_subcommand("version", "the version of this binary");
  add_output_option(*verb, session);
  verb->callback([&session] {
    if (session.json()) {
      fmt::print("{}\n", to_json(format::Json::object().set("version", app::kVersion)));
    } else {
      fmt::print("millrace {}\n", app::kVersion);
    }
  });
}

}  // namespace millrace::cli
