#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/mutex.h"

/// What this process has changed on disk and not synced, so that the action drop_unsynced can take it back. Kept while fault
/// points are on; off, every call here costs one load.
///
/// Modelled: bytes appended, overwritten or cut since the last sync of the file; names made, removed or renamed since the last
/// sync of their directory, which a sync of the file does not make durable. A rename is atomic, as journaling file systems have
/// it.
/// Not modelled: what an earlier process left unsynced (it is taken as durable), and files that others write (SQLite).
///
/// Threading: safe from any thread.
namespace millrace::env {

/// Held around a change and the note of it, so that a power loss falls before both or after both. While it is held, no fault
/// point may be passed.
class DiskChange {
 public:
  /// Does not return once the power is lost.
  DiskChange();
  ~DiskChange();
  DiskChange(const DiskChange&) = delete;
  DiskChange& operator=(const DiskChange&) = delete;

 private:
  const bool held_;
};

/// A file that is open for writing.
class WrittenFile {
 public:
  /// Of the file that was just opened by `path`; null while fault points are off. What it holds now is taken as durable, unless
  /// this process has written it before.
  static std::shared_ptr<WrittenFile> open(const std::string& path);
  explicit WrittenFile(int descriptor, uint64_t durable_size) : descriptor_(descriptor), durable_size_(durable_size) {}
  ~WrittenFile();

  /// Before bytes are written over, or behind, those that are there.
  void before_write(uint64_t position, uint64_t size) EXCLUDES(mutex_);
  void before_truncate(uint64_t size) EXCLUDES(mutex_);
  struct Sync {
    uint64_t size;    // of the file
    uint64_t number;  // of what came first
  };
  Sync before_sync() EXCLUDES(mutex_);
  void after_sync(const Sync& sync) EXCLUDES(mutex_);
  /// Leaves the file as a power loss would; see lose_power.
  void lose(std::optional<uint64_t> chance) EXCLUDES(mutex_);
  bool is_durable() EXCLUDES(mutex_);

 private:
  struct Overwrite {
    uint64_t number;
    uint64_t position;
    std::string before;
  };
  uint64_t size() const;
  void keep_bytes(uint64_t position, uint64_t size) REQUIRES(mutex_);

  const int descriptor_;  // of its own: the name may go, and the writer may close
  Mutex mutex_;
  uint64_t durable_size_ GUARDED_BY(mutex_);
  uint64_t next_number_ GUARDED_BY(mutex_) = 1;
  uint64_t sync_begun_ GUARDED_BY(mutex_) = 0;
  uint64_t sync_ended_ GUARDED_BY(mutex_) = 0;
  std::vector<Overwrite> overwrites_ GUARDED_BY(mutex_);  // of durable bytes, oldest first
};

/// What stands under a name, kept while the name goes, for note_removed and note_renamed.
class KeptFile {
 public:
  KeptFile() = default;
  /// Keeps nothing when there is no such file, or while fault points are off.
  explicit KeptFile(const std::string& path);
  ~KeptFile();
  KeptFile(KeptFile&& other) noexcept;
  KeptFile& operator=(KeptFile&& other) noexcept;
  void restore(const std::string& path) const;

 private:
  int descriptor_ = -1;
};

/// After the change. `before`: what stood under the name that is gone.
void note_created(const std::string& path);
void note_removed(const std::string& path, KeptFile before);
void note_renamed(const std::string& from, const std::string& to, KeptFile before);
/// Changes of names so far, to be asked for before a directory is synced and handed in afterwards.
uint64_t name_changes();
void note_directory_synced(const std::string& path, uint64_t changes);

/// Takes back what was not synced: all of it, or with a `seed` a part: of each file some bytes behind the durable ones may stay
/// (torn), overwritten bytes may stay or not, and the oldest changes of names stay. Everybody who changes a file afterwards
/// waits for ever, so the process must end next.
void lose_power(std::optional<uint64_t> seed);

}  // namespace millrace::env
