#include <arpa/inet.h>
#include <fmt/format.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <csignal>

#include "app/instance.h"
#include "app/load_project.h"
#include "app/server.h"
#include "base/log.h"
#include "cli/command.h"
#include "cli/display.h"
#include "env/descriptors.h"

namespace millrace::cli {
namespace {

struct RunOptions {
  std::vector<std::string> files;
  std::string profile;
  std::string listen;
  std::vector<std::string> allowed_hosts;
  bool insecure = false;
  std::optional<std::string> run_for;
  std::optional<uint64_t> min_free;
  bool quiet = false;
};

// A signal handler may do little more than write to a descriptor.
int stop_event = -1;
void on_signal(int number) {
  // Whoever asks twice does not want to wait; everything acknowledged survives that as it survives kill -9.
  static volatile std::sig_atomic_t asked = 0;
  // A terminal that closes sends SIGHUP twice, itself and through its shell: that is no impatience.
  if (asked != 0 && number != SIGHUP) _exit(130);
  asked = 1;
  uint64_t one = 1;
  (void)!::write(stop_event, &one, sizeof one);
}

/// Sleeps until a signal to stop came (true) or the time is over.
bool wait_for_stop(Duration wait) {
  pollfd descriptor{stop_event, POLLIN, 0};
  return ::poll(&descriptor, 1, static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(wait).count())) > 0;
}

bool is_loopback(std::string_view address) { return address == "localhost" || address == "::1" || address.starts_with("127."); }

/// `ADDRESS`, `ADDRESS:PORT`, `:PORT` or `PORT`.
Result<app::Server::Options> listen_options(const RunOptions& options) {
  app::Server::Options server;
  server.allowed_hosts = options.allowed_hosts;
  std::string_view text = options.listen;
  if (text.empty()) return server;
  size_t colon = text.rfind(':');
  bool bare_v6 = std::count(text.begin(), text.end(), ':') > 1 && text.front() != '[';
  std::string_view port;
  if (!bare_v6 && colon != std::string_view::npos) {
    port = text.substr(colon + 1);
    text = text.substr(0, colon);
  } else if (text.find_first_not_of("0123456789") == std::string_view::npos) {
    port = text;
    text = {};
  }
  if (text.size() > 2 && text.front() == '[' && text.back() == ']') text = text.substr(1, text.size() - 2);
  if (!text.empty()) server.address = text == "localhost" ? "127.0.0.1" : std::string(text);
  unsigned char bytes[16];
  if (inet_pton(AF_INET, server.address.c_str(), bytes) != 1 && inet_pton(AF_INET6, server.address.c_str(), bytes) != 1) {
    return fail(Errc::kInvalidArgument, fmt::format("'{}' is no IP address", server.address), "write --listen 127.0.0.1:8080");
  }
  if (!port.empty()) {
    long number = std::strtol(std::string(port).c_str(), nullptr, 10);
    if (port.find_first_not_of("0123456789") != std::string_view::npos || number > 65535) {
      return fail(Errc::kInvalidArgument, fmt::format("'{}' is no port", port), "write --listen 127.0.0.1:8080");
    }
    server.port = static_cast<uint16_t>(number);
  }
  if (!is_loopback(server.address) && !options.insecure) {
    return fail(Errc::kPermissionDenied,
                fmt::format("{} can be reached from other machines, and this version has neither TLS nor login", server.address),
                "put a proxy with TLS and login in front, or say --insecure if the network is trusted");
  }
  return server;
}

void print_faults(const std::vector<project::Fault>& faults) {
  for (const project::Fault& fault : faults) say(project::to_string(fault) + "\n");
}

/// Shows what happens until a signal or the end of `--for`; true when the inputs shall end and the rest be processed.
bool watch(app::Instance& instance, const RunOptions& options, Duration run_for) {
  env::Clock& clock = instance.env().clock;
  Duration end = clock.monotonic() + run_for;
  Display display(instance, options.quiet);
  while (true) {
    Duration wait = display.show();
    if (run_for > Duration(0)) {
      if (clock.monotonic() >= end) return true;
      wait = std::min(wait, end - clock.monotonic());
    }
    if (wait_for_stop(wait)) return false;
  }
}

Status run(Session& session, const RunOptions& options) {
  Duration run_for{0};
  session.exit_code = kWrongUsage;
  if (options.run_for) {
    TRY(run_for, parse_duration(*options.run_for));
    if (run_for == Duration(0)) {
      return fail(Errc::kInvalidArgument, fmt::format("--for {} is no time to run", *options.run_for),
                  "write --for 20s, or leave --for out to run until a signal");
    }
  }
  TRY(app::Server::Options listen, listen_options(options));
  session.exit_code = kDone;
  TRY_DO(env::raise_descriptor_limit());
  env::Env env = env::real_env();
  stop_event = eventfd(0, EFD_CLOEXEC);
  std::signal(SIGINT, on_signal);
  std::signal(SIGTERM, on_signal);
  // nohup has it ignored, and means that.
  if (std::signal(SIGHUP, on_signal) == SIG_IGN) std::signal(SIGHUP, SIG_IGN);

  project::LoadResult loaded = app::load_projects(env, options.files, options.profile);
  print_faults(loaded.faults);
  if (!loaded.project) {
    session.exit_code = kFaultsFound;
    return {};
  }
  std::string name = loaded.project->name;
  app::Instance::Options instance_options;
  instance_options.data = session.data;
  instance_options.min_free_bytes = options.min_free;
  auto opened = app::Instance::open(env, std::move(instance_options));
  if (!opened) {
    if (opened.error().code == Errc::kUnavailable) session.exit_code = kDataInUse;
    return fail(std::move(opened.error()));
  }
  app::Instance& instance = **opened;
  TRY(auto server, app::Server::start(instance, listen));
  TRY(auto faults, instance.start(std::move(*loaded.project), [] { return wait_for_stop(Duration(0)); }));
  print_faults(faults);
  if (app::has_errors(faults)) {
    session.exit_code = kFaultsFound;
    return {};
  }
  say(fmt::format("millrace: pipeline {} runs; data in {}, HTTP API on {}\n", name, session.data, server->url()));
  bool drain = watch(instance, options, run_for);
  say(drain ? "millrace: the time is over: processing the rest\n" : "millrace: stopping; once more to end at once\n");
  instance.stop_inputs();
  bool whole = !drain || instance.drain([] { return wait_for_stop(Duration(0)); });
  server->stop();
  instance.stop();
  if (!whole)
    return fail(Errc::kFailedPrecondition, "not everything was processed before the end",
                "`millrace status` shows what is in flight");
  return {};
}

}  // namespace

void add_run(CLI::App& program, Session& session) {
  auto options = std::make_shared<RunOptions>();
  CLI::App* command = program.add_subcommand("run", "run a pipeline file in the foreground");
  command->add_option("file", options->files, "pipeline files")->required()->type_name("FILE…");
  command->add_option("--profile", options->profile, "where the parts run (default: dev, all embedded)")->type_name("NAME");
  add_data_option(*command, session);
  command->add_option("--listen", options->listen, "address of the HTTP API (default: loopback, a free port)")
      ->type_name("ADDR[:PORT]");
  command->add_option("--allow-host", options->allowed_hosts, "a name that clients may use for this server in the Host header")
      ->type_name("NAME");
  command->add_flag("--insecure", options->insecure, "allow an address beyond loopback without TLS and login");
  // By a function: CLI11 takes an empty text for an optional as none, and an unset variable would run for ever.
  command
      ->add_option_function<std::string>(
          "--for", [options](const std::string& text) { options->run_for = text; },
          "stop the inputs after this time, process the rest, exit 0")
      ->type_name("DURATION");
  command
      ->add_option("--min-free", options->min_free,
                   "below so much free room on the disk sources wait and produce is refused; reads, deletes and queries go on\n"
                   "(default: 1 % of the file system, at least 64MiB, at most 1GiB and a tenth of it)")
      ->transform(CLI::AsSizeValue(true))
      ->envname("MILLRACE_MIN_FREE")
      ->type_name("BYTES");
  command->add_flag("-q,--quiet", options->quiet, "no display of progress");
  command->footer(
      "Examples:\n  millrace run examples/users.yaml\n  millrace run examples/users.yaml --data /var/lib/users --for 20s");
  command->callback([&session, options] { session.check(run(session, *options)); });
}

}  // namespace millrace::cli
