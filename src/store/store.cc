#include "store/store.h"

#include <fmt/format.h>
#include <rocksdb/cache.h>
#include <rocksdb/convenience.h>
#include <rocksdb/db.h>
#include <rocksdb/utilities/checkpoint.h>

#include <atomic>

#include "base/log.h"
#include "env/fault.h"
#include "env/file.h"
#include "store/background.h"
#include "store/batch.h"
#include "store/fault_files.h"
#include "store/ingest.h"
#include "store/rocks.h"
#include "store/tuning.h"
#include "store/verify.h"

namespace millrace::store {
namespace {

struct RocksSnapshot : Snapshot {
  explicit RocksSnapshot(rocksdb::DB& db) : db(db), frozen(db.GetSnapshot()) {}
  ~RocksSnapshot() override { db.ReleaseSnapshot(frozen); }
  rocksdb::DB& db;
  const rocksdb::Snapshot* frozen;
};

rocksdb::ReadOptions read_options(const Snapshot* snapshot) {
  rocksdb::ReadOptions read;
  if (snapshot != nullptr) read.snapshot = static_cast<const RocksSnapshot*>(snapshot)->frozen;
  return read;
}

class RocksCursor : public Cursor {
 public:
  RocksCursor(rocksdb::DB& db, rocksdb::ColumnFamilyHandle* family, std::string_view from, std::string_view to,
              const Snapshot* snapshot)
      : end_(to), end_slice_(slice(end_)) {
    rocksdb::ReadOptions read = read_options(snapshot);
    if (!end_.empty()) read.iterate_upper_bound = &end_slice_;
    read.auto_prefix_mode = false;
    iterator_.reset(db.NewIterator(read, family));
    iterator_->Seek(slice(from));
  }
  bool valid() const override { return iterator_->Valid(); }
  std::string_view key() const override { return view(iterator_->key()); }
  std::string_view value() const override { return view(iterator_->value()); }
  void next() override { iterator_->Next(); }
  Status status() const override {
    if (auto status = iterator_->status(); !status.ok()) return fail(to_error("scanning the store", status));
    return {};
  }

 private:
  std::string end_;
  rocksdb::Slice end_slice_;
  std::unique_ptr<rocksdb::Iterator> iterator_;
};

class RocksStore : public Store {
 public:
  explicit RocksStore(const Options& options) : options_(options), background_(std::make_shared<Background>()) {}
  ~RocksStore() override;

  Status open();
  Status commit(Batch batch, Durability durability) override;
  Result<std::optional<std::string>> get(Space space, std::string_view key, const Snapshot* snapshot) override;
  Status get_many(Space space, std::span<const std::string_view> keys, const std::function<void(size_t, std::string_view)>& found,
                  const Snapshot* snapshot) override;
  std::unique_ptr<Snapshot> snapshot() override { return std::make_unique<RocksSnapshot>(*db_); }
  std::unique_ptr<Cursor> scan(Space space, std::string_view from, std::string_view to, const Snapshot* snapshot) override {
    return std::make_unique<RocksCursor>(*db_, family(space), from, to, snapshot);
  }
  Status sync() override;
  Status checkpoint(const std::string& path) override;
  Status settle() override;
  Status close() override;
  uint64_t bytes_on_disk() override;

 private:
  Status end();
  rocksdb::ColumnFamilyHandle* family(Space space) const { return families_[static_cast<size_t>(space)]; }
  std::string ingest_folder() const { return options_.path + "/ingest-tmp"; }
  /// A number of RocksDB's, summed over the key spaces.
  uint64_t number(const char* property) const;
  uint64_t loose_files() const;
  Status write(rocksdb::WriteBatch& changes, Durability durability);
  Status ingest(Batch::Parts& parts);

  const Options options_;
  std::shared_ptr<Background> background_;
  std::unique_ptr<DeadRows> dead_rows_;
  std::unique_ptr<rocksdb::DB> db_;
  rocksdb::ColumnFamilyHandle* default_family_ = nullptr;
  Families families_{};
  std::atomic<uint64_t> next_ingestion_ = 0;
};

RocksStore::~RocksStore() { (void)end(); }

Status RocksStore::close() {
  rocksdb::Status flushed;
  if (!options_.read_only) flushed = db_->Flush(rocksdb::FlushOptions(), {families_.begin(), families_.end()});
  Status ended = end();
  if (!flushed.ok()) return fail(to_error(fmt::format("closing the store {}", options_.path), flushed));
  return ended;
}

Status RocksStore::end() {
  if (db_ == nullptr) return {};
  rocksdb::CancelAllBackgroundWork(db_.get(), true);
  for (auto* family : families_) db_->DestroyColumnFamilyHandle(family);
  db_->DestroyColumnFamilyHandle(default_family_);
  auto status = db_->Close();
  db_.reset();
  if (!status.ok()) return fail(to_error(fmt::format("closing the store {}", options_.path), status));
  return {};
}

/// Nothing is written before everything that can be said without RocksDB is right.
Status prepare_folder(const std::string& path, bool read_only) {
  TRY_DO(check_files(path));
  auto& files = env::real_file_system();
  TRY(bool has_format, files.exists(path + "/FORMAT"));
  if (has_format) return {};
  if (read_only) return fail(Errc::kNotFound, fmt::format("there is no store in {}", path));
  TRY_DO(files.create_directories(path));
  return env::write_file_atomically(files, path + "/FORMAT", fmt::format("{}\n", kFormat));
}

Status remove_leftovers(const std::string& folder) {
  auto& files = env::real_file_system();
  TRY_DO(files.create_directories(folder));
  TRY(auto names, files.list(folder));
  for (const std::string& name : names) TRY_DO(files.remove(folder + "/" + name));
  return {};
}

Status RocksStore::open() {
  TRY_DO(prepare_folder(options_.path, options_.read_only));
  if (!options_.read_only) TRY_DO(remove_leftovers(ingest_folder()));
  if (options_.row_is_dead) dead_rows_ = std::make_unique<DeadRows>(options_.row_is_dead);
  rocksdb::LRUCacheOptions cache_options(block_cache_bytes(options_), 4, false, 0.5);
  auto cache = rocksdb::NewLRUCache(cache_options);
  rocksdb::DBOptions db_options = store::db_options(options_);
  db_options.listeners.push_back(background_);
  if (env::faults_are_on()) db_options.env = fault_env();
  // After a full disk RocksDB goes on when the largest write buffer of any family would fit, so the unused one must not be
  // larger.
  rocksdb::ColumnFamilyOptions unused;
  unused.write_buffer_size = options_.write_buffer_bytes;
  std::vector<rocksdb::ColumnFamilyDescriptor> descriptors = {{rocksdb::kDefaultColumnFamilyName, unused}};
  for (size_t i = 0; i < kSpaceCount; ++i) {
    descriptors.emplace_back(kSpaceNames[i], family_options(options_, static_cast<Space>(i), cache, dead_rows_.get()));
  }
  std::vector<rocksdb::ColumnFamilyHandle*> handles;
  rocksdb::DB* db = nullptr;
  auto status = options_.read_only ? rocksdb::DB::OpenForReadOnly(db_options, options_.path, descriptors, &handles, &db)
                                   : rocksdb::DB::Open(db_options, options_.path, descriptors, &handles, &db);
  if (!status.ok()) return fail(to_error(fmt::format("opening the store {}", options_.path), status));
  db_.reset(db);
  default_family_ = handles[0];
  std::copy(handles.begin() + 1, handles.end(), families_.begin());
  for (size_t i = 0; i < kSpaceCount; ++i) {
    if (families_[i]->GetID() == SpaceHandle::family_id(static_cast<Space>(i))) continue;
    return fail(Errc::kCorruption,
                fmt::format("{}: the key space {} has the id {}", options_.path, kSpaceNames[i], families_[i]->GetID()));
  }
  return env::fault("store.open");
}

Status RocksStore::commit(Batch batch, Durability durability) {
  if (batch.empty()) return {};
  if (options_.read_only) return fail(Errc::kFailedPrecondition, "the store is open for reading only");
  TRY_DO(env::fault("store.before_commit"));
  Batch::Parts& parts = *Store::parts(batch);
  if (parts.run_rows >= options_.ingest_rows_min || parts.run_bytes >= options_.ingest_bytes_min) return ingest(parts);
  for (const auto& run : parts.runs) {
    for (const Batch::Entry& entry : run.entries) batch.put(run.space, entry.key, entry.value);
  }
  return write(parts.changes, durability);
}

Status RocksStore::write(rocksdb::WriteBatch& changes, Durability durability) {
  rocksdb::WriteOptions options;
  options.sync = durability == Durability::kSync;
  auto status = db_->Write(options, &changes);
  // After a full disk RocksDB refuses writes until it is told, or has seen, that there is space again.
  if (!status.ok() && background_->is_stopped() && db_->Resume().ok()) status = db_->Write(options, &changes);
  if (!status.ok()) return fail(to_error("committing to the store", status));
  return {};
}

Status RocksStore::ingest(Batch::Parts& parts) {
  // Ingestion does not stall by itself: without a bound, files would pile up faster than compaction merges them.
  constexpr uint64_t kLooseFilesMax = 36;
  background_->wait_while([&] { return !background_->is_stopped() && loose_files() > kLooseFilesMax; });
  Ingestion ingestion(*db_, families_, fmt::format("{}/{}", ingest_folder(), next_ingestion_++));
  TRY_DO(ingestion.write_files(parts));
  // Ingested files are durable at once, and must not be before what was committed earlier.
  TRY_DO(sync());
  TRY_DO(env::fault("store.before_ingest"));
  auto done = ingestion.ingest();
  if (!done && background_->is_stopped() && db_->Resume().ok()) done = ingestion.ingest();
  TRY_DO(done);
  return env::fault("store.after_ingest");
}

uint64_t RocksStore::loose_files() const {
  std::string files;
  return db_->GetProperty(family(Space::kRows), "rocksdb.num-files-at-level0", &files) ? std::strtoull(files.c_str(), nullptr, 10)
                                                                                       : 0;
}

Result<std::optional<std::string>> RocksStore::get(Space space, std::string_view key, const Snapshot* snapshot) {
  rocksdb::PinnableSlice value;
  auto status = db_->Get(read_options(snapshot), family(space), slice(key), &value);
  if (status.IsNotFound()) return std::optional<std::string>();
  if (!status.ok()) return fail(to_error("reading the store", status));
  return std::optional<std::string>(std::in_place, value.data(), value.size());
}

Status RocksStore::get_many(Space space, std::span<const std::string_view> keys,
                            const std::function<void(size_t, std::string_view)>& found, const Snapshot* snapshot) {
  constexpr size_t kAtOnce = 128;
  std::array<rocksdb::Slice, kAtOnce> slices;
  std::array<rocksdb::PinnableSlice, kAtOnce> values;
  std::array<rocksdb::Status, kAtOnce> statuses;
  for (size_t begin = 0; begin < keys.size(); begin += kAtOnce) {
    size_t count = std::min(kAtOnce, keys.size() - begin);
    for (size_t i = 0; i < count; ++i) {
      slices[i] = slice(keys[begin + i]);
      values[i].Reset();
    }
    db_->MultiGet(read_options(snapshot), family(space), count, slices.data(), values.data(), statuses.data());
    for (size_t i = 0; i < count; ++i) {
      if (statuses[i].IsNotFound()) continue;
      if (!statuses[i].ok()) return fail(to_error("reading the store", statuses[i]));
      found(begin + i, view(values[i]));
    }
  }
  return {};
}

Status RocksStore::sync() {
  if (options_.read_only) return {};
  // After a failed write RocksDB must not sync that log again: it goes on with a new one, or ends the process by an assertion.
  if (background_->is_stopped()) {
    if (auto status = db_->Resume(); !status.ok()) return fail(to_error("syncing the store", status));
  }
  if (auto status = db_->FlushWAL(true); !status.ok()) return fail(to_error("syncing the store", status));
  return {};
}

Status RocksStore::checkpoint(const std::string& path) {
  if (options_.read_only) return fail(Errc::kFailedPrecondition, "the store is open for reading only");
  rocksdb::Checkpoint* made = nullptr;
  auto status = rocksdb::Checkpoint::Create(db_.get(), &made);
  std::unique_ptr<rocksdb::Checkpoint> checkpoint(made);
  if (status.ok()) status = checkpoint->CreateCheckpoint(path);
  if (!status.ok()) return fail(to_error(fmt::format("copying the store to {}", path), status));
  return env::write_file_atomically(env::real_file_system(), path + "/FORMAT", fmt::format("{}\n", kFormat));
}

uint64_t RocksStore::number(const char* property) const {
  uint64_t sum = 0;
  for (auto* family : families_) {
    uint64_t value = 0;
    if (db_->GetIntProperty(family, property, &value)) sum += value;
  }
  return sum;
}

Status RocksStore::settle() {
  if (options_.read_only) return {};
  std::vector<rocksdb::ColumnFamilyHandle*> all(families_.begin(), families_.end());
  if (auto status = db_->Flush(rocksdb::FlushOptions(), all); !status.ok()) return fail(to_error("flushing the store", status));
  // "Pending" says that there are files to merge, also when the universal picker finds no merge worth its cost: with nothing
  // running for so many looks in a row, it has decided.
  constexpr int kQuietLooks = 20;
  int quiet_looks = 0;
  background_->wait_while([&] {
    bool runs = number("rocksdb.num-running-compactions") + number("rocksdb.num-running-flushes") != 0;
    if (!runs && number("rocksdb.compaction-pending") == 0) return false;
    quiet_looks = runs ? 0 : quiet_looks + 1;
    return quiet_looks < kQuietLooks && !background_->is_stopped();
  });
  return {};
}

uint64_t RocksStore::bytes_on_disk() { return number("rocksdb.total-sst-files-size"); }

}  // namespace

Result<std::unique_ptr<Store>> Store::open(const Options& options) {
  auto store = std::make_unique<RocksStore>(options);
  TRY_DO(store->open());
  return std::unique_ptr<Store>(std::move(store));
}

}  // namespace millrace::store
