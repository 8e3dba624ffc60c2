#include "store/verify.h"

#include <fmt/format.h>
#include <rocksdb/db.h>
#include <rocksdb/file_checksum.h>

#include <algorithm>
#include <charconv>
#include <map>

#include "env/file.h"
#include "store/batch.h"
#include "store/record_log.h"
#include "store/rocks.h"
#include "store/tuning.h"

namespace millrace::store {
namespace {

/// A file in pieces of 32 KiB.
template <class OnPiece>
Status read_pieces(const std::string& path, OnPiece on_piece) {
  TRY(auto file, env::real_file_system().open(path, env::OpenMode::kRead));
  std::string piece(kRecordBlockBytes, '\0');
  for (uint64_t position = 0;; position += piece.size()) {
    TRY(size_t got, file->read_at(position, piece.data(), piece.size()));
    if (got > 0) on_piece(std::string_view(piece).substr(0, got));
    if (got < piece.size()) return {};
  }
}

Status scan_record_log(const std::string& path, std::vector<Damage>& damage) {
  RecordLogScanner scanner;
  TRY_DO(read_pieces(path, [&](std::string_view block) { scanner.feed(block); }));
  RecordLogScan scan = scanner.end();
  if (scan.is_damaged()) {
    damage.push_back(
        {path, scan.broken->position,
         fmt::format("{}, and a whole one stands behind it at byte {}", scan.broken->what, *scan.broken->whole_behind)});
  }
  return {};
}

/// Of the file FORMAT. A newer one is an error.
Status scan_format(const std::string& path, std::vector<Damage>& damage) {
  TRY(std::string text, env::read_file(env::real_file_system(), path + "/FORMAT", 64));
  uint32_t format = 0;
  auto parsed = std::from_chars(text.data(), text.data() + text.size(), format);
  if (parsed.ec != std::errc() || format == 0 || text != fmt::format("{}\n", format)) {
    damage.push_back({path + "/FORMAT", 0, "it is not the number of a format"});
  } else if (format > kFormat) {
    return fail(Errc::kFailedPrecondition,
                fmt::format("{}/FORMAT says format {}, newer than the {} that this version reads", path, format, kFormat),
                "use the version of millrace that wrote it, or a newer one");
  }
  return {};
}

/// CURRENT names the manifest that is valid. Without the file RocksDB would begin a new, empty database.
Status scan_current(const std::string& path, const std::vector<std::string>& names, std::vector<Damage>& damage) {
  std::string current = path + "/CURRENT";
  if (!std::binary_search(names.begin(), names.end(), "CURRENT")) {
    // The first manifest alone is what an interrupted creation leaves.
    bool has_data = std::any_of(names.begin(), names.end(), [](const std::string& name) {
      return (name.starts_with("MANIFEST-") && name != "MANIFEST-000001") || name.ends_with(".sst") || name.ends_with(".log");
    });
    if (has_data) damage.push_back({current, 0, "it is gone, and with it the way to the store's manifest"});
    return {};
  }
  TRY(std::string text, env::read_file(env::real_file_system(), current, 1024));
  std::string name = text.substr(0, text.find('\n'));
  if (!name.starts_with("MANIFEST-") || text != name + "\n" || !std::binary_search(names.begin(), names.end(), name)) {
    damage.push_back({current, 0, fmt::format("it does not name a manifest that is there, but '{}'", name)});
    return {};
  }
  return scan_record_log(path + "/" + name, damage);
}

/// What the checksum of a sorted file is made with; the manifest says which function it was.
std::unique_ptr<rocksdb::FileChecksumGenerator> make_checksum(const std::string& file, const std::string& function) {
  rocksdb::FileChecksumGenContext context;
  context.file_name = file;
  context.requested_checksum_func_name = function;
  return rocksdb::GetFileChecksumGenCrc32cFactory()->CreateFileChecksumGenerator(context);
}

Status verify_sorted_file(const rocksdb::LiveFileMetaData& known, const std::string& path, std::vector<Damage>& damage) {
  TRY(bool exists, env::real_file_system().exists(path));
  if (!exists) {
    damage.push_back({path, 0, "it is gone"});
    return {};
  }
  auto checksum = make_checksum(path, known.file_checksum_func_name);
  if (checksum == nullptr) {
    damage.push_back({path, 0, "the store's manifest has no checksum of it"});
    return {};
  }
  uint64_t bytes = 0;
  TRY_DO(read_pieces(path, [&](std::string_view piece) {
    checksum->Update(piece.data(), piece.size());
    bytes += piece.size();
  }));
  checksum->Finalize();
  if (bytes != known.size) {
    damage.push_back(
        {path, std::min<uint64_t>(bytes, known.size), fmt::format("it has {} bytes instead of {}", bytes, known.size)});
  } else if (checksum->GetChecksum() != known.file_checksum) {
    damage.push_back({path, 0, "its checksum is not the one in the store's manifest"});
  }
  return {};
}

/// Opens what can be opened: files are judged here, one by one, and not by RocksDB, which stops at the first.
Result<std::vector<rocksdb::LiveFileMetaData>> sorted_files(const std::string& path) {
  Options options;
  options.path = path;
  options.read_only = true;
  rocksdb::DBOptions db_options = store::db_options(options);
  db_options.paranoid_checks = false;
  std::vector<rocksdb::ColumnFamilyDescriptor> families = {{rocksdb::kDefaultColumnFamilyName, {}}};
  for (const char* name : kSpaceNames) families.emplace_back(name, rocksdb::ColumnFamilyOptions());
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* opened = nullptr;
  auto status = rocksdb::DB::OpenForReadOnly(db_options, path, families, &handles, &opened);
  if (!status.ok()) return fail(to_error(fmt::format("opening the store {}", path), status));
  std::unique_ptr<rocksdb::DB> db(opened);
  std::vector<rocksdb::LiveFileMetaData> files;
  db->GetLiveFilesMetaData(&files);
  for (auto* handle : handles) db->DestroyColumnFamilyHandle(handle);
  return files;
}

}  // namespace

bool is_data_file(std::string_view name) { return name != "LOCK" && !name.starts_with("LOG") && name != "ingest-tmp"; }

Result<std::vector<Damage>> scan_files(const std::string& path) {
  auto& files = env::real_file_system();
  std::vector<Damage> damage;
  TRY(bool has_format, files.exists(path + "/FORMAT"));
  TRY(bool has_database, files.exists(path + "/CURRENT"));
  if (!has_format && !has_database) return damage;
  if (!has_format) {
    return fail(Errc::kFailedPrecondition, fmt::format("{} holds a database without the file FORMAT", path),
                "if millrace wrote it, restore that file from a backup; otherwise choose another data directory");
  }
  TRY_DO(scan_format(path, damage));
  TRY(auto names, files.list(path));
  TRY_DO(scan_current(path, names, damage));
  for (const std::string& name : names) {
    if (name.ends_with(".log")) TRY_DO(scan_record_log(path + "/" + name, damage));
  }
  return damage;
}

Status check_files(const std::string& path) {
  TRY(auto damage, scan_files(path));
  if (damage.empty()) return {};
  return fail(Errc::kCorruption, fmt::format("{} is damaged at byte {}: {}", damage[0].file, damage[0].position, damage[0].what),
              "`millrace verify` names every damaged file; restore these from a backup");
}

Result<VerifyReport> verify(const std::string& path) {
  VerifyReport report;
  TRY(report.damage, scan_files(path));
  auto files = sorted_files(path);
  if (!files) {
    // What was found says it better.
    if (report.damage.empty()) report.damage.push_back({path, 0, files.error().message});
    return report;
  }
  for (const auto& file : *files) {
    ++report.files;
    TRY_DO(verify_sorted_file(file, file.directory + "/" + file.relative_filename, report.damage));
  }
  return report;
}

}  // namespace millrace::store
