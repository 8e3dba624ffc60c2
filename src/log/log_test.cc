#include "log/log.h"

#include <gtest/gtest.h>

#include <filesystem>

#include "base/log.h"
#include "env/fault.h"
#include "env/fault_file_system.h"
#include "log/verify.h"

namespace millrace::log {
namespace {

using model::Offset;
using model::Partition;
using Call = env::FaultFileSystem::Call;
using Failure = env::FaultFileSystem::Failure;

std::vector<model::Record> one(std::string value) {
  model::Record record;
  record.value = std::move(value);
  return {record};
}

/// Topics on files in memory, their catalog in a real store.
class LogTest : public testing::Test {
 protected:
  void SetUp() override {
    set_log_level(LogLevel::kOff);
    path_ = std::filesystem::temp_directory_path() / ("millrace_log_test_" + format_uuid(env::make_uuid(env::real_random())));
    std::filesystem::create_directories(path_);
    auto opened = store::Store::open({.path = path_.string()});
    ASSERT_TRUE(opened) << opened.error().message;
    store_ = std::move(*opened);
    files_ = std::make_unique<env::FaultFileSystem>();
    ASSERT_TRUE(files_->create_directories("/data/log"));
    ASSERT_TRUE(files_->sync_directory("/"));
    ASSERT_TRUE(files_->sync_directory("/data"));
  }
  void TearDown() override {
    log_.reset();
    store_.reset();
    std::filesystem::remove_all(path_);
  }
  void start_over() {
    TearDown();
    SetUp();
  }
  Status try_open(const Options& options = {}) {
    log_.reset();
    TRY(log_, Log::open({*files_, clock_, random_}, "/data/log", *store_, options));
    return {};
  }
  void open(const Options& options = {}) {
    auto opened = try_open(options);
    ASSERT_TRUE(opened) << opened.error().message;
  }
  /// As a store that was deleted and made again.
  void lose_store() {
    log_.reset();
    store_.reset();
    std::filesystem::remove_all(path_);
    auto opened = store::Store::open({.path = path_.string()});
    ASSERT_TRUE(opened) << opened.error().message;
    store_ = std::move(*opened);
  }
  void put_entry(const std::string& name, const TopicEntry& entry) {
    store::Batch batch;
    batch.put(store::Space::kMeta, "topic/" + name, encode_topic_entry(entry));
    ASSERT_TRUE(store_->commit(std::move(batch), store::Durability::kSync));
  }
  /// A topic of two partitions with a record in the second, and no log open.
  TopicEntry make_topic(const std::string& name) {
    open();
    auto topic = *log_->create(name, {.partitions = 2});
    EXPECT_TRUE(topic->partition(Partition(1)).append(one("kept")));
    log_.reset();
    return {TopicEntry::State::kActive, topic->id(), topic->settings()};
  }
  std::vector<std::string> texts(std::string_view topic) {
    std::vector<std::string> out;
    auto found = log_->find(topic);
    if (!found) return {"no topic"};
    for (int32_t i = 0; i < found->partition_count(); ++i) {
      PartitionLog& p = found->partition(Partition(i));
      for (Offset at = p.start_offset(); at < p.end_offset();) {
        auto run = p.read(at, 1 << 20, 1000);
        EXPECT_TRUE(run);
        if (!run) break;
        for (const auto& record : run->records) out.emplace_back(*record.value);
        at = run->next;
      }
    }
    return out;
  }

  std::filesystem::path path_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<env::FaultFileSystem> files_;
  env::FakeClock clock_{instant_from_millis(1'700'000'000'000)};
  env::SeededRandom random_{1};
  std::unique_ptr<Log> log_;
};

TEST_F(LogTest, TopicsSurviveWithTheirSettings) {
  open();
  TopicSettings settings{.partitions = 3,
                         .sync = SyncMode::kInterval,
                         .sync_interval_ms = 7,
                         .compression = Compression::kLz4,
                         .retention_ms = 5,
                         .retention_bytes = 6,
                         .schema = "schema",
                         .owner = "q"};
  ASSERT_TRUE(log_->create("a.b-c_D", settings));
  ASSERT_TRUE(log_->create("a", {}));
  EXPECT_EQ(log_->create("a", {}).error().code, Errc::kAlreadyExists);
  model::TopicId id = log_->find("a.b-c_D")->id();
  open();
  auto topic = log_->find("a.b-c_D");
  ASSERT_TRUE(topic);
  EXPECT_EQ(topic->id(), id);
  EXPECT_EQ(topic->settings(), settings);
  EXPECT_EQ(log_->topics().size(), 2u);
  EXPECT_EQ(log_->topics()[0]->name(), "a");
  EXPECT_FALSE(log_->find("b"));
}

TEST_F(LogTest, RefusesBadNamesAndSettings) {
  open();
  for (const char* name : {"", ".", "..", "a/b", "a b", "ä", "a\n"})
    EXPECT_EQ(log_->create(name, {}).error().code, Errc::kInvalidArgument) << name;
  EXPECT_FALSE(log_->create(std::string(250, 'a'), {}));
  EXPECT_TRUE(log_->create(std::string(249, 'a'), {}));
  EXPECT_FALSE(log_->create("p", {.partitions = 0}));
  EXPECT_FALSE(log_->create("p", {.partitions = kPartitionsMax + 1}));
  EXPECT_FALSE(log_->create("p", {.sync = SyncMode::kInterval, .sync_interval_ms = 0}));
}

TEST_F(LogTest, ARecreatedTopicNeverShowsOldRecords) {
  open();
  auto old = *log_->create("t", {});
  ASSERT_TRUE(old->partition(Partition(0)).append(one("old")));
  ASSERT_TRUE(log_->drop("t"));
  EXPECT_FALSE(log_->find("t"));
  EXPECT_EQ(log_->drop("t").error().code, Errc::kNotFound);
  EXPECT_EQ(old->partition(Partition(0)).append(one("late")).error().code, Errc::kNotFound);
  EXPECT_EQ(old->partition(Partition(0)).read(Offset(0), 10, 10).error().code, Errc::kNotFound);
  auto renewed = log_->create("t", {});
  ASSERT_TRUE(renewed) << renewed.error().message;
  EXPECT_NE((*renewed)->id(), old->id());
  EXPECT_TRUE(texts("t").empty());
  EXPECT_EQ((*renewed)->partition(Partition(0)).append(one("new"))->first_offset, Offset(0));
  open();
  EXPECT_EQ(texts("t"), (std::vector<std::string>{"new"}));
}

TEST_F(LogTest, PowerLossInCreateAndDropIsFinishedAtTheNextOpen) {
  for (Call call : {Call::kOpen, Call::kWrite, Call::kSync, Call::kRemove, Call::kRename, Call::kSyncDirectory}) {
    for (uint64_t n = 1; n < 10; ++n) {
      SCOPED_TRACE(std::to_string(static_cast<int>(call)) + " " + std::to_string(n));
      const std::string name = "t";
      start_over();
      open();
      ASSERT_TRUE(log_->create(name, {.partitions = 2}));
      ASSERT_TRUE(log_->find(name)->partition(Partition(1)).append(one("old")));
      files_->fail_call(call, n, Failure::kPowerLoss);
      bool dropped = log_->drop(name).has_value();
      bool created = dropped && log_->create(name, {.partitions = 3});
      files_->lose_power(n);
      if (dropped && created) continue;  // they have fewer calls of this kind
      open();
      auto topic = log_->find(name);
      if (!topic) {
        auto again = log_->create(name, {.partitions = 3});
        ASSERT_TRUE(again) << again.error().message;
        topic = *again;
      }
      // Dropping is decided by the catalog before any file goes, so what exists is the new topic, empty.
      EXPECT_EQ(topic->partition_count(), 3);
      EXPECT_TRUE(texts(name).empty());
      EXPECT_TRUE(topic->partition(Partition(2)).append(one("new")));
      EXPECT_TRUE(log_->drop(name));
    }
  }
}

TEST_F(LogTest, AMissingDirectoryIsDataLoss) {
  open();
  ASSERT_TRUE(log_->create("t", {}));
  log_.reset();
  auto names = files_->list("/data/log/t-0");
  for (const std::string& name : *names) ASSERT_TRUE(files_->remove("/data/log/t-0/" + name));
  ASSERT_TRUE(files_->remove("/data/log/t-0"));
  EXPECT_EQ(try_open().error().code, Errc::kDataLoss);
}

TEST_F(LogTest, RecordsThatTheCatalogHasLostAreNotTouched) {
  TopicEntry entry = make_topic("t");
  lose_store();
  for (bool read_only : {false, true}) {
    Status opened = try_open({.read_only = read_only});
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, Errc::kDataLoss);
    EXPECT_NE(opened.error().message.find("/data/log/t-1"), std::string::npos) << opened.error().message;
    EXPECT_EQ(opened.error().message.find("/data/log/t-0"), std::string::npos) << "it is empty";
    EXPECT_NE(opened.error().hint.find("restore store/"), std::string::npos);
  }
  Catalog none = *read_catalog(*store_);
  auto report = verify(*files_, "/data/log", &none);
  ASSERT_TRUE(report);
  ASSERT_EQ(report->damage.size(), 1u);
  EXPECT_EQ(report->damage[0].file, "/data/log/t-1");

  put_entry("t", entry);
  Catalog restored = *read_catalog(*store_);
  EXPECT_TRUE(verify(*files_, "/data/log", &restored)->damage.empty());
  open();
  EXPECT_EQ(texts("t"), (std::vector<std::string>{"kept"}));
}

TEST_F(LogTest, ACatalogThatKnowsFewerPartitionsHasLostSome) {
  TopicEntry entry = make_topic("t");
  entry.settings.partitions = 1;
  put_entry("t", entry);
  EXPECT_EQ(try_open().error().code, Errc::kDataLoss);
}

TEST_F(LogTest, WhatHoldsNoRecordsIsNoLoss) {
  open();
  ASSERT_TRUE(log_->create("t", {.partitions = 2}));
  lose_store();
  for (const char* path : {"/data/log/notes", "/data/log/notes-1"}) ASSERT_TRUE(files_->open(path, env::OpenMode::kCreate));
  open();
  ASSERT_TRUE(log_->create("t", {.partitions = 2}));
  EXPECT_TRUE(log_->find("t")->partition(Partition(1)).append(one("new")));
}

TEST_F(LogTest, CreateRefusesADirectoryWithRecords) {
  open();
  for (const char* dir : {"/data/log/t-0", "/data/log/t-7"}) {
    SCOPED_TRACE(dir);
    std::string segment = std::string(dir) + "/00000000000000000000.log";
    ASSERT_TRUE(files_->create_directories(dir));
    ASSERT_TRUE((*files_->open(segment, env::OpenMode::kCreate))->write_at(0, "records"));
    auto created = log_->create("t", {.partitions = 2});
    ASSERT_FALSE(created);
    EXPECT_EQ(created.error().code, Errc::kDataLoss);
    EXPECT_NE(created.error().message.find(dir), std::string::npos) << created.error().message;
    EXPECT_FALSE(created.error().hint.empty());
    EXPECT_TRUE(log_->create("t-0", {.partitions = 1})) << "another topic";
    EXPECT_TRUE(log_->drop("t-0"));
    EXPECT_EQ(*env::read_file(*files_, segment), "records");
    ASSERT_TRUE(files_->remove(segment));
  }
  EXPECT_TRUE(log_->create("t", {.partitions = 2}));
}

TEST_F(LogTest, AnOldCatalogTakesNoRecordsWithIt) {
  TopicEntry entry = make_topic("t");
  entry.state = TopicEntry::State::kCreating;
  put_entry("t", entry);
  open();
  EXPECT_EQ(texts("t"), (std::vector<std::string>{"kept"}));
  log_.reset();

  TopicEntry other = entry;
  other.id = env::make_uuid(random_);
  for (auto state : {TopicEntry::State::kCreating, TopicEntry::State::kDropping}) {
    other.state = state;
    put_entry("t", other);
    Status opened = try_open();
    ASSERT_FALSE(opened);
    EXPECT_EQ(opened.error().code, Errc::kDataLoss);
    EXPECT_NE(opened.error().message.find("/data/log/t-1"), std::string::npos) << opened.error().message;
  }

  entry.state = TopicEntry::State::kActive;
  put_entry("t", entry);
  open();
  EXPECT_EQ(texts("t"), (std::vector<std::string>{"kept"}));
}

TEST_F(LogTest, ADropThatTookTheStateFirstIsFinished) {
  TopicEntry entry = make_topic("t");
  ASSERT_TRUE(files_->remove("/data/log/t-1/partition.state"));
  entry.state = TopicEntry::State::kDropping;
  put_entry("t", entry);
  open({.read_only = true});
  open();
  EXPECT_FALSE(log_->find("t"));
  EXPECT_EQ(files_->list("/data/log")->size(), 0u);
}

TEST_F(LogTest, ARefusedCreationLeavesNoTopic) {
  const std::string name = "t";
  for (Call call : {Call::kOpen, Call::kWrite, Call::kSync, Call::kRename, Call::kSyncDirectory}) {
    start_over();
    open();
    for (uint64_t n = 1; n < 30; ++n) {
      SCOPED_TRACE(std::to_string(static_cast<int>(call)) + " " + std::to_string(n));
      files_->fail_call(call, n, Failure::kNoSpace);
      auto created = log_->create(name, {.partitions = 2});
      ASSERT_TRUE(n > 1 || !created) << "nothing fails";
      if (created) break;  // it has fewer calls of this kind
      EXPECT_EQ(created.error().code, Errc::kDiskFull) << "the first error";
      EXPECT_TRUE(read_catalog(*store_)->empty());
      EXPECT_TRUE(files_->list("/data/log")->empty());
      if (n % 2 == 0) open();
      EXPECT_FALSE(log_->find(name));
      auto again = log_->create(name, {.partitions = 2});
      ASSERT_TRUE(again) << again.error().message;
      EXPECT_TRUE((*again)->partition(Partition(1)).append(one("new")));
      ASSERT_TRUE(log_->drop(name));
    }
  }
}

TEST_F(LogTest, ACreationThatTheStoreRefusesIsGoneAtTheNextOpen) {
  for (const char* faults : {"store.before_commit=enospc", "store.before_commit=enospc,after=1"}) {
    open();
    ASSERT_TRUE(env::set_faults(faults));
    EXPECT_EQ(log_->create("t", {.partitions = 2}).error().code, Errc::kDiskFull);
    ASSERT_TRUE(env::set_faults(""));
    EXPECT_FALSE(log_->find("t"));
    open();
    EXPECT_FALSE(log_->find("t"));
    EXPECT_TRUE(read_catalog(*store_)->empty());
    EXPECT_TRUE(files_->list("/data/log")->empty());
  }
}

TEST_F(LogTest, ACreationThatCannotBeUndoneIsDroppedAtTheNextOpen) {
  for (bool restart : {true, false}) {
    start_over();
    open();
    files_->fail_call(Call::kWrite, 2, Failure::kNoSpace);
    files_->fail_call(Call::kRemove, 2, Failure::kIo);  // the first one takes the temporary file of the state
    EXPECT_EQ(log_->create("t", {.partitions = 2}).error().code, Errc::kDiskFull);
    Catalog left = *read_catalog(*store_);
    ASSERT_EQ(left.size(), 1u);
    EXPECT_EQ(left.at("t").state, TopicEntry::State::kDropping);
    EXPECT_TRUE(verify(*files_, "/data/log", &left)->damage.empty());
    if (restart) {
      open();
      EXPECT_FALSE(log_->find("t"));
      EXPECT_TRUE(files_->list("/data/log")->empty());
    }
    EXPECT_TRUE(log_->create("t", {.partitions = 2}));
  }
}

TEST_F(LogTest, WhatIsHalfMadeOrHalfDroppedIsNoDamage) {
  for (auto state : {TopicEntry::State::kCreating, TopicEntry::State::kDropping}) {
    start_over();
    open();
    TopicEntry entry{state, (*log_->create("t", {.partitions = 3}))->id(), {.partitions = 3}};
    log_.reset();
    ASSERT_TRUE(files_->remove("/data/log/t-1/partition.state"));
    Catalog active = *read_catalog(*store_);
    EXPECT_EQ(verify(*files_, "/data/log", &active)->damage.size(), 1u);
    put_entry("t", entry);
    Catalog half = *read_catalog(*store_);
    auto report = verify(*files_, "/data/log", &half);
    ASSERT_TRUE(report);
    for (const auto& damage : report->damage) ADD_FAILURE() << damage.file << ": " << damage.what;
    open();
    EXPECT_FALSE(log_->find("t"));
    EXPECT_TRUE(files_->list("/data/log")->empty());
  }
}

TEST_F(LogTest, RecordsOfAnotherTopicAreDamageWhereOneIsHalfDropped) {
  TopicEntry entry = make_topic("t");
  entry.state = TopicEntry::State::kDropping;
  put_entry("t", entry);
  Catalog own = *read_catalog(*store_);
  EXPECT_TRUE(verify(*files_, "/data/log", &own)->damage.empty());
  entry.id = env::make_uuid(random_);
  put_entry("t", entry);
  Catalog other = *read_catalog(*store_);
  EXPECT_EQ(verify(*files_, "/data/log", &other)->damage.size(), 1u);
}

TEST_F(LogTest, TruncateKeepsIdAndOffsets) {
  open();
  auto topic = *log_->create("t", {});
  PartitionLog& p = topic->partition(Partition(0));
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(p.append(one("x")));
  ASSERT_TRUE(log_->truncate("t"));
  EXPECT_EQ(p.start_offset(), Offset(5));
  EXPECT_EQ(p.append(one("y"))->first_offset, Offset(5));
  EXPECT_EQ(p.read(Offset(0), 10, 10).error().code, Errc::kOutOfRange);
  open();
  EXPECT_EQ(log_->find("t")->id(), topic->id());
  EXPECT_EQ(texts("t"), (std::vector<std::string>{"y"}));
  ASSERT_TRUE(log_->truncate("t"));
  open();
  EXPECT_EQ(log_->find("t")->partition(Partition(0)).start_offset(), Offset(6));
  EXPECT_EQ(log_->find("t")->partition(Partition(0)).log_end_offset(), Offset(6));
}

TEST_F(LogTest, RetentionBySizeStopsAtTheFloor) {
  open({.segment_bytes_max = 500});
  auto topic = *log_->create("t", {.retention_bytes = 1000});
  PartitionLog& p = topic->partition(Partition(0));
  for (int i = 0; i < 100; ++i) ASSERT_TRUE(p.append(one("0123456789")));
  auto none = log_->enforce_retention(clock_.now(), [](auto&, auto) { return Offset(0); });
  EXPECT_EQ(*none, 0u);
  ASSERT_TRUE(log_->enforce_retention(clock_.now(), [](auto&, auto) { return Offset(50); }));
  EXPECT_LE(p.start_offset(), Offset(50));
  EXPECT_GT(p.start_offset(), Offset(40));
  ASSERT_TRUE(log_->enforce_retention(clock_.now(), {}));
  EXPECT_LT(p.size_bytes(), 1600u);
  EXPECT_GE(p.size_bytes(), 1000u);
  Offset start = p.start_offset();
  open();
  EXPECT_EQ(log_->find("t")->partition(Partition(0)).start_offset(), start);
}

TEST_F(LogTest, RetentionByTimeTakesAQuietTopicToo) {
  open();
  auto topic = *log_->create("t", {.retention_ms = 60'000});
  PartitionLog& p = topic->partition(Partition(0));
  ASSERT_TRUE(p.append(one("old")));
  model::Record future = one("from the future")[0];
  future.timestamp_ms = INT64_MAX / 2;
  ASSERT_TRUE(p.append(std::vector{future}));
  clock_.advance(std::chrono::seconds(59));
  ASSERT_TRUE(log_->enforce_retention(clock_.now(), {}));
  EXPECT_EQ(p.start_offset(), Offset(0));
  clock_.advance(std::chrono::seconds(2));
  EXPECT_GT(*log_->enforce_retention(clock_.now(), {}), 0u);
  EXPECT_EQ(p.start_offset(), Offset(2));
  EXPECT_EQ(p.append(one("new"))->first_offset, Offset(2));
  open();
  EXPECT_EQ(texts("t"), (std::vector<std::string>{"new"}));
}

TEST_F(LogTest, PowerLossInRetentionLeavesNoHole) {
  for (uint64_t n = 1; n < 12; ++n) {
    for (Call call : {Call::kRemove, Call::kSyncDirectory}) {
      start_over();
      open({.segment_bytes_max = 300});
      const std::string name = "t";
      auto topic = *log_->create(name, {.retention_bytes = 1});
      PartitionLog& p = topic->partition(Partition(0));
      for (int i = 0; i < 20; ++i) ASSERT_TRUE(p.append(one("0123456789")));
      files_->fail_call(call, n, Failure::kPowerLoss);
      bool done = log_->enforce_retention(clock_.now(), {}).has_value();
      files_->lose_power(n);
      if (!try_open()) {  // the power loss came only now
        files_->lose_power(n + 1);
        open();
      }
      EXPECT_EQ(log_->find(name)->partition(Partition(0)).log_end_offset(), Offset(20));
      if (done) EXPECT_GT(log_->find(name)->partition(Partition(0)).start_offset(), Offset(15));
      EXPECT_TRUE(verify(*files_, "/data/log")->damage.empty());
    }
  }
}

TEST_F(LogTest, WhileSegmentsAreHeldNoneGoes) {
  open({.segment_bytes_max = 100});
  auto topic = *log_->create("t", {.retention_bytes = 0});
  for (int i = 0; i < 5; ++i) ASSERT_TRUE(topic->partition(Partition(0)).append(one(std::string(80, 'x'))));
  {
    auto hold = log_->hold([] { return Status(); });
    ASSERT_TRUE(hold);
    EXPECT_EQ(*log_->enforce_retention(clock_.now(), {}), 0u);
    EXPECT_EQ(log_->drop("t").error().code, Errc::kFailedPrecondition);
    EXPECT_EQ(log_->truncate("t").error().code, Errc::kFailedPrecondition);
    EXPECT_TRUE(log_->create("other", {}));
    EXPECT_EQ(topic->partition(Partition(0)).start_offset(), Offset(0));
  }
  EXPECT_FALSE(log_->hold([]() -> Status { return fail(Errc::kIo, "no copy"); }));
  EXPECT_GT(*log_->enforce_retention(clock_.now(), {}), 0u);
  EXPECT_TRUE(log_->truncate("t"));
  EXPECT_TRUE(log_->drop("t"));
}

TEST_F(LogTest, AnOwnedTopicShowsWhatIsCommitted) {
  open();
  auto topic = *log_->create("out", {.owner = "q"});
  PartitionLog& p = topic->partition(Partition(0));
  Ticket ticket = *p.append_async(one("committed"), "q");
  ASSERT_TRUE(PartitionLog::wait(ticket));
  store::Batch epoch;
  p.put_visible_end(epoch, ticket.end);
  ASSERT_TRUE(store_->commit(std::move(epoch), store::Durability::kSync));
  ASSERT_TRUE(p.set_visible_end(ticket.end));
  ASSERT_TRUE(p.append(one("not committed"), "q"));
  EXPECT_EQ(texts("out"), (std::vector<std::string>{"committed"}));

  open({.read_only = true});
  EXPECT_EQ(texts("out"), (std::vector<std::string>{"committed"}));
  EXPECT_EQ(log_->find("out")->partition(Partition(0)).log_end_offset(), Offset(2));
  open();
  EXPECT_EQ(texts("out"), (std::vector<std::string>{"committed"}));
  EXPECT_EQ(log_->find("out")->partition(Partition(0)).log_end_offset(), Offset(1));
}

TEST_F(LogTest, AlterChangesAllButPartitions) {
  open();
  ASSERT_TRUE(log_->create("t", {}));
  ASSERT_TRUE(log_->find("t")->partition(Partition(0)).append(one("a")));
  EXPECT_EQ(log_->alter("t", {.partitions = 2}).error().code, Errc::kInvalidArgument);
  EXPECT_EQ(log_->alter("x", {}).error().code, Errc::kNotFound);
  ASSERT_TRUE(log_->alter("t", {.retention_ms = 9, .owner = "q"}));
  EXPECT_FALSE(log_->find("t")->partition(Partition(0)).append(one("b")));
  EXPECT_EQ(texts("t"), (std::vector<std::string>{"a"}));
  open();
  EXPECT_EQ(log_->find("t")->settings().retention_ms, 9);
  EXPECT_EQ(texts("t"), (std::vector<std::string>{"a"}));
  ASSERT_TRUE(log_->alter("t", {}));
  EXPECT_TRUE(log_->find("t")->partition(Partition(0)).append(one("b")));
}

TEST_F(LogTest, ReadOnlyChangesNothing) {
  open();
  ASSERT_TRUE(log_->create("t", {}));
  ASSERT_TRUE(log_->find("t")->partition(Partition(0)).append(one("a")));
  log_.reset();
  uint64_t writes = files_->calls(Call::kWrite);
  uint64_t syncs = files_->calls(Call::kSync);
  open({.read_only = true});
  EXPECT_EQ(texts("t"), (std::vector<std::string>{"a"}));
  EXPECT_FALSE(log_->create("u", {}));
  EXPECT_FALSE(log_->drop("t"));
  EXPECT_FALSE(log_->find("t")->partition(Partition(0)).append(one("b")));
  log_.reset();
  EXPECT_EQ(files_->calls(Call::kWrite), writes);
  EXPECT_EQ(files_->calls(Call::kSync), syncs);
}

TEST_F(LogTest, AfterCloseAppendsAreRefusedAndWhatWasWrittenIsDurable) {
  open();
  auto topic = *log_->create("t", {.sync = SyncMode::kNever});
  PartitionLog& p = topic->partition(Partition(0));
  ASSERT_TRUE(p.append(one("a")));
  ASSERT_TRUE(log_->close());
  ASSERT_TRUE(log_->close());
  EXPECT_EQ(p.append(one("b")).error().code, Errc::kCancelled);
  files_->lose_power(3);
  topic.reset();
  open();
  EXPECT_EQ(texts("t"), (std::vector<std::string>{"a"}));
}

TEST(TopicEntry, RoundTripsAndRefusesWhatItIsNot) {
  TopicEntry entry{
      TopicEntry::State::kDropping, env::make_uuid(env::real_random()), {.partitions = 9, .retention_ms = 1, .owner = "o"}};
  std::string bytes = encode_topic_entry(entry);
  auto decoded = decode_topic_entry(bytes);
  ASSERT_TRUE(decoded);
  EXPECT_EQ(decoded->id, entry.id);
  EXPECT_EQ(decoded->settings, entry.settings);
  EXPECT_EQ(decoded->state, entry.state);
  for (size_t size = 0; size < bytes.size(); ++size) EXPECT_FALSE(decode_topic_entry(bytes.substr(0, size)));
  EXPECT_FALSE(decode_topic_entry(bytes + "x"));
  bytes[0] = 2;
  EXPECT_EQ(decode_topic_entry(bytes).error().code, Errc::kFailedPrecondition);
}

}  // namespace
}  // namespace millrace::log
