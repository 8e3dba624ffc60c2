#include "app/restore.h"

#include <fmt/format.h>

#include <filesystem>

#include "app/backup.h"

namespace millrace::app {
namespace {

Damage differs(const std::string& path, uint32_t crc, const BackupManifest::File& wanted) {
  return {path, 0, fmt::format("its CRC-32C is {:08x}, and was {:08x} when the backup was made", crc, wanted.crc)};
}

Result<VerifyReport> check_files(env::FileSystem& files, const std::string& backup, const BackupManifest& manifest,
                                 const Progress& progress) {
  VerifyReport report;
  for (const BackupManifest::File& file : manifest.files) {
    std::string path = backup + "/" + file.name;
    auto crc = read_through(files, path, file.bytes, [&](uint64_t, std::string_view piece) -> Status {
      report.bytes += piece.size();
      return progress(report.bytes, manifest.bytes());
    });
    ++report.files;
    if (crc && *crc != file.crc) report.damage.push_back(differs(path, *crc, file));
    if (crc) continue;
    if (crc.error().code == Errc::kCancelled) return fail(std::move(crc.error()));
    report.damage.push_back({path, 0, crc.error().message});
  }
  return report;
}

/// Whoever removes or replaces a data directory takes what is below it along. The root is no place to refuse: all is below it.
Status check_outside_data(env::FileSystem& files, const std::string& path) {
  for (auto above = std::filesystem::path(path).parent_path(); above != above.root_path(); above = above.parent_path()) {
    TRY(bool has_store, files.exists((above / "store" / "CURRENT").string()));
    TRY(bool is_used, files.exists((above / "LOCK").string()));
    if (!has_store && !is_used) continue;
    return fail(Errc::kInvalidArgument, fmt::format("{} is within the data directory {}", path, above.string()),
                "name a directory elsewhere");
  }
  return {};
}

Status make_data(env::FileSystem& files, const std::string& backup, const BackupManifest& manifest, const std::string& data,
                 const Progress& progress) {
  std::string beside = data + ".restoring";
  TRY(bool left_over, files.exists(beside));
  if (left_over) {
    return fail(Errc::kAlreadyExists, fmt::format("{} is there: another restore runs, or was interrupted", beside),
                "if none runs, remove it and try again");
  }
  FileTree tree(files, beside);
  TRY_DO(tree.make_root());
  TRY_DO(tree.expect(manifest.bytes(), progress));
  for (const BackupManifest::File& file : manifest.files) {
    TRY(BackupManifest::File made, tree.copy(backup + "/" + file.name, file.name, file.bytes));
    if (made != file)
      return fail(Errc::kCorruption, fmt::format("{}/{}: it changed while it was read, or its disk is bad", backup, file.name));
  }
  TRY_DO(tree.sync());
  TRY_DO(files.rename(beside, data));
  tree.keep();
  return files.sync_directory(std::filesystem::path(data).parent_path().string());
}

}  // namespace

Result<VerifyReport> verify_backup(env::FileSystem& files, const std::string& backup, const Progress& progress) {
  TRY(BackupManifest manifest, read_manifest(files, backup));
  return check_files(files, backup, manifest, progress);
}

Result<BackupManifest> restore(env::FileSystem& files, const std::string& backup, const std::string& data,
                               const Progress& progress) {
  TRY(BackupManifest manifest, read_manifest(files, backup));
  std::string plain = plain_path(data);
  if (is_within(plain, plain_path(backup)))
    return fail(Errc::kInvalidArgument, fmt::format("{} is within the backup {}", plain, backup), "name another directory");
  TRY_DO(check_outside_data(files, plain));
  TRY_DO(check_absent_or_empty(files, plain));
  TRY(VerifyReport report, check_files(files, backup, manifest, progress));
  if (!report.damage.empty()) {
    const Damage& first = report.damage.front();
    return fail(Errc::kCorruption,
                fmt::format("{} of {} files of the backup are damaged; {}: {}", report.damage.size(), report.files, first.file,
                            first.what),
                "`millrace verify` names all of them; restore another backup");
  }
  TRY_DO(make_data(files, backup, manifest, plain, progress));
  return manifest;
}

}  // namespace millrace::app
