#include "store/store.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <thread>

#include "env/fault.h"
#include "env/file.h"
#include "store/verify.h"

namespace millrace::store {
namespace {

class StoreTest : public testing::Test {
 protected:
  void SetUp() override {
    options_.path = testing::TempDir() + "store_test_" + std::to_string(getpid()) + "_" +
                    testing::UnitTest::GetInstance()->current_test_info()->name();
    std::filesystem::remove_all(options_.path);
    options_.ingest_rows_min = 100;
  }
  void TearDown() override {
    ASSERT_TRUE(env::set_faults(""));
    store_.reset();
    std::filesystem::remove_all(options_.path);
  }
  void open() {
    store_.reset();
    auto opened = Store::open(options_);
    ASSERT_TRUE(opened) << opened.error().message;
    store_ = std::move(*opened);
  }
  void commit(Batch batch, Durability durability = Durability::kLog) {
    auto done = store_->commit(std::move(batch), durability);
    ASSERT_TRUE(done) << done.error().message;
  }
  void put(std::string_view key, std::string_view value, Space space = Space::kRows) {
    Batch batch;
    batch.put(space, key, value);
    commit(std::move(batch));
  }
  std::string get(std::string_view key, Space space = Space::kRows, const Snapshot* snapshot = nullptr) {
    auto value = store_->get(space, key, snapshot);
    if (!value) return "error: " + value.error().message;
    return value->value_or("(none)");
  }
  std::string all(Space space = Space::kRows, std::string_view from = "", std::string_view to = "") {
    std::string out;
    auto cursor = store_->scan(space, from, to);
    for (; cursor->valid(); cursor->next()) out += std::string(cursor->key()) + "=" + std::string(cursor->value()) + " ";
    EXPECT_TRUE(cursor->status());
    return out;
  }
  size_t count(Space space = Space::kRows) {
    size_t rows = 0;
    for (auto cursor = store_->scan(space, "", ""); cursor->valid(); cursor->next()) ++rows;
    return rows;
  }

  /// What verify finds in the closed store, as text.
  std::string damage() {
    store_.reset();
    auto report = verify(options_.path);
    if (!report) return "error: " + report.error().message;
    std::string out;
    for (const Damage& one : report->damage) out += one.file + " " + std::to_string(one.position) + ": " + one.what + "\n";
    return out;
  }

  Options options_;
  std::unique_ptr<Store> store_;
};

/// `rows` sorted entries with keys that begin with `prefix`, and their strings.
struct SortedRows {
  SortedRows(std::string prefix, size_t rows, std::string_view value) {
    for (size_t i = 0; i < rows; ++i) {
      std::string number = std::to_string(i);
      keys.push_back(prefix + std::string(6 - number.size(), '0') + number);
    }
    for (const std::string& key : keys) entries.push_back({key, value});
  }
  std::vector<std::string> keys;
  std::vector<Batch::Entry> entries;
};

TEST_F(StoreTest, PutsErasesAndScansByByteOrder) {
  open();
  put("b", "2");
  put("a", "1");
  put(std::string_view("a\0", 2), "1b");
  put("\xff", "9");
  put("a", "other space", Space::kMeta);
  EXPECT_EQ(get("a"), "1");
  EXPECT_EQ(get("zz"), "(none)");
  EXPECT_EQ(count(), 4u);
  EXPECT_EQ(all(Space::kRows, "b", ""), "b=2 \xff=9 ");
  EXPECT_EQ(all(Space::kRows, "b", "c"), "b=2 ");
  EXPECT_EQ(all(Space::kMeta), "a=other space ");
  Batch batch;
  EXPECT_TRUE(batch.empty());
  batch.erase(Space::kRows, "a");
  batch.erase_range(Space::kRows, "b", "c");
  EXPECT_FALSE(batch.empty());
  commit(std::move(batch), Durability::kSync);
  EXPECT_EQ(count(), 2u);
}

TEST_F(StoreTest, SurvivesReopening) {
  open();
  put("k", "v");
  open();
  EXPECT_EQ(get("k"), "v");
  options_.read_only = true;
  open();
  EXPECT_EQ(get("k"), "v");
  Batch batch;
  batch.put(Space::kRows, "k", "w");
  EXPECT_EQ(store_->commit(std::move(batch), Durability::kLog).error().code, Errc::kFailedPrecondition);
}

TEST_F(StoreTest, SmallSortedRunsAreOrdinaryWrites) {
  open();
  SortedRows run("r", 10, "v");
  Batch batch;
  batch.put_sorted(Space::kRows, run.entries);
  EXPECT_GT(batch.bytes(), 0u);
  commit(std::move(batch));
  EXPECT_EQ(count(), 10u);
}

TEST_F(StoreTest, LargeBatchesAreIngestedWithEveryOtherChangeOfThem) {
  open();
  put("r000003", "old");
  put("gone", "old");
  put("range/1", "old");
  put("range/2", "old");
  put("position", "1", Space::kMeta);
  put("letter", "old", Space::kDead);
  SortedRows second("t", 300, "new");
  SortedRows first("r", 200, "new");
  Batch batch;
  batch.put(Space::kMeta, "position", "1.5");
  batch.put(Space::kRows, "range/0", "before the range is erased");
  batch.erase_range(Space::kRows, "range/", "range0");
  batch.put(Space::kRows, "range/2", "after the range is erased");
  batch.put_sorted(Space::kRows, second.entries);
  batch.put_sorted(Space::kRows, first.entries);
  batch.erase(Space::kRows, "gone");
  batch.erase(Space::kDead, "letter");
  batch.put(Space::kState, "s", "t");
  batch.put(Space::kMeta, "position", "2");
  commit(std::move(batch));
  auto check = [&] {
    EXPECT_EQ(get("r000003"), "new");
    EXPECT_EQ(get("gone"), "(none)");
    EXPECT_EQ(all(Space::kRows, "range/", "range0"), "range/2=after the range is erased ");
    EXPECT_EQ(get("position", Space::kMeta), "2");
    EXPECT_EQ(get("letter", Space::kDead), "(none)");
    EXPECT_EQ(get("s", Space::kState), "t");
    EXPECT_EQ(count(), 501u);
  };
  check();
  EXPECT_TRUE(std::filesystem::is_empty(options_.path + "/ingest-tmp"));
  open();
  check();
  ASSERT_TRUE(store_->settle());
  check();
  EXPECT_GT(store_->bytes_on_disk(), 0u);
  EXPECT_EQ(damage(), "");
}

TEST_F(StoreTest, RunsThatOverlapAreMixed) {
  open();
  SortedRows whole("r", 200, "v");
  std::vector<Batch::Entry> even, odd;
  for (size_t i = 0; i < 200; ++i) (i % 2 == 0 ? even : odd).push_back(whole.entries[i]);
  Batch batch;
  batch.put_sorted(Space::kRows, odd);
  batch.put_sorted(Space::kRows, even);
  commit(std::move(batch));
  EXPECT_EQ(count(), 200u);
}

TEST_F(StoreTest, WritesAfterAnIngestionWin) {
  open();
  SortedRows run("r", 200, "ingested");
  Batch batch;
  batch.put_sorted(Space::kRows, run.entries);
  commit(std::move(batch));
  put("r000001", "later");
  open();
  EXPECT_EQ(get("r000001"), "later");
  EXPECT_EQ(get("r000002"), "ingested");
}

TEST_F(StoreTest, SnapshotsSeeOneMoment) {
  open();
  put("r000001", "old");
  auto snapshot = store_->snapshot();
  SortedRows run("r", 200, "new");
  Batch batch;
  batch.put_sorted(Space::kRows, run.entries);
  commit(std::move(batch));
  ASSERT_TRUE(store_->settle());
  EXPECT_EQ(get("r000001", Space::kRows, snapshot.get()), "old");
  EXPECT_EQ(get("r000002", Space::kRows, snapshot.get()), "(none)");
  EXPECT_EQ(get("r000002"), "new");
}

TEST_F(StoreTest, ACheckpointIsAStoreOfWholeCommits) {
  open();
  put("before", "1");
  std::jthread writer([this](std::stop_token stop) {
    // Every third one is ingested as sorted files.
    for (int i = 0; !stop.stop_requested(); ++i) {
      Batch batch;
      std::string number = std::to_string(i);
      std::vector<std::string> keys;
      for (int k = 0; k < (i % 3 == 0 ? 120 : 2); ++k) keys.push_back("k" + std::to_string(1000 + k));
      std::vector<Batch::Entry> rows;
      for (const std::string& key : keys) rows.push_back({key, number});
      batch.put_sorted(Space::kRows, rows);
      batch.put(Space::kMeta, "position", number);
      if (!store_->commit(std::move(batch), Durability::kLog)) return;
    }
  });
  for (int i = 0; i < 20; ++i) {
    Options copied = options_;
    copied.path = options_.path + "-copy";
    auto made = store_->checkpoint(copied.path);
    ASSERT_TRUE(made) << made.error().message;
    auto copy = Store::open(copied);
    ASSERT_TRUE(copy) << copy.error().message;
    EXPECT_EQ(**(*copy)->get(Space::kRows, "before"), "1");
    auto position = *(*copy)->get(Space::kMeta, "position");
    EXPECT_EQ(position, *(*copy)->get(Space::kRows, "k1001"));
    copy->reset();
    std::filesystem::remove_all(copied.path);
  }
  ASSERT_TRUE(std::filesystem::create_directory(options_.path + "-copy"));
  EXPECT_FALSE(store_->checkpoint(options_.path + "-copy"));
  std::filesystem::remove_all(options_.path + "-copy");
}

TEST_F(StoreTest, GetManyFindsWhatIsThere) {
  open();
  SortedRows run("r", 300, "v");
  Batch batch;
  batch.put_sorted(Space::kRows, run.entries);
  commit(std::move(batch));
  std::vector<std::string_view> keys;
  for (const std::string& key : run.keys) {
    keys.push_back(key);
    keys.push_back("absent");
  }
  size_t found = 0;
  ASSERT_TRUE(store_->get_many(Space::kRows, keys, [&](size_t i, std::string_view value) {
    EXPECT_EQ(i % 2, 0u);
    EXPECT_EQ(value, "v");
    ++found;
  }));
  EXPECT_EQ(found, 300u);
}

TEST_F(StoreTest, CompactionDropsDeadRows) {
  options_.row_is_dead = [](std::string_view, std::string_view value) { return value == "dead"; };
  open();
  // Compaction comes with the files; what the first one brought has been through it when the last one is in.
  for (int round = 0; round < 20; ++round) {
    SortedRows dead("d" + std::to_string(round) + "/", 200, "dead");
    SortedRows alive("l", 200, "alive");
    Batch batch;
    batch.put_sorted(Space::kRows, dead.entries);
    batch.put_sorted(Space::kRows, alive.entries);
    commit(std::move(batch));
    ASSERT_TRUE(store_->settle());
  }
  EXPECT_EQ(all(Space::kRows, "d0/", "d00"), "");
  EXPECT_EQ(get("l000000"), "alive");
}

TEST_F(StoreTest, RefusesANewerFormatAndForeignDatabases) {
  open();
  put("k", "v");
  store_.reset();
  ASSERT_TRUE(env::write_file_atomically(env::real_file_system(), options_.path + "/FORMAT", "2\n"));
  EXPECT_EQ(Store::open(options_).error().code, Errc::kFailedPrecondition);
  ASSERT_TRUE(env::write_file_atomically(env::real_file_system(), options_.path + "/FORMAT", "one"));
  EXPECT_EQ(Store::open(options_).error().code, Errc::kCorruption);
  std::filesystem::remove(options_.path + "/FORMAT");
  EXPECT_EQ(Store::open(options_).error().code, Errc::kFailedPrecondition);
  EXPECT_FALSE(std::filesystem::exists(options_.path + "/FORMAT"));
}

TEST_F(StoreTest, ReadingAStoreThatIsNotThereCreatesNothing) {
  options_.read_only = true;
  EXPECT_EQ(Store::open(options_).error().code, Errc::kNotFound);
  EXPECT_FALSE(std::filesystem::exists(options_.path));
}

TEST_F(StoreTest, AnInterruptedCreationIsBegunAgain) {
  std::filesystem::create_directories(options_.path);
  ASSERT_TRUE(env::write_file_atomically(env::real_file_system(), options_.path + "/FORMAT", "1\n"));
  std::ofstream(options_.path + "/MANIFEST-000001") << "half";
  open();
  put("k", "v");
  open();
  EXPECT_EQ(get("k"), "v");
}

TEST_F(StoreTest, RemovesLeftoverFiles) {
  open();
  std::string leftover = options_.path + "/ingest-tmp/7-rows.sst";
  std::ofstream(leftover) << "half a file";
  open();
  EXPECT_FALSE(std::filesystem::exists(leftover));
}

TEST_F(StoreTest, FindsDamagedFiles) {
  open();
  SortedRows run("r", 2000, "value");
  Batch batch;
  batch.put_sorted(Space::kRows, run.entries);
  commit(std::move(batch));
  ASSERT_TRUE(store_->settle());
  store_.reset();
  for (const auto& file : std::filesystem::directory_iterator(options_.path)) {
    if (file.path().extension() != ".sst" || file.file_size() < 4000) continue;
    std::fstream damaged(file.path(), std::ios::in | std::ios::out | std::ios::binary);
    damaged.seekp(100);
    damaged << "xxxx";
  }
  EXPECT_NE(damage().find(".sst"), std::string::npos) << damage();
}

TEST_F(StoreTest, FaultsLeaveTheBatchOut) {
  open();
  for (std::string point : {"store.before_commit", "store.before_ingest"}) {
    ASSERT_TRUE(env::set_faults(point + "=enospc"));
    SortedRows run("r", 200, "v");
    Batch batch;
    batch.put_sorted(Space::kRows, run.entries);
    EXPECT_EQ(store_->commit(std::move(batch), Durability::kLog).error().code, Errc::kDiskFull);
    EXPECT_EQ(count(), 0u);
    EXPECT_TRUE(std::filesystem::is_empty(options_.path + "/ingest-tmp"));
  }
}

// A child process commits epochs of mixed size until it is killed at some point. Afterwards the rows are exactly those of the
// epochs up to the stored position, each with the value of the last epoch that wrote it.
constexpr size_t kEpochs = 60;
constexpr const char* kChildPath = "STORE_TEST_CHILD_PATH";
constexpr size_t kRowsMax = 250;

size_t rows_of(size_t epoch) { return epoch % 3 == 0 ? kRowsMax : 5; }

TEST(KilledChild, CommitsEpochs) {
  const char* path = std::getenv(kChildPath);
  if (path == nullptr) GTEST_SKIP() << "runs as the child of KillTest";
  Options options;
  options.path = path;
  options.ingest_rows_min = 100;
  auto store = Store::open(options);
  ASSERT_TRUE(store);
  for (size_t epoch = 1; epoch <= kEpochs; ++epoch) {
    std::string value = std::to_string(epoch);
    SortedRows run("r", rows_of(epoch), value);
    Batch batch;
    batch.put_sorted(Space::kRows, run.entries);
    batch.put(Space::kRows, "e" + value, value);
    batch.put(Space::kMeta, "position", value);
    ASSERT_TRUE((*store)->commit(std::move(batch), Durability::kLog));
  }
  kill(getpid(), SIGKILL);
}

struct Kill {
  const char* faults;
  size_t position;
};

class KillTest : public StoreTest, public testing::WithParamInterface<Kill> {
 protected:
  // A fork alone would lack RocksDB's threads, so the child is this program anew.
  int run_child() {
    pid_t child = fork();
    if (child == 0) {
      setenv(kChildPath, options_.path.c_str(), 1);
      setenv("MILLRACE_FAULTS", GetParam().faults, 1);
      execl("/proc/self/exe", "store_test", "--gtest_filter=KilledChild.*", nullptr);
      _exit(127);
    }
    int status = 0;
    EXPECT_EQ(waitpid(child, &status, 0), child);
    return status;
  }
};

TEST_P(KillTest, LeavesWholeEpochs) {
  int status = run_child();
  ASSERT_TRUE(WIFSIGNALED(status) || WEXITSTATUS(status) > 1) << status;
  open();
  size_t position = std::stoul(get("position", Space::kMeta));
  EXPECT_EQ(position, GetParam().position);
  SortedRows keys("r", kRowsMax, "");
  for (size_t row = 0; row < kRowsMax; ++row) {
    size_t epoch = position;
    while (epoch > 0 && rows_of(epoch) <= row) --epoch;
    ASSERT_EQ(get(keys.keys[row]), epoch == 0 ? "(none)" : std::to_string(epoch)) << "row " << row << " at " << position;
  }
  for (size_t epoch = 1; epoch <= kEpochs; ++epoch) {
    ASSERT_EQ(get("e" + std::to_string(epoch)), epoch <= position ? std::to_string(epoch) : "(none)");
  }
  EXPECT_TRUE(std::filesystem::is_empty(options_.path + "/ingest-tmp"));
  EXPECT_EQ(damage(), "");
}

INSTANTIATE_TEST_SUITE_P(
    At, KillTest,
    testing::Values(Kill{"", 60}, Kill{"store.before_commit=exit,after=31", 31}, Kill{"store.before_ingest=exit,after=5", 17},
                    Kill{"store.after_ingest=exit,after=7", 24}, Kill{"store.before_commit=exit,after=50", 50},
                    // Power losses: what the last ingestion has synced stays, kLog commits after it go.
                    Kill{"store.before_commit=drop_unsynced,after=31", 30}, Kill{"store.before_ingest=drop_unsynced,after=5", 17},
                    Kill{"store.after_ingest=drop_unsynced,after=7", 24}));

}  // namespace
}  // namespace millrace::store
