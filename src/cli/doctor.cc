#include <fmt/format.h>

#include <filesystem>

#include "cli/command.h"
#include "env/descriptors.h"
#include "env/env.h"
#include "env/fault.h"

namespace millrace::cli {
namespace {

using format::Json;

struct Finding {
  std::string what;
  bool good;
  std::string detail;
};

/// The data directory, or the nearest one above that is there: looking leaves nothing behind.
std::string place_of(env::Env env, const std::string& data) {
  std::filesystem::path place = std::filesystem::absolute(data);
  while (!env.files.exists(place.string()).value_or(true) && place.has_relative_path()) place = place.parent_path();
  return place.string();
}

/// Whether a durable append works in the directory, and how long it takes.
Finding try_sync(env::Env env, const std::string& place) {
  std::string path = place + "/.millrace-doctor.tmp";
  auto attempt = [&]() -> Result<Duration> {
    TRY(auto file, env.files.open(path, env::OpenMode::kWrite));
    TRY_DO(file->write_at(0, std::string(4096, 'x')));
    Duration begin = env.clock.monotonic();
    TRY_DO(file->sync());
    return env.clock.monotonic() - begin;
  };
  auto took = attempt();
  (void)env.files.remove(path);
  if (!took) return {"durable write", false, took.error().message};
  return {"durable write", true, fmt::format("one fsync in {} took {} us", place, took->count())};
}

std::vector<Finding> examine(const std::string& data) {
  env::Env env = env::real_env();
  std::vector<Finding> findings;
  std::string place = place_of(env, data);
  findings.push_back(try_sync(env, place));
  if (auto space = env.files.space(place)) {
    findings.push_back(
        {"disk", space->free_bytes > (uint64_t{1} << 30), fmt::format("{} MiB free in {}", space->free_bytes >> 20, place)});
  }
  uint64_t descriptors = env::descriptor_limit();
  findings.push_back(
      {"descriptors", descriptors >= 1024, fmt::format("{} files may be open; raise with `ulimit -n`", descriptors)});
#if defined(__x86_64__)
  findings.push_back({"processor", __builtin_cpu_supports("sse4.2") != 0, "SSE4.2 for checksums"});
#endif
  return findings;
}

}  // namespace

void add_doctor(CLI::App& program, Session& session) {
  CLI::App* verb = program.add_subcommand("doctor", "what this machine lacks, and the fault points for tests");
  add_data_option(*verb, session);
  add_output_option(*verb, session);
  verb->footer(
      "Fault points are set with MILLRACE_FAULTS=\"name=action[,after=N][,odds=P][,seed=S][,ms=N][,path=TEXT];…\",\n"
      "actions exit, abort, eio, enospc, short, delay, drop_unsynced.");
  verb->callback([&session] {
    std::vector<Finding> findings = examine(session.data);
    Json list = Json::array(), points = Json::array();
    for (const Finding& finding : findings) {
      list.push(Json::object().set("check", finding.what).set("ok", finding.good).set("detail", finding.detail));
      if (!finding.good) session.exit_code = kFailed;
    }
    for (const env::FaultPoint& point : env::fault_points())
      points.push(Json::object().set("name", point.name).set("where", point.where));
    if (session.json()) {
      fmt::print("{}\n", to_json(Json::object().set("checks", std::move(list)).set("fault_points", std::move(points))));
      return;
    }
    print_list(session, list, {{"check", "CHECK"}, {"ok", "OK"}, {"detail", ""}});
    fmt::print("\nfault points (MILLRACE_FAULTS):\n");
    print_list(session, points, {{"name", "NAME"}, {"where", "WHERE"}});
  });
}

}  // namespace millrace::cli
