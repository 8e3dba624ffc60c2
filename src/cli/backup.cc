#include "app/backup.h"

#include <fmt/format.h>

#include <future>

#include "cli/command.h"
#include "cli/progress.h"
#include "env/env.h"

namespace millrace::cli {

using format::Json;

namespace {

constexpr std::chrono::milliseconds kAskEvery{200};

/// The server makes the copy; what it says of its progress is asked for beside.
Result<Json> backup_by_server(ApiClient& api, const Session& session, const std::string& target) {
  TRY(ApiClient beside, ApiClient::connect(session.data, false));
  auto answer = std::async(std::launch::async, [&] { return api.post("/v1/backup", Json::object().set("target", target)); });
  ProgressLine line("backup");
  while (answer.wait_for(kAskEvery) != std::future_status::ready) {
    auto state = beside.get("/v1/backup");
    if (state && state->bool_or("running", false))
      line.show(static_cast<uint64_t>(state->int_or("bytes_done", 0)), static_cast<uint64_t>(state->int_or("bytes_total", 0)));
  }
  return answer.get();
}

Result<Json> backup_at_rest(Session& session, const std::string& target) {
  ProgressLine line("backup");
  auto made = app::backup_at_rest(env::real_env(), session.data, target, [&](uint64_t done, uint64_t total) {
    line.show(done, total);
    return Status();
  });
  if (!made && made.error().code == Errc::kUnavailable) session.exit_code = kDataInUse;
  if (!made) return fail(std::move(made.error()));
  return point_json(*made).set("backup", target);
}

Status backup(Session& session, const std::string& given) {
  std::string target = app::plain_path(given);
  auto api = ApiClient::connect(session.data, false);
  if (!api && api.error().code != Errc::kUnavailable) return fail(std::move(api.error()));
  TRY(Json point, api ? backup_by_server(*api, session, target) : backup_at_rest(session, target));
  if (session.json()) {
    print_object(session, point);
    return {};
  }
  fmt::print("{} files, {} bytes in {}\n", point.int_or("files", 0), point.int_or("bytes", 0), target);
  fmt::print("It holds what was acknowledged before {}. Next:\n  millrace restore {} DIR\n", point.string_or("taken_at", ""),
             target);
  return {};
}

}  // namespace

void add_backup(CLI::App& program, Session& session) {
  auto target = std::make_shared<std::string>();
  CLI::App* verb = program.add_subcommand("backup", "copy the data directory to a stated point, also while its server runs");
  verb->add_option("dir", *target, "where to: a directory that is empty or not there yet")->required()->type_name("DIR");
  add_data_option(*verb, session);
  add_output_option(*verb, session);
  verb->footer("Examples:\n  millrace backup /backup/users-monday\n  millrace verify /backup/users-monday");
  verb->callback([&session, target] { session.check(backup(session, *target)); });
}

}  // namespace millrace::cli
