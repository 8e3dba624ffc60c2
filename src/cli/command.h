#pragma once

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <functional>
#include <memory>
#include <string>

#include "cli/api_client.h"
#include "cli/commands.h"
#include "cli/session.h"

namespace millrace::cli {

/// A verb that talks to the API: gets --data and -o, connects, and runs `action`.
inline CLI::App* add_api_verb(CLI::App& command, Session& session, const std::string& name, const std::string& help,
                              bool may_be_at_rest, std::function<Status(ApiClient&)> action) {
  CLI::App* verb = command.add_subcommand(name, help);
  add_data_option(*verb, session);
  add_output_option(*verb, session);
  verb->callback([&session, may_be_at_rest, action = std::move(action)] {
    session.check([&]() -> Status {
      TRY(ApiClient api, ApiClient::connect(session.data, may_be_at_rest));
      return action(api);
    }());
  });
  return verb;
}

}  // namespace millrace::cli
