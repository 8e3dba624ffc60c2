#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/mutex.h"
#include "env/env.h"
#include "log/partition.h"
#include "log/topic.h"
#include "store/store.h"

namespace millrace::log {

/// The oldest offset of a partition that a query could still have to read again after power loss; nullopt: nobody needs it.
using RetentionFloor = std::function<std::optional<model::Offset>(const model::TopicId&, model::Partition)>;

/// All topics of one data directory: `<dir>/<topic>-<partition>/`. The catalog is in the store.
///
/// Threading: safe from any thread. Lifetime: outlives the Topics it hands out; the env and the store outlive it.
class Log {
 public:
  /// Opens every topic of the catalog, drops what a crash left half made or half dropped, and recovers each partition
  /// (PartitionLog::open). `read_only` changes nothing on disk. Errors: kCorruption naming file and position, kDataLoss when a
  /// topic's directory is gone, or when there are records of a topic that the catalog does not know (nothing is changed then);
  /// kIo.
  static Result<std::unique_ptr<Log>> open(env::Env env, std::string dir, store::Store& store, const Options& options);
  ~Log();
  Log(const Log&) = delete;
  Log& operator=(const Log&) = delete;

  /// What fails leaves no topic behind, now or after the next open. Errors: kInvalidArgument (name or settings), kAlreadyExists,
  /// kDataLoss (a directory of that name holds records), kIo, kDiskFull.
  Result<std::shared_ptr<Topic>> create(const std::string& name, const TopicSettings& settings);
  /// Changes everything but the number of partitions. Errors: kNotFound, kInvalidArgument.
  Status alter(const std::string& name, const TopicSettings& settings);
  /// Removes the topic and its files. A topic of the same name made later has another id and starts at offset 0.
  Status drop(const std::string& name);
  /// Removes every record; the topic keeps its id and offsets go on where they were.
  Status truncate(const std::string& name);
  /// Null when there is none.
  std::shared_ptr<Topic> find(std::string_view name) const;
  /// By name.
  std::vector<std::shared_ptr<Topic>> topics() const;

  /// Deletes whole segments that are past the retention settings and wholly before `floor`. Returns bytes freed.
  Result<uint64_t> enforce_retention(Instant now, const RetentionFloor& floor);

  /// While it lives, every segment stays where it is: retention waits, and no topic is dropped or truncated. Must not outlive the
  /// log.
  class Hold {
   public:
    explicit Hold(Log& log) : log_(&log) {}
    Hold(Hold&& other) noexcept : log_(std::exchange(other.log_, nullptr)) {}
    Hold& operator=(Hold&&) = delete;
    ~Hold();

   private:
    Log* log_;
  };
  /// Holds the segments from a moment on at which the catalog does not change, and runs `copy_store` in that moment: the topics
  /// in its copy are those of this log, whole.
  Result<Hold> hold(const std::function<Status()>& copy_store);

  /// Makes everything written so far durable, whatever the sync modes.
  Status flush();
  /// How long the sync that appends wait for has taken so far; 0 when there is none.
  Duration sync_running_for() const;
  /// Flushes, leaves clean files behind, refuses appends from then on. The destructor calls it too.
  Status close();

 private:
  Log(env::Env env, std::string dir, store::Store& store, const Options& options);

  Status load();
  Status load_topic(const std::string& name, TopicEntry entry);
  Status create_files(const std::string& name, const TopicEntry& entry);
  Status remove_files(const std::string& name, const TopicEntry& entry);
  Status remove_directory(const std::string& dir);
  Status put_entry(const std::string& name, const TopicEntry& entry);
  Status erase_entry(const std::string& name, const TopicEntry& entry);
  Status finish_drop(const std::string& name, const TopicEntry& entry);
  Status drop_entry(const std::string& name, TopicEntry entry);
  Result<std::shared_ptr<Topic>> make_topic(const std::string& name, TopicEntry entry);
  Result<std::shared_ptr<Topic>> open_topic(const std::string& name, const TopicEntry& entry);
  Result<std::shared_ptr<Topic>> require(const std::string& name) const REQUIRES(mutex_);
  std::string partition_dir(const std::string& name, int32_t partition) const;

  env::Env env_;
  const std::string dir_;
  store::Store& store_;
  const Options options_;
  std::unique_ptr<Flusher> flusher_;

  Status check_not_held() const REQUIRES(changes_);

  Mutex changes_;  // one catalog change at a time; taken before mutex_
  int holds_ GUARDED_BY(changes_) = 0;
  mutable Mutex mutex_;
  std::map<std::string, std::shared_ptr<Topic>, std::less<>> topics_ GUARDED_BY(mutex_);
  bool closed_ GUARDED_BY(mutex_) = false;
};

}  // namespace millrace::log
