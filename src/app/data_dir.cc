#include "app/data_dir.h"

#include <fmt/format.h>

#include <filesystem>

#include "app/backup.h"
#include "app/seal.h"
#include "base/log.h"
#include "connect/sqlite/sqlite_metadata_store.h"
#include "log/catalog.h"
#include "log/partition_state.h"
#include "store/verify.h"
#include "stream/exec/position.h"
#include "table/row_codec.h"

namespace millrace::app {

std::string store_path(const std::string& data) { return data + "/store"; }
std::string log_path(const std::string& data) { return data + "/log"; }
std::string metadata_path(const std::string& data) { return data + "/meta.db"; }
std::string server_json_path(const std::string& data) { return data + "/server.json"; }
std::string token_path(const std::string& data) { return data + "/token"; }
std::string attempts_path(const std::string& data) { return data + "/attempts"; }

namespace {
constexpr std::string_view kMetadataKey = "scheduler/meta.db";
}

Result<bool> has_metadata(store::Store& store) {
  TRY(auto value, store.get(store::Space::kMeta, kMetadataKey));
  return value.has_value();
}

Status remember_metadata(store::Store& store) {
  store::Batch batch;
  batch.put(store::Space::kMeta, kMetadataKey, "1");
  return store.commit(std::move(batch), store::Durability::kSync);
}

DataDir::~DataDir() {
  if (tables_ == nullptr || read_only_) return;
  if (Status closed = close(); !closed) {
    log_warn("app", fmt::format("{} is left without a seal, as after a crash: {}", path_, closed.error().message));
  }
}

Status DataDir::close() {
  tables_.reset();
  Status closed = log_->close();
  log_.reset();
  Status stored = store_->close();
  store_.reset();
  TRY_DO(closed);
  TRY_DO(stored);
  return write_seal(env_.files, path_);
}

namespace {

/// Refuses what a newer version wrote: every format that is read without opening anything for writing.
Status check_formats(env::FileSystem& files, const std::string& path) {
  TRY(bool has_metadata, files.exists(metadata_path(path)));
  if (has_metadata) TRY_DO(connect::sqlite::check_metadata_format(metadata_path(path)));
  store::Options options;
  options.path = store_path(path);
  options.read_only = true;
  auto store = store::Store::open(options);
  // One that is new, or half made: opening it for writing goes on from there, or says what is wrong.
  if (!store) return store.error().code == Errc::kFailedPrecondition ? Status(fail(std::move(store.error()))) : Status();
  TRY(log::Catalog catalog, log::read_catalog(**store));
  TRY_DO(table::Tables::open(**store));
  TRY_DO(stream::each_position(**store, [](std::string_view, std::string_view bytes) -> Status {
    auto position = stream::decode_position(bytes);
    // A damaged one stops its query, and nothing else.
    if (!position && position.error().code == Errc::kFailedPrecondition) return fail(std::move(position.error()));
    return {};
  }));
  for (const auto& [name, topic] : catalog) {
    for (int32_t p = 0; p < topic.settings.partitions; ++p) {
      std::string state = fmt::format("{}/{}-{}/partition.state", log_path(path), name, p);
      auto opened = log::PartitionState::open(files, state, true);
      if (!opened && opened.error().code == Errc::kFailedPrecondition) return fail(std::move(opened.error()));
    }
  }
  return {};
}

/// All that can make a directory unfit is found before the first byte of it changes.
Status check_before_writing(env::FileSystem& files, const std::string& path) {
  TRY_DO(check_seal(files, path));
  TRY_DO(store::check_files(store_path(path)));
  TRY_DO(check_formats(files, path));
  return break_seal(files, path);
}

}  // namespace

Result<std::unique_ptr<DataDir>> DataDir::open(env::Env env, const std::string& path, bool read_only) {
  // Before anything is written: a backup that somebody works in is none any more.
  TRY(bool backup, is_backup(env.files, path));
  if (backup) {
    return fail(Errc::kFailedPrecondition, fmt::format("{} is a backup", path),
                fmt::format("make a data directory of it with `millrace restore {} DIR`", path));
  }
  std::unique_ptr<DataDir> dir(new DataDir(env, path, read_only));
  if (read_only) {
    TRY(bool there, env.files.exists(store_path(path)));
    if (!there)
      return fail(Errc::kNotFound, fmt::format("there is no data in {}", path),
                  "start a pipeline there with `millrace run FILE --data DIR`, or name another directory with --data");
    TRY_DO(check_seal(env.files, path));
  } else {
    TRY_DO(env.files.create_directories(path));
    TRY(auto lock, env::DataLock::acquire(path));
    dir->lock_ = std::make_unique<env::DataLock>(std::move(lock));
    TRY_DO(check_before_writing(env.files, path));
    // Links that a backup left here when it was killed keep files on the disk that the store has long replaced.
    std::error_code ignored;
    std::filesystem::remove_all(backup_staging_path(path), ignored);
  }
  store::Options options;
  options.path = store_path(path);
  options.read_only = read_only;
  options.row_is_dead = [&clock = dir->deletion_clock_](std::string_view, std::string_view value) {
    return table::row_is_dead(value, clock.now());
  };
  TRY(dir->store_, store::Store::open(options));
  log::Options log_options;
  log_options.read_only = read_only;
  TRY(dir->log_, log::Log::open(env, log_path(path), *dir->store_, log_options));
  // Last: a directory that was opened whole is sealed again in the end.
  TRY(dir->tables_, table::Tables::open(*dir->store_));
  return dir;
}

}  // namespace millrace::app
