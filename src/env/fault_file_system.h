#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "env/file.h"

namespace millrace::env {

/// Files in memory that know what a disk would have kept. Bytes that were not synced and directory entries that were not
/// dir-synced may vanish in `lose_power`; calls fail on demand.
///
/// The model is harsh where POSIX allows it: syncing a file does not make its name durable; after a failed sync, later ones
/// succeed without keeping what that one lost. A rename is atomic, as every journaling file system has it.
///
/// Threading: safe from any thread. Lifetime: outlives its files.
class FaultFileSystem : public FileSystem {
 public:
  enum class Call { kOpen, kRead, kWrite, kSync, kTruncate, kRemove, kRename, kSyncDirectory };
  enum class Failure {
    kIo,
    kNoSpace,
    kShort,      // a write leaves half of its bytes, then kIo; like kIo elsewhere
    kPowerLoss,  // lose_power with the number of calls so far as seed, then kIo
  };
  static constexpr size_t kSectorBytes = 512;

  FaultFileSystem();
  ~FaultFileSystem() override;

  /// Power off and on. Each unsynced sector is kept, lost or torn, each unsynced directory change kept or lost, each unsynced
  /// size kept, lost or (when it grew) in between, as the seed decides. Every open file fails with kIo from now on.
  void lose_power(uint64_t seed);
  /// The n-th call of this kind from now on fails, n = 1 being the next. Pending failures of a kind do not disturb one another.
  void fail_call(Call call, uint64_t n, Failure failure);
  /// Calls of this kind so far, also failed ones.
  uint64_t calls(Call call) const;
  /// From now on files may grow by this many bytes in all; removing and truncating gives room back.
  void set_free_bytes(uint64_t bytes);

  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override;
  Status create_directories(const std::string& path) override;
  Result<std::vector<std::string>> list(const std::string& path) override;
  Status remove(const std::string& path) override;
  Status rename(const std::string& from, const std::string& to) override;
  Status sync_directory(const std::string& path) override;
  Result<bool> exists(const std::string& path) override;
  Result<DiskSpace> space(const std::string& path) override;

 private:
  struct Node;
  class OpenFile;
  using NodePtr = std::shared_ptr<Node>;
  /// One name's new meaning; no node: the name is gone.
  struct Entry {
    NodePtr directory;
    std::string name;
    NodePtr node;
  };
  using Change = std::vector<Entry>;  // kept or lost as a whole
  struct Place {
    NodePtr directory;
    std::string name;
    NodePtr node;  // null when there is no such entry
  };
  struct Planned {
    uint64_t at;
    Failure failure;
  };

  static void enter(const Change& change, std::map<std::string, NodePtr> Node::* entries);
  Result<Place> find(const std::string& path) const REQUIRES(mutex_);
  Result<NodePtr> find_directory(const std::string& path) const REQUIRES(mutex_);
  void apply(Change change) REQUIRES(mutex_);
  std::optional<Failure> take(Call call) REQUIRES(mutex_);
  /// The error of a planned failure, carrying out a power loss; ok without one.
  Status pass(Call call, const std::string& path) REQUIRES(mutex_);
  Status fail_with(Failure failure, const std::string& path) REQUIRES(mutex_);
  void lose_power_locked(uint64_t seed) REQUIRES(mutex_);
  uint64_t used_bytes() const REQUIRES(mutex_);

  static constexpr size_t kCallKinds = 8;
  mutable Mutex mutex_;
  NodePtr root_ GUARDED_BY(mutex_);
  std::vector<Change> unsynced_ GUARDED_BY(mutex_);
  uint64_t boots_ GUARDED_BY(mutex_) = 0;
  std::optional<uint64_t> capacity_ GUARDED_BY(mutex_);
  uint64_t calls_[kCallKinds] GUARDED_BY(mutex_) = {};
  std::vector<Planned> planned_[kCallKinds] GUARDED_BY(mutex_);
};

}  // namespace millrace::env
