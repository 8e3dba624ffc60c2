#include <fmt/format.h>

#include "app/verify.h"
#include "cli/command.h"
#include "env/env.h"

namespace millrace::cli {

using format::Json;

void add_verify(CLI::App& program, Session& session) {
  auto directory = std::make_shared<std::string>();
  CLI::App* verb =
      program.add_subcommand("verify", "read every file of a data directory at rest and check it; exit 0 only if all are sound");
  verb->add_option("dir", *directory, "the data directory, or a backup (default: as --data)")->type_name("DIR");
  add_data_option(*verb, session);
  add_output_option(*verb, session);
  verb->footer("Example:\n  millrace verify ./.millrace");
  verb->callback([&session, directory] {
    auto report = app::verify(env::real_env(), directory->empty() ? session.data : *directory);
    if (!report) {
      if (report.error().code == Errc::kUnavailable) session.exit_code = kDataInUse;
      return session.fail(report.error());
    }
    Json damage = Json::array();
    for (const Damage& one : report->damage)
      damage.push(Json::object().set("file", one.file).set("position", one.position).set("what", one.what));
    if (session.json()) {
      Json json = Json::object();
      json.set("sound", report->damage.empty())
          .set("files", report->files)
          .set("records", report->records)
          .set("bytes", report->bytes)
          .set("damage", std::move(damage));
      fmt::print("{}\n", to_json(json));
    } else {
      for (const Damage& one : report->damage) fmt::print("{} at byte {}: {}\n", one.file, one.position, one.what);
      fmt::print("{} files, {} records, {} bytes: {}\n", report->files, report->records, report->bytes,
                 report->damage.empty() ? "sound" : fmt::format("{} faults", report->damage.size()));
    }
    if (!report->damage.empty()) session.exit_code = kFailed;
  });
}

}  // namespace millrace::cli
