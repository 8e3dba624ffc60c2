#pragma once

#include <atomic>
#include <string>

#include "app/backup_manifest.h"
#include "app/data_dir.h"
#include "app/file_tree.h"
#include "base/mutex.h"

namespace millrace::app {

/// Copies of a data directory to a stated point, one at a time, while everything in it goes on.
///
/// The order makes the copy consistent: the scheduler's state, then the store, then each partition up to an end that is not
/// before any position in the store's copy. So what a run has recorded as done is in the store and the topics, every record that
/// a query has counted is in its topic, and what came later is read again. Topics that a query owns end where its last commit in
/// the copy ends.
///
/// Threading: every method from any thread. Lifetime: the data directory outlives it.
class Backups {
 public:
  explicit Backups(DataDir& data) : data_(data) {}

  /// Fills `target`, an absolute path that is absent or empty. Errors: kFailedPrecondition (one runs already), kAlreadyExists,
  /// kInvalidArgument (within the data directory), kDiskFull, kCancelled (the server stops), kCorruption naming the file of the
  /// data directory (what was copied is not sound), kIo. Nothing is left of it then.
  Result<BackupManifest> make(const std::string& target);

  struct State {
    bool running = false;
    std::string target;  // of the one that runs, or ran last
    uint64_t bytes_done = 0;
    uint64_t bytes_total = 0;
  };
  State state() const;
  /// The one that runs gives up, and so does every later one.
  void stop() { stopping_ = true; }

 private:
  DataDir& data_;
  std::atomic<bool> stopping_ = false;
  std::atomic<uint64_t> bytes_done_ = 0;
  std::atomic<uint64_t> bytes_total_ = 0;
  mutable Mutex mutex_;
  bool running_ GUARDED_BY(mutex_) = false;
  std::string target_ GUARDED_BY(mutex_);
};

/// The same of a directory that no process uses; nothing in it changes. kUnavailable when one does, kNotFound.
Result<BackupManifest> backup_at_rest(env::Env env, const std::string& data, const std::string& target, const Progress& progress);

/// Whether the directory is a backup, whole or not.
Result<bool> is_backup(env::FileSystem& files, const std::string& path);
/// Errors: kNotFound (no backup), kDataLoss (one that was never finished), kCorruption, kFailedPrecondition (newer format).
Result<BackupManifest> read_manifest(env::FileSystem& files, const std::string& backup);

/// What stands in a data directory while a backup of it is made; left behind by a crash, it can go.
std::string backup_staging_path(const std::string& data);
/// What a backup has: the first name until all of it is there and durable, the second one from then on.
inline constexpr std::string_view kUnfinishedName = "backup.unfinished";
inline constexpr std::string_view kManifestName = "backup.manifest";

}  // namespace millrace::app
