#include <fmt/format.h>
#include <unistd.h>

#include <csignal>

#include "cli/command.h"
#include "env/env.h"
#include "serve/randomuser/server.h"

namespace millrace::cli {
namespace {

struct ServeOptions {
  std::string address = "127.0.0.1";
  uint16_t port = 0;
  double error_rate = 0;
  double malformed = 0;
  std::string slow;
  uint64_t seed = 1;
};

Status serve_people(const ServeOptions& chosen) {
  serve::randomuser::RandomUserServer::Options options;
  options.address = chosen.address;
  options.port = chosen.port;
  options.misbehaviour.error_share = chosen.error_rate;
  options.misbehaviour.malformed_share = chosen.malformed;
  options.misbehaviour.seed = chosen.seed;
  if (!chosen.slow.empty()) {
    TRY(options.misbehaviour.delay, parse_duration(chosen.slow));
  }
  // Waited for below, so it must be blocked before the server's threads are made.
  sigset_t stop;
  sigemptyset(&stop);
  sigaddset(&stop, SIGINT);
  sigaddset(&stop, SIGTERM);
  pthread_sigmask(SIG_BLOCK, &stop, nullptr);
  env::Env env = env::real_env();
  TRY(auto server, serve::randomuser::RandomUserServer::start(std::move(options), env.clock, env.random));
  fmt::print("{}\n", server->url());
  std::fflush(stdout);
  int signal = 0;
  sigwait(&stop, &signal);
  server->stop();
  return {};
}

}  // namespace

void add_randomuser(CLI::App& program, Session& session) {
  auto options = std::make_shared<ServeOptions>();
  CLI::App* verb = program.add_subcommand(
      "randomuser", "serve an API of made-up people in the shape of randomuser.me; can misbehave on request");
  verb->add_option("--port", options->port, "port (default: a free one)")->type_name("PORT");
  verb->add_option("--error-rate", options->error_rate, "share of answers that are HTTP 500 or 503")
      ->check(CLI::Range(0.0, 1.0))
      ->type_name("SHARE");
  verb->add_option("--malformed", options->malformed, "share of answers that are cut off or HTML")
      ->check(CLI::Range(0.0, 1.0))
      ->type_name("SHARE");
  verb->add_option("--slow", options->slow, "delay of every answer")->type_name("DURATION");
  verb->add_option("--seed", options->seed, "which answers misbehave")->type_name("N");
  verb->footer(
      "Example:\n  millrace randomuser --port 8080 --error-rate 0.2 --slow 300ms\n  curl "
      "'http://127.0.0.1:8080/api/?results=2&seed=abc&nat=ch,fr'");
  verb->callback([&session, options] { session.check(serve_people(*options)); });
}

}  // namespace millrace::cli
