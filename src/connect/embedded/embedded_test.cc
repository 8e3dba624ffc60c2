#include <gtest/gtest.h>

#include <filesystem>
#include <thread>

#include "base/log.h"
#include "connect/embedded/topic_relation.h"
#include "connect/embedded/topic_source.h"
#include "env/fault_file_system.h"

namespace millrace::connect::embedded {
namespace {

using model::Offset;
using model::Partition;

class EmbeddedTest : public testing::Test {
 protected:
  void SetUp() override {
    set_log_level(LogLevel::kOff);
    path_ =
        std::filesystem::temp_directory_path() / ("millrace_embedded_test_" + format_uuid(env::make_uuid(env::real_random())));
    std::filesystem::create_directories(path_);
    auto store = store::Store::open({.path = path_.string()});
    ASSERT_TRUE(store) << store.error().message;
    store_ = std::move(*store);
    ASSERT_TRUE(files_.create_directories("/log"));
    auto log = log::Log::open({files_, clock_, random_}, "/log", *store_, {});
    ASSERT_TRUE(log) << log.error().message;
    log_ = std::move(*log);
    topic_ = *log_->create("t", {.partitions = 3});
  }
  void TearDown() override {
    topic_.reset();
    log_.reset();
    store_.reset();
    std::filesystem::remove_all(path_);
  }
  void append(int32_t partition, const std::string& value, size_t times = 1) {
    model::Record record;
    record.value = value;
    for (size_t i = 0; i < times; ++i) ASSERT_TRUE(topic_->partition(Partition(partition)).append(std::vector{record}));
  }

  std::filesystem::path path_;
  std::unique_ptr<store::Store> store_;
  env::FaultFileSystem files_;
  env::FakeClock clock_{instant_from_millis(1'700'000'000'000)};
  env::SeededRandom random_{1};
  std::unique_ptr<log::Log> log_;
  std::shared_ptr<log::Topic> topic_;
};

TEST_F(EmbeddedTest, PollsEveryPartitionInOrder) {
  for (int i = 0; i < 5; ++i) {
    append(2, "c" + std::to_string(i));
    append(0, "a" + std::to_string(i));
  }
  TopicSource source(topic_);
  EXPECT_EQ(source.describe()->topic_id, topic_->id());
  EXPECT_EQ(source.describe()->partitions, 3);
  auto runs = source.poll({}, Duration(0));
  ASSERT_TRUE(runs);
  std::vector<std::string> values;
  int32_t last = 0;
  for (const auto& run : *runs) {
    EXPECT_GE(run.partition.value, last);
    last = run.partition.value;
    for (const auto& record : run.records) values.emplace_back(*record.value);
  }
  EXPECT_EQ(values, (std::vector<std::string>{"a0", "a1", "a2", "a3", "a4", "c0", "c1", "c2", "c3", "c4"}));
  EXPECT_TRUE(source.poll({}, Duration(0))->empty());
}

TEST_F(EmbeddedTest, PartitionsTakeTurnsUnderTheLimit) {
  append(0, "a", 10);
  append(1, "b", 10);
  append(2, "c", 10);
  TopicSource source(topic_);
  size_t seen[3] = {};
  for (int poll = 0; poll < 6; ++poll) {
    auto runs = source.poll({.records_max = 5}, Duration(0));
    ASSERT_TRUE(runs);
    size_t records = 0;
    for (const auto& run : *runs) {
      records += run.records.size();
      seen[run.partition.value] += run.records.size();
    }
    EXPECT_EQ(records, 5u);
    if (poll == 2) {
      for (size_t count : seen) EXPECT_EQ(count, 5u);
    }
  }
  for (size_t count : seen) EXPECT_EQ(count, 10u);
}

TEST_F(EmbeddedTest, SeekRefusesWhatIsNotKept) {
  append(0, "a", 3);
  TopicSource source(topic_);
  EXPECT_EQ(source.seek(Partition(9), Offset(0)).error().code, Errc::kInvalidArgument);
  EXPECT_EQ(source.seek(Partition(0), Offset(4)).error().code, Errc::kOutOfRange);
  ASSERT_TRUE(source.seek(Partition(0), Offset(2)));
  auto runs = source.poll({}, Duration(0));
  ASSERT_TRUE(runs);
  ASSERT_EQ(runs->size(), 1u);
  EXPECT_EQ(runs->at(0).records.at(0).offset, Offset(2));
  ASSERT_TRUE(log_->truncate("t"));
  EXPECT_EQ(source.seek(Partition(0), Offset(2)).error().code, Errc::kOutOfRange);
}

TEST_F(EmbeddedTest, OffsetsWithoutRecordsArePassed) {
  append(0, "a");
  ASSERT_TRUE(topic_->partition(Partition(0)).advance_to(Offset(5)));
  TopicSource source(topic_);
  ASSERT_TRUE(source.seek(Partition(0), Offset(1)));
  auto runs = source.poll({}, Duration(0));
  ASSERT_TRUE(runs);
  ASSERT_EQ(runs->size(), 1u);
  EXPECT_TRUE(runs->at(0).records.empty());
  EXPECT_EQ(runs->at(0).next, Offset(5));
  EXPECT_TRUE(source.poll({}, Duration(0))->empty());
}

TEST_F(EmbeddedTest, AWaitingPollIsWokenByDataAndByWake) {
  TopicSource source(topic_);
  std::thread writer([&] { append(1, "x"); });
  auto runs = source.poll({}, std::chrono::minutes(10));
  writer.join();
  ASSERT_TRUE(runs);
  ASSERT_EQ(runs->size(), 1u);
  std::thread waker([&] { source.wake(); });
  EXPECT_TRUE(source.poll({}, std::chrono::minutes(10))->empty());
  waker.join();
}

TEST_F(EmbeddedTest, ARelationShowsRecordsAndDecodedValues) {
  model::Record full;
  full.key = "k";
  full.value = "7";
  full.timestamp_ms = 5;
  full.headers = {{"h", "v"}, {"n", std::nullopt}};
  model::Record bad;
  bad.value =
      "a\xFF"
      "b";
  ASSERT_TRUE(topic_->partition(Partition(1)).append(std::vector{full, bad, model::Record{}}));

  auto schema = std::make_shared<model::Schema>(model::Schema{{{"n", {model::TypeId::kBigint}}}});
  ValueColumns values{schema, [](std::span<const size_t>) -> Result<ValueReader> {
                        return ValueReader([](const model::RecordView& record, model::BatchBuilder& out) {
                          if (record.value != "7") return false;
                          out.column(0).append(int64_t{7});
                          return true;
                        });
                      }};
  TopicRelation relation(contents_of(topic_), values);
  append(1, "after the snapshot");
  ASSERT_EQ(relation.schema().fields.size(), 7u);
  auto scan = relation.scan({.columns = {2, 0, 5, 4, 1, 3, 6}});
  ASSERT_TRUE(scan) << scan.error().message;
  auto batch = (*scan)->next();
  ASSERT_TRUE(batch) << batch.error().message;
  ASSERT_EQ(batch->rows, 3u);
  EXPECT_EQ(batch->schema->fields[1].name, "n");
  EXPECT_EQ(batch->columns[0].at<int64_t>(2), 2);
  EXPECT_EQ(batch->columns[1].at<int64_t>(0), 7);
  EXPECT_TRUE(batch->columns[1].is_null(1));
  EXPECT_TRUE(batch->columns[1].is_null(2));
  EXPECT_EQ(batch->columns[2].text(1),
            "a\xEF\xBF\xBD"
            "b");
  EXPECT_TRUE(batch->columns[2].is_null(2));
  EXPECT_EQ(batch->columns[3].text(0), "k");
  EXPECT_EQ(batch->columns[4].at<int32_t>(0), 1);
  EXPECT_EQ(batch->columns[5].at<int64_t>(0), 5000);
  auto headers = batch->columns[6].at<model::ListEntry>(0);
  EXPECT_EQ(headers.length, 2u);
  const model::Column& header = batch->columns[6].children[0];
  EXPECT_EQ(header.children[0].text(headers.offset + 1), "n");
  EXPECT_TRUE(header.children[1].is_null(headers.offset + 1));
  EXPECT_EQ((*scan)->next()->rows, 0u);
}

TEST_F(EmbeddedTest, PredicatesOnPositionNarrowTheScan) {
  append(0, "a", 10);
  append(1, "b", 5000);
  TopicRelation relation(contents_of(topic_), {});
  using Op = port::KeyPredicate::Op;
  auto count = [&](std::vector<port::KeyPredicate> predicates) {
    auto scan = relation.scan({.columns = {1}, .predicates = std::move(predicates)});
    size_t rows = 0;
    while (true) {
      auto batch = (*scan)->next();
      EXPECT_TRUE(batch);
      if (!batch || batch->rows == 0) return rows;
      EXPECT_LE(batch->rows, port::kScanRowsMax);
      rows += batch->rows;
    }
  };
  EXPECT_EQ(count({}), 5010u);
  EXPECT_EQ(count({{"_partition", Op::kEq, "0"}}), 10u);
  EXPECT_EQ(count({{"_offset", Op::kGe, "4990"}}), 10u);
  EXPECT_EQ(count({{"_partition", Op::kGt, "0"}, {"_offset", Op::kLt, "7"}}), 7u);
  EXPECT_EQ(count({{"_offset", Op::kEq, "not a number"}}), 5010u);
}

TEST(InvalidUtf8, IsReplacedByteByByte) {
  EXPECT_EQ(replace_invalid_utf8("gr\xC3\xBC\xC3n"), "gr\xC3\xBC\xEF\xBF\xBDn");
  EXPECT_EQ(replace_invalid_utf8("\xFF\xFE"), "\xEF\xBF\xBD\xEF\xBF\xBD");
  EXPECT_EQ(replace_invalid_utf8("\xF0\x9F\x98\x80!"), "\xF0\x9F\x98\x80!");
  EXPECT_EQ(replace_invalid_utf8(""), "");
}

}  // namespace
}  // namespace millrace::connect::embedded
