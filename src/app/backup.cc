#include "app/backup.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>
#include <map>

#include "app/version.h"
#include "base/bytes.h"
#include "connect/sqlite/sqlite_metadata_store.h"
#include "log/catalog.h"
#include "log/partition_state.h"
#include "log/verify.h"
#include "store/verify.h"
#include "stream/exec/position.h"

namespace millrace::app {
namespace {

/// A file of the copy before it is made.
struct Planned {
  std::string from;
  std::string name;
  uint64_t bytes = 0;
};

struct Partition {
  std::string name;  // of its directory: `log/<topic>-<partition>`
  model::TopicId topic_id;
  model::Partition number;
  model::Offset end;
};

struct Plan {
  std::string data;  // the directory that is copied
  bool has_metadata = false;
  BackupManifest manifest;
  std::vector<Planned> files;
  std::vector<Partition> partitions;

  uint64_t bytes() const {
    uint64_t sum = 0;
    for (const Planned& file : files) sum += file.bytes;
    return sum;
  }
};

Status plan_file(env::FileSystem& files, const std::string& from, std::string name, Plan& plan) {
  TRY(auto file, files.open(from, env::OpenMode::kRead));
  TRY(uint64_t bytes, file->size());
  plan.files.push_back({from, std::move(name), bytes});
  return {};
}

Status refuse(const std::string& path, const Damage& damage) {
  return fail(Errc::kCorruption, fmt::format("{} is damaged at byte {}: {}", path, damage.position, damage.what),
              "`millrace verify` names all that is damaged when the server is stopped; an earlier backup has it whole");
}

/// Of a store at rest in `dir`, which is the one of the data directory or its checkpoint.
Status plan_store(env::FileSystem& files, const std::string& dir, Plan& plan) {
  TRY(store::VerifyReport report, store::verify(dir));
  if (!report.damage.empty()) {
    const Damage& first = report.damage.front();
    return refuse(store_path(plan.data) + first.file.substr(std::min(dir.size(), first.file.size())), first);
  }
  TRY(auto names, files.list(dir));
  for (const std::string& name : names) {
    if (store::is_data_file(name)) TRY_DO(plan_file(files, dir + "/" + name, "store/" + name, plan));
  }
  return {};
}

Status plan_partition(env::FileSystem& files, log::Topic& topic, model::Partition number, const log::PartitionImage& image,
                      Plan& plan) {
  std::string dir = fmt::format("log/{}-{}", topic.name(), number.value);
  plan.partitions.push_back({dir, topic.id(), number, image.end});
  for (const auto& segment : image.segments) {
    std::string name = dir + "/" + std::filesystem::path(segment.path).filename().string();
    plan.files.push_back({segment.path, name, segment.bytes});
    if (&segment == &image.segments.back()) break;
    // An index is a cache: without one the segment is read when it is opened.
    auto with = [](std::string path) { return path.replace(path.size() - 3, 3, "index"); };
    TRY(bool indexed, files.exists(with(segment.path)));
    if (indexed) TRY_DO(plan_file(files, with(segment.path), with(name), plan));
  }
  return {};
}

/// Every topic of the store's copy, up to an end that the copy's positions and committed ends do not pass.
Status plan_topics(env::FileSystem& files, store::Store& copied, log::Log& log, Plan& plan) {
  TRY(log::Catalog catalog, log::read_catalog(copied));
  for (const auto& [name, entry] : catalog) {
    // One that is half made or half dropped has no records, and the next open finishes it.
    if (entry.state != log::TopicEntry::State::kActive) continue;
    auto topic = log.find(name);
    if (topic == nullptr || topic->id() != entry.id)
      return fail(Errc::kInternal, fmt::format("topic {} of the store's copy is not in the log", name));
    BackupManifest::Topic& point = plan.manifest.topics.emplace_back();
    point.name = name;
    point.id = entry.id;
    for (int32_t p = 0; p < topic->partition_count(); ++p) {
      model::Partition number(p);
      TRY(auto stored, copied.get(store::Space::kMeta, log::visible_end_key(entry.id, number)));
      std::optional<model::Offset> committed;
      if (stored && stored->size() == sizeof(int64_t)) committed = model::Offset(load_be<int64_t>(stored->data()));
      TRY(log::PartitionImage image, topic->partition(number).image(committed));
      point.partitions.push_back({image.start, image.end});
      TRY_DO(plan_partition(files, *topic, number, image, plan));
    }
  }
  return {};
}

/// Positions in the store's copy: the queries go on from there.
Status plan_queries(store::Store& copied, const log::Catalog& catalog, BackupManifest& manifest) {
  return stream::each_position(copied, [&](std::string_view name, std::string_view bytes) -> Status {
    TRY(stream::Position position, stream::decode_position(bytes));
    BackupManifest::Query& query = manifest.queries.emplace_back();
    query.name = name;
    for (const auto& [topic, entry] : catalog) {
      if (entry.id == position.topic_id) query.topic = topic;
    }
    for (const stream::PartitionPosition& partition : position.partitions) query.next.push_back(partition.next);
    return {};
  });
}

/// What a start on the copy would ask for.
Status expect_metadata(store::Store& copied, Plan& plan) {
  TRY(plan.has_metadata, has_metadata(copied));
  if (!plan.has_metadata || std::ranges::count(plan.files, "meta.db", &Planned::name) > 0) return {};
  return refuse(metadata_path(plan.data), {{}, 0, "it is gone, and with it what the scheduler knew"});
}

/// What the attempts of tasks have said. Not their `.pid` files: a server on the copy would end the programs of the first one.
Status plan_task_logs(env::FileSystem& files, const std::string& data, Plan& plan) {
  namespace fs = std::filesystem;
  std::error_code error;
  for (fs::recursive_directory_iterator at(data + "/dags", error), end; !error && at != end; at.increment(error)) {
    std::error_code unknown;
    if (at->path().extension() != ".log" || at->symlink_status(unknown).type() != fs::file_type::regular) continue;
    TRY_DO(plan_file(files, at->path().string(), at->path().string().substr(data.size() + 1), plan));
  }
  if (error && error != std::errc::no_such_file_or_directory)
    return fail(Errc::kIo, fmt::format("cannot list {}/dags: {}", data, error.message()));
  return {};
}

Result<BackupManifest::File> write_state(env::FileSystem& files, FileTree& tree, const Partition& partition) {
  std::string name = partition.name + "/partition.state";
  TRY(std::string path, tree.prepare(name));
  TRY_DO(log::PartitionState::create(files, path, partition.topic_id, partition.number));
  TRY(auto state, log::PartitionState::open(files, path, false));
  TRY_DO(state->set_flushed(partition.end));
  return tree.adopt(name);
}

/// A segment is copied as its bytes are, and only its batches know whether they are right: so all of it is read once more, up to
/// the end that partition.state says.
Status check_log(env::FileSystem& files, const Plan& plan, const std::string& target) {
  if (plan.partitions.empty()) return {};
  TRY(log::VerifyReport report, log::verify(files, log_path(target)));
  if (report.damage.empty()) return {};
  const Damage& first = report.damage.front();
  return refuse(plan.data + first.file.substr(target.size()), first);
}

Status check_metadata(env::FileSystem& files, const Plan& plan, const std::string& target) {
  if (!plan.has_metadata) return {};
  Status sound = connect::sqlite::verify_metadata_store(metadata_path(target));
  // SQLite's index of a write-ahead log, which belongs to no copy.
  std::string index = metadata_path(target) + "-shm";
  TRY(bool indexed, files.exists(index));
  if (indexed) TRY_DO(files.remove(index));
  if (sound) return {};
  return refuse(metadata_path(plan.data), {{}, 0, sound.error().message});
}

/// Copies what is planned, and checks that it is sound. The file that says "not finished" is there before anything else, and
/// becomes the manifest in one step when all the rest is durable.
Result<BackupManifest> write(env::FileSystem& files, Plan plan, const std::string& target, const Progress& progress) {
  FileTree tree(files, target);
  TRY_DO(tree.make_root());
  TRY_DO(tree.expect(plan.bytes(), progress));
  TRY(std::string unfinished, tree.prepare(std::string(kUnfinishedName)));
  TRY(auto manifest_file, files.open(unfinished, env::OpenMode::kCreate));
  TRY_DO(tree.sync());
  for (const Planned& file : plan.files) {
    TRY(auto copied, tree.copy(file.from, file.name, file.bytes));
    plan.manifest.files.push_back(std::move(copied));
  }
  for (const Partition& partition : plan.partitions) {
    TRY(auto state, write_state(files, tree, partition));
    plan.manifest.files.push_back(std::move(state));
  }
  TRY_DO(check_metadata(files, plan, target));
  TRY_DO(check_log(files, plan, target));
  std::ranges::sort(plan.manifest.files, {}, &BackupManifest::File::name);
  TRY_DO(tree.sync());
  std::string text = encode_manifest(plan.manifest);
  if (text.size() > kBackupManifestBytesMax)
    return fail(Errc::kResourceExhausted, fmt::format("the manifest would have {} bytes: there are too many files", text.size()));
  TRY_DO(manifest_file->write_at(0, text));
  TRY_DO(manifest_file->sync());
  TRY_DO(files.rename(unfinished, target + "/" + std::string(kManifestName)));
  // Whole from here on, also when the name is lost with the power: then it is unfinished.
  tree.keep();
  TRY_DO(files.sync_directory(target));
  return std::move(plan.manifest);
}

/// The plain form of `target`, if a backup of `data` can be made there.
Result<std::string> check_target(env::FileSystem& files, const std::string& data, const std::string& target) {
  if (!target.starts_with('/'))
    return fail(Errc::kInvalidArgument, fmt::format("'{}' is not an absolute path", target), "name the target from / on");
  std::string plain = plain_path(target);
  if (is_within(plain, plain_path(data))) {
    return fail(Errc::kInvalidArgument, fmt::format("{} is within the data directory {}", plain, data),
                "a backup belongs elsewhere, best onto another disk");
  }
  TRY_DO(check_absent_or_empty(files, plain));
  return plain;
}

/// `<data>/backup.tmp/`, for the copies that are links or small; gone in the end.
class Staging {
 public:
  explicit Staging(const std::string& data) : path_(backup_staging_path(data)) { clear(); }
  ~Staging() { clear(); }
  const std::string& path() const { return path_; }

 private:
  void clear() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  const std::string path_;
};

/// Copies scheduler's state and store aside, and plans all the rest around the store's copy.
Result<log::Log::Hold> plan_live(DataDir& data, const Staging& staging, Plan& plan) {
  env::FileSystem& files = data.env().files;
  TRY_DO(files.create_directories(staging.path()));
  TRY_DO(plan_task_logs(files, data.path(), plan));
  TRY(bool has_metadata, files.exists(metadata_path(data.path())));
  if (has_metadata) {
    std::string copy = metadata_path(staging.path());
    TRY_DO(connect::sqlite::copy_metadata_store(metadata_path(data.path()), copy));
    TRY_DO(plan_file(files, copy, "meta.db", plan));
  }
  store::Options options;
  options.path = store_path(staging.path());
  options.read_only = true;
  TRY(auto hold, data.log().hold([&] { return data.store().checkpoint(options.path); }));
  TRY_DO(plan_store(files, options.path, plan));
  TRY(auto copied, store::Store::open(options));
  TRY_DO(expect_metadata(*copied, plan));
  TRY_DO(plan_topics(files, *copied, data.log(), plan));
  TRY(log::Catalog catalog, log::read_catalog(*copied));
  TRY_DO(plan_queries(*copied, catalog, plan.manifest));
  return hold;
}

Plan begin_plan(env::Clock& clock, const std::string& data) {
  Plan plan;
  plan.data = data;
  plan.manifest.version = kVersion;
  plan.manifest.taken_at = clock.now();
  return plan;
}

Result<BackupManifest> make_live(DataDir& data, const std::string& target, const Progress& progress) {
  Plan plan = begin_plan(data.env().clock, data.path());
  Staging staging(data.path());
  TRY(log::Log::Hold hold, plan_live(data, staging, plan));
  return write(data.env().files, std::move(plan), target, progress);
}

}  // namespace

std::string backup_staging_path(const std::string& data) { return data + "/backup.tmp"; }

Result<BackupManifest> Backups::make(const std::string& target) {
  TRY(std::string plain, check_target(data_.env().files, data_.path(), target));
  {
    MutexLock lock(mutex_);
    if (running_)
      return fail(Errc::kFailedPrecondition, fmt::format("a backup to {} is being made", target_), "try again when it has ended");
    running_ = true;
    target_ = plain;
    bytes_done_ = bytes_total_ = 0;
  }
  auto made = make_live(data_, plain, [this](uint64_t done, uint64_t total) -> Status {
    bytes_done_ = done;
    bytes_total_ = total;
    if (stopping_) return fail(Errc::kCancelled, "the server stops, and has given the backup up");
    return {};
  });
  MutexLock lock(mutex_);
  running_ = false;
  return made;
}

Backups::State Backups::state() const {
  MutexLock lock(mutex_);
  return {running_, target_, bytes_done_, bytes_total_};
}

Result<BackupManifest> backup_at_rest(env::Env env, const std::string& data, const std::string& target,
                                      const Progress& progress) {
  TRY(bool there, env.files.exists(store_path(data)));
  if (!there) return fail(Errc::kNotFound, fmt::format("there is no data in {}", data), "name its directory with --data");
  TRY(std::string plain, check_target(env.files, data, target));
  TRY(auto lock, env::DataLock::acquire(data));
  TRY(auto dir, DataDir::open(env, data, true));
  Plan plan = begin_plan(env.clock, data);
  TRY_DO(plan_task_logs(env.files, data, plan));
  for (const char* name : {"meta.db", "meta.db-wal"}) {
    TRY(bool exists, env.files.exists(data + "/" + name));
    if (exists) TRY_DO(plan_file(env.files, data + "/" + name, name, plan));
  }
  TRY_DO(expect_metadata(dir->store(), plan));
  TRY_DO(plan_store(env.files, store_path(data), plan));
  TRY_DO(plan_topics(env.files, dir->store(), dir->log(), plan));
  TRY(log::Catalog catalog, log::read_catalog(dir->store()));
  TRY_DO(plan_queries(dir->store(), catalog, plan.manifest));
  return write(env.files, std::move(plan), plain, progress);
}

Result<bool> is_backup(env::FileSystem& files, const std::string& path) {
  TRY(bool whole, files.exists(fmt::format("{}/{}", path, kManifestName)));
  if (whole) return true;
  return files.exists(fmt::format("{}/{}", path, kUnfinishedName));
}

Result<BackupManifest> read_manifest(env::FileSystem& files, const std::string& backup) {
  std::string path = fmt::format("{}/{}", backup, kManifestName);
  TRY(bool whole, files.exists(path));
  TRY(bool any, is_backup(files, backup));
  if (!any) return fail(Errc::kNotFound, fmt::format("{} is no backup: it has no file {}", backup, kManifestName));
  if (!whole) {
    return fail(Errc::kDataLoss, fmt::format("the backup {} was interrupted and is not whole", backup),
                "remove it, and make another one with `millrace backup`");
  }
  TRY(std::string text, env::read_file(files, path, kBackupManifestBytesMax));
  auto manifest = decode_manifest(text);
  if (!manifest) return fail(at(path, std::move(manifest.error())));
  return manifest;
}

}  // namespace millrace::app
