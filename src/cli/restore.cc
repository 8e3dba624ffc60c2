#include "app/restore.h"

#include <fmt/format.h>

#include "cli/command.h"
#include "cli/progress.h"
#include "env/env.h"

namespace millrace::cli {

using format::Json;

namespace {

Result<app::BackupManifest> restore_with_progress(const std::string& backup, const std::string& directory) {
  ProgressLine line("restore");
  return app::restore(env::real_file_system(), backup, directory, [&](uint64_t done, uint64_t total) {
    line.show(done, total);
    return Status();
  });
}

Status restore(Session& session, const std::string& backup, const std::string& directory) {
  TRY(app::BackupManifest manifest, restore_with_progress(backup, directory));
  Json point = point_json(manifest);
  if (session.json()) {
    print_object(session, point.set("data", directory));
    return {};
  }
  fmt::print("{} files, {} bytes in {}\nIt holds what was acknowledged before {}. Next:\n  millrace run FILE --data {}\n",
             manifest.files.size(), manifest.bytes(), directory, point.string_or("taken_at", ""), directory);
  return {};
}

}  // namespace

void add_restore(CLI::App& program, Session& session) {
  auto backup = std::make_shared<std::string>(), directory = std::make_shared<std::string>();
  CLI::App* verb = program.add_subcommand("restore", "make a data directory of a backup, after checking all of it");
  verb->add_option("backup", *backup, "what `millrace backup` made")->required()->type_name("BACKUP");
  verb->add_option("dir", *directory, "the new data directory: empty or not there yet")->required()->type_name("DIR");
  add_output_option(*verb, session);
  verb->footer("Example:\n  millrace restore /backup/users-monday ./restored && millrace run users.yaml --data ./restored");
  verb->callback([&session, backup, directory] { session.check(restore(session, *backup, *directory)); });
}

}  // namespace millrace::cli
