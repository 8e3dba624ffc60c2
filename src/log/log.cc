#include "log/log.h"

#include <algorithm>

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/log.h"
#include "log/catalog.h"
#include "log/flusher.h"

// The catalog goes first in both directions. A topic is entered as `creating`, then its directories are made, then it is
// `active`; it is marked `dropping`, then its directories go, then the entry. So whatever stands on disk belongs to an entry, an
// open can drop the topic of either state (nobody was told that one still `creating` exists), and a name is free for a new topic
// only when the old bytes are gone. Records that stand there all the same show that the catalog is damaged or old: nothing is
// removed on its word then.
namespace millrace::log {

namespace {

Status check_settings(const TopicSettings& s) {
  if (s.partitions < 1 || s.partitions > kPartitionsMax) {
    return fail(Errc::kInvalidArgument, fmt::format("a topic has 1 to {} partitions, not {}", kPartitionsMax, s.partitions));
  }
  if (s.sync == SyncMode::kInterval && s.sync_interval_ms < 1)
    return fail(Errc::kInvalidArgument, "a sync interval is at least 1 ms");
  if (s.retention_ms.value_or(0) < 0) return fail(Errc::kInvalidArgument, "a retention time is not negative");
  return {};
}

}  // namespace

Log::Log(env::Env env, std::string dir, store::Store& store, const Options& options)
    : env_(env), dir_(std::move(dir)), store_(store), options_(options), flusher_(std::make_unique<Flusher>(env.clock)) {}

Duration Log::sync_running_for() const { return flusher_->running_for(); }

Log::~Log() {
  if (auto closed = close(); !closed) log_error("log", closed.error().message);
  flusher_->stop();
}

Result<std::unique_ptr<Log>> Log::open(env::Env env, std::string dir, store::Store& store, const Options& options) {
  std::unique_ptr<Log> log(new Log(env, std::move(dir), store, options));
  TRY_DO(log->load());
  return log;
}

std::string Log::partition_dir(const std::string& name, int32_t partition) const {
  return fmt::format("{}/{}-{}", dir_, name, partition);
}

Status Log::load() {
  MutexLock changing(changes_);
  if (!options_.read_only) TRY_DO(env_.files.create_directories(dir_));
  TRY(Catalog catalog, read_catalog(store_));
  TRY(std::vector<std::string> strays, find_strays(env_.files, dir_, catalog));
  for (const std::string& stray : strays) log_error("log", lost_by_catalog({stray}).message);
  if (!strays.empty()) return fail(lost_by_catalog(strays));
  for (auto& [name, entry] : catalog) TRY_DO(load_topic(name, std::move(entry)));
  return {};
}

Status Log::load_topic(const std::string& name, TopicEntry entry) {
  if (entry.state != TopicEntry::State::kActive && options_.read_only) return {};
  if (entry.state == TopicEntry::State::kCreating) {
    // With records it has been active, and only the catalog is behind.
    TRY(bool records, topic_has_records(env_.files, dir_, name, entry));
    if (!records) entry.state = TopicEntry::State::kDropping;
  }
  if (entry.state == TopicEntry::State::kDropping) return finish_drop(name, entry);
  std::shared_ptr<Topic> topic;
  if (entry.state == TopicEntry::State::kCreating) {
    TRY(topic, make_topic(name, entry));
  } else {
    TRY(topic, open_topic(name, entry));
  }
  MutexLock lock(mutex_);
  topics_[name] = std::move(topic);
  return {};
}

Result<std::shared_ptr<Topic>> Log::open_topic(const std::string& name, const TopicEntry& entry) {
  std::vector<std::shared_ptr<PartitionLog>> partitions;
  for (int32_t i = 0; i < entry.settings.partitions; ++i) {
    model::Partition number(i);
    std::string dir = partition_dir(name, i);
    TRY(bool exists, env_.files.exists(dir));
    if (!exists)
      return fail(Errc::kDataLoss, fmt::format("{} is gone, but topic {} is in the catalog", dir, name),
                  "restore it from a backup");
    std::optional<model::Offset> committed;
    TRY(auto end, store_.get(store::Space::kMeta, visible_end_key(entry.id, number)));
    if (end && end->size() == sizeof(int64_t)) committed = model::Offset(load_be<int64_t>(end->data()));
    TRY(auto partition, PartitionLog::open(env_, {dir, name, entry.id, number}, entry.settings, options_, *flusher_, committed));
    partitions.push_back(std::move(partition));
  }
  return std::make_shared<Topic>(name, entry.id, entry.settings, std::move(partitions));
}

Status Log::create_files(const std::string& name, const TopicEntry& entry) {
  TRY_DO(check_files(env_.files, dir_, name, entry));
  for (int32_t i = 0; i < entry.settings.partitions; ++i) {
    std::string dir = partition_dir(name, i);
    TRY(bool records, has_records(env_.files, dir));
    if (records) continue;
    TRY_DO(remove_directory(dir));
    TRY_DO(PartitionLog::create(env_.files, {dir, name, entry.id, model::Partition(i)}));
  }
  return env_.files.sync_directory(dir_);
}

Status Log::remove_files(const std::string& name, const TopicEntry& entry) {
  TRY_DO(check_files(env_.files, dir_, name, entry));
  for (int32_t i = 0; i < entry.settings.partitions; ++i) TRY_DO(remove_directory(partition_dir(name, i)));
  return env_.files.sync_directory(dir_);
}

Status Log::remove_directory(const std::string& dir) {
  auto names = env_.files.list(dir);
  if (!names && names.error().code == Errc::kNotFound) return {};
  if (!names) return fail(std::move(names.error()));
  for (const std::string& file : *names) TRY_DO(env_.files.remove(dir + "/" + file));
  return env_.files.remove(dir);
}

Status Log::put_entry(const std::string& name, const TopicEntry& entry) {
  store::Batch batch;
  batch.put(store::Space::kMeta, catalog_key(name), encode_topic_entry(entry));
  return store_.commit(std::move(batch), store::Durability::kSync);
}

Status Log::erase_entry(const std::string& name, const TopicEntry& entry) {
  store::Batch batch;
  batch.erase(store::Space::kMeta, catalog_key(name));
  for (int32_t i = 0; i < entry.settings.partitions; ++i) {
    batch.erase(store::Space::kMeta, visible_end_key(entry.id, model::Partition(i)));
  }
  return store_.commit(std::move(batch), store::Durability::kSync);
}

Status Log::finish_drop(const std::string& name, const TopicEntry& entry) {
  TRY_DO(remove_files(name, entry));
  return erase_entry(name, entry);
}

Status Log::drop_entry(const std::string& name, TopicEntry entry) {
  entry.state = TopicEntry::State::kDropping;
  TRY_DO(put_entry(name, entry));
  return finish_drop(name, entry);
}

Result<std::shared_ptr<Topic>> Log::make_topic(const std::string& name, TopicEntry entry) {
  TRY_DO(create_files(name, entry));
  entry.state = TopicEntry::State::kActive;
  TRY_DO(put_entry(name, entry));
  return open_topic(name, entry);
}

Result<std::shared_ptr<Topic>> Log::create(const std::string& name, const TopicSettings& settings) {
  if (!is_topic_name(name)) {
    return fail(Errc::kInvalidArgument, "'" + name + "' cannot be the name of a topic",
                "use 1 to 249 of the characters a-z A-Z 0-9 . _ -");
  }
  TRY_DO(check_settings(settings));
  if (options_.read_only) return fail(Errc::kFailedPrecondition, "the log is open for reading only");
  MutexLock changing(changes_);
  {
    MutexLock lock(mutex_);
    if (closed_) return fail(Errc::kCancelled, "the log is closed");
    if (topics_.contains(name)) return fail(Errc::kAlreadyExists, "topic " + name + " exists already");
  }
  // An entry without a topic is one that a failure left half made or half dropped.
  TRY(auto left, store_.get(store::Space::kMeta, catalog_key(name)));
  if (left) {
    TRY(TopicEntry old, decode_topic_entry(*left));
    TRY_DO(drop_entry(name, std::move(old)));
  }
  TRY_DO(check_name_is_free(env_.files, dir_, name));
  TopicEntry entry{TopicEntry::State::kCreating, env::make_uuid(env_.random), settings};
  TRY_DO(put_entry(name, entry));
  auto topic = make_topic(name, entry);
  if (!topic) {
    // What cannot go now goes at the next open or the next creation; the first error is the one to report.
    if (auto undone = drop_entry(name, std::move(entry)); !undone) {
      log_error("log", fmt::format("topic {} was not created, and what is left of it goes at the next start: {}", name,
                                   undone.error().message));
    }
    return topic;
  }
  MutexLock lock(mutex_);
  topics_[name] = *topic;
  return topic;
}

Result<std::shared_ptr<Topic>> Log::require(const std::string& name) const {
  if (closed_) return fail(Errc::kCancelled, "the log is closed");
  if (options_.read_only) return fail(Errc::kFailedPrecondition, "the log is open for reading only");
  auto it = topics_.find(name);
  if (it == topics_.end()) return fail(Errc::kNotFound, "topic " + name + " does not exist");
  return it->second;
}

Status Log::alter(const std::string& name, const TopicSettings& settings) {
  TRY_DO(check_settings(settings));
  MutexLock changing(changes_);
  std::shared_ptr<Topic> topic;
  {
    MutexLock lock(mutex_);
    TRY(topic, require(name));
  }
  if (settings.partitions != topic->partition_count()) {
    return fail(Errc::kInvalidArgument,
                fmt::format("topic {} has {} partitions, which cannot change", name, topic->partition_count()));
  }
  // A topic that gets an owner keeps what it shows now: the same commit says up to where.
  bool gets_owner = topic->settings().owner.empty() && !settings.owner.empty();
  for (auto& partition : topic->partitions_) TRY_DO(partition->configure(settings));
  store::Batch batch;
  batch.put(store::Space::kMeta, catalog_key(name), encode_topic_entry({TopicEntry::State::kActive, topic->id(), settings}));
  for (auto& partition : topic->partitions_) {
    if (gets_owner) partition->put_visible_end(batch, partition->end_offset());
  }
  TRY_DO(store_.commit(std::move(batch), store::Durability::kSync));
  MutexLock lock(topic->mutex_);
  topic->settings_ = settings;
  return {};
}

Result<Log::Hold> Log::hold(const std::function<Status()>& copy_store) {
  MutexLock changing(changes_);
  TRY_DO(copy_store());
  ++holds_;
  return Hold(*this);
}

Log::Hold::~Hold() {
  if (log_ == nullptr) return;
  MutexLock changing(log_->changes_);
  --log_->holds_;
}

Status Log::check_not_held() const {
  if (holds_ == 0) return {};
  return fail(Errc::kFailedPrecondition, "a backup of the topics is being made", "try again when it has ended");
}

Status Log::drop(const std::string& name) {
  MutexLock changing(changes_);
  TRY_DO(check_not_held());
  std::shared_ptr<Topic> topic;
  {
    MutexLock lock(mutex_);
    TRY(topic, require(name));
  }
  TopicEntry entry{TopicEntry::State::kDropping, topic->id(), topic->settings()};
  TRY_DO(put_entry(name, entry));
  for (auto& partition : topic->partitions_) partition->refuse({Errc::kNotFound, "topic " + name + " was dropped"}, true);
  {
    MutexLock lock(mutex_);
    topics_.erase(name);
  }
  return finish_drop(name, entry);
}

Status Log::truncate(const std::string& name) {
  MutexLock changing(changes_);
  TRY_DO(check_not_held());
  std::shared_ptr<Topic> topic;
  {
    MutexLock lock(mutex_);
    TRY(topic, require(name));
  }
  for (auto& partition : topic->partitions_) TRY_DO(partition->truncate());
  return {};
}

std::shared_ptr<Topic> Log::find(std::string_view name) const {
  MutexLock lock(mutex_);
  auto it = topics_.find(name);
  return it == topics_.end() ? nullptr : it->second;
}

std::vector<std::shared_ptr<Topic>> Log::topics() const {
  MutexLock lock(mutex_);
  std::vector<std::shared_ptr<Topic>> out;
  for (const auto& [name, topic] : topics_) out.push_back(topic);
  return out;
}

Result<uint64_t> Log::enforce_retention(Instant now, const RetentionFloor& floor) {
  // Not while a topic is dropped or truncated.
  MutexLock changing(changes_);
  if (holds_ > 0) return 0;
  uint64_t freed = 0;
  for (const auto& topic : topics()) {
    for (int32_t i = 0; i < topic->partition_count(); ++i) {
      model::Partition number(i);
      std::optional<model::Offset> keep = floor ? floor(topic->id(), number) : std::nullopt;
      TRY(uint64_t bytes, topic->partition(number).enforce_retention(to_millis(now), keep));
      freed += bytes;
    }
  }
  return freed;
}

Status Log::flush() {
  for (const auto& topic : topics()) {
    for (const auto& partition : topic->partitions_) TRY_DO(partition->flush());
  }
  return {};
}

Status Log::close() {
  MutexLock changing(changes_);
  {
    MutexLock lock(mutex_);
    closed_ = true;
  }
  Status out;
  for (const auto& topic : topics()) {
    for (const auto& partition : topic->partitions_) {
      if (auto closed = partition->close(); !closed) out = std::move(closed);
    }
  }
  return out;
}

}  // namespace millrace::log
