#include <unistd.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <csignal>
#include <cstdio>
#include <cstdlib>

#include "cli/commands.h"
#include "cli/session.h"
#include "env/fault.h"

namespace {

constexpr const char* kAbout =
    "Millrace: real-time data pipelines from one file of YAML and SQL.\n"
    "An API poller, a log, streaming SQL, tables and a scheduler in one process.\n";

constexpr const char* kFooter =
    "Start here:\n"
    "  millrace init shop && millrace run shop/pipeline.yaml\n"
    "  millrace sql \"SELECT * FROM shop.orders\"      (in another terminal)\n"
    "Every command explains itself: millrace COMMAND --help\n"
    "Exit codes: 0 done, 1 failed, 2 wrong usage, 3 faults found, 4 no server answers, 5 data directory in use";

bool is_command(CLI::App& program, std::string_view name) {
  for (CLI::App* command : program.get_subcommands({})) {
    if (command->get_name() == name) return true;
  }
  return false;
}

}  // namespace

int main(int argc, char** argv) {
  using namespace millrace::cli;
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);  // a file above the size limit is an error of that write
  CLI::App program{kAbout, "millrace"};
  program.footer(kFooter);
  program.require_subcommand(1);
  Session session;
  const char* data = std::getenv("MILLRACE_DATA");
  session.data = data != nullptr && *data != '\0' ? data : "./.millrace";
  for (auto add :
       {add_run, add_check, add_explain, add_sql, add_topic, add_table, add_query, add_dags, add_dead_letters, add_status,
        add_verify, add_backup, add_restore, add_doctor, add_init, add_apply, add_randomuser, add_version, add_completions}) {
    add(program, session);
  }
  if (millrace::Status faults = millrace::env::faults_from_environment(); !faults) {
    session.fail(faults.error());
    return kWrongUsage;
  }
  if (argc > 1 && argv[1][0] != '-' && !is_command(program, argv[1])) {
    session.fail({millrace::Errc::kInvalidArgument, "unknown command '" + std::string(argv[1]) + "'",
                  "`millrace --help` lists the commands"});
    return kWrongUsage;
  }
  try {
    program.parse(argc, argv);
  } catch (const CLI::ParseError& error) {
    return program.exit(error) == 0 ? kDone : kWrongUsage;
  }
  std::fflush(stdout);
  return session.exit_code;
}
