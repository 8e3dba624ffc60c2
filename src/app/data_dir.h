#pragma once

#include <memory>
#include <string>

#include "env/cautious_clock.h"
#include "env/data_lock.h"
#include "env/env.h"
#include "log/log.h"
#include "store/store.h"
#include "table/tables.h"

namespace millrace::app {

/// Everything durable of one data directory but the scheduler's state: lock, store, topics, tables (ARCHITECTURE.md).
///
/// Opening recovers whatever a crash left, and nothing else: what a clean stop left has a seal (seal.h), and is refused unless it
/// is just that. The destructor of a writable one seals it. Nothing is written before these checks are done. Errors: kUnavailable
/// (another process holds the directory), kFailedPrecondition (a newer version wrote it), kCorruption and kDataLoss naming the
/// file, kIo.
class DataDir {
 public:
  /// `read_only` takes no lock and changes nothing; kNotFound when there is no such directory.
  static Result<std::unique_ptr<DataDir>> open(env::Env env, const std::string& path, bool read_only);
  ~DataDir();

  const std::string& path() const { return path_; }
  env::Env env() const { return env_; }
  bool read_only() const { return read_only_; }
  /// By which rows and records become too old to be kept.
  env::Clock& deletion_clock() { return deletion_clock_; }
  store::Store& store() { return *store_; }
  log::Log& log() { return *log_; }
  table::Tables& tables() { return *tables_; }

 private:
  Status close();
  DataDir(env::Env env, std::string path, bool read_only)
      : env_(env), path_(std::move(path)), read_only_(read_only), deletion_clock_(env.clock) {}

  env::Env env_;
  const std::string path_;
  const bool read_only_;
  env::CautiousClock deletion_clock_;
  // In order of dependence: each uses the ones above it.
  std::unique_ptr<env::DataLock> lock_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<log::Log> log_;
  std::unique_ptr<table::Tables> tables_;
};

/// Whether the scheduler's database was made here once: then it must be there. The store remembers it.
Result<bool> has_metadata(store::Store& store);
Status remember_metadata(store::Store& store);

/// Names of what stands in a data directory.
std::string store_path(const std::string& data);
std::string log_path(const std::string& data);
std::string metadata_path(const std::string& data);
std::string server_json_path(const std::string& data);
std::string token_path(const std::string& data);
std::string attempts_path(const std::string& data);

}  // namespace millrace::app
