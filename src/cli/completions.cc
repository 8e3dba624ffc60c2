#include <fmt/format.h>

#include "cli/command.h"

namespace millrace::cli {
namespace {

/// Words after each command, from the program's own description of itself.
std::string bash_script(CLI::App& program) {
  std::string commands, cases;
  for (CLI::App* command : program.get_subcommands({})) {
    commands += command->get_name() + " ";
    std::string words;
    for (CLI::App* verb : command->get_subcommands({})) words += verb->get_name() + " ";
    for (CLI::Option* option : command->get_options()) {
      if (!option->get_lnames().empty()) words += "--" + option->get_lnames().front() + " ";
    }
    cases += fmt::format("    {}) words=\"{}\" ;;\n", command->get_name(), words);
  }
  return fmt::format(
      "_millrace() {{\n"
      "  local words=\"{}\" current=\"${{COMP_WORDS[COMP_CWORD]}}\"\n"
      "  if [ \"$COMP_CWORD\" -gt 1 ]; then case \"${{COMP_WORDS[1]}}\" in\n{}  esac; fi\n"
      "  COMPREPLY=($(compgen -W \"$words\" -- \"$current\") $(compgen -f -- \"$current\"))\n"
      "}}\ncomplete -F _millrace millrace ./millrace\n",
      commands, cases);
}

}  // namespace

void add_completions(CLI::App& program, Session&) {
  auto shell = std::make_shared<std::string>("bash");
  CLI::App* verb = program.add_subcommand("completions", "a script that completes commands in the shell");
  verb->add_option("shell", *shell, "bash, or zsh (which reads it after `autoload bashcompinit && bashcompinit`)")
      ->check(CLI::IsMember({"bash", "zsh"}))
      ->capture_default_str();
  verb->footer("Example:\n  source <(millrace completions bash)");
  verb->callback([&program] { fmt::print("{}", bash_script(program)); });
}

}  // namespace millrace::cli
