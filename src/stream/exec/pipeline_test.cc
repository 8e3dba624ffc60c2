#include "stream/exec/pipeline.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "sql/duck_engine.h"

namespace millrace::stream {
namespace {

using model::TypeId;

/// Keeps what it is given; a row whose id is negative cannot be written, an id above 1000 is expired.
class MemorySink : public port::Sink {
 public:
  struct Row {
    int64_t id;
    std::string word;
    port::RowOrigin origin;
  };
  port::SinkTraits traits() const override { return {}; }
  Result<port::SinkReport> stage(const model::ColumnBatch& rows, const std::vector<port::RowOrigin>& origins,
                                 bool check_versions) override {
    port::SinkReport report;
    for (uint32_t i = 0; i < rows.rows; ++i) {
      int64_t id = rows.columns[0].at<int64_t>(i);
      if (id < 0) {
        report.faults.push_back({i, "bad_key", "negative"});
      } else if (id > 1000) {
        report.expired.push_back(i);
      } else if (check_versions && origins[i].version < newest) {
        report.superseded.push_back(i);
      } else {
        staged.push_back({id, std::string(rows.columns[1].text(i)), origins[i]});
      }
    }
    return report;
  }
  Status commit(const port::Epoch&, store::Batch&) override { return {}; }
  void committed() override {
    rows.insert(rows.end(), staged.begin(), staged.end());
    staged.clear();
  }
  void abandon() override { staged.clear(); }

  std::vector<Row> staged, rows;
  uint64_t newest = 0;
};

class PipelineTest : public ::testing::Test {
 protected:
  PipelineTest() {
    std::string pattern = testing::TempDir() + "pipeline_test_XXXXXX";
    dir_ = mkdtemp(pattern.data());
    store_ = std::move(*store::Store::open({.path = dir_ + "/store"}));
    engine_ = std::move(*sql::DuckEngine::open({}));
    spec_.query = "q";
    spec_.topic = "events";
    spec_.input = std::make_shared<model::Schema>(model::Schema{{{"id", {TypeId::kBigint}}, {"word", {TypeId::kText}}}});
    spec_.statement = "SELECT CAST(id AS BIGINT) AS id, word, __row FROM events";
  }
  ~PipelineTest() override {
    pipeline_.reset();
    store_.reset();
    std::filesystem::remove_all(dir_);
  }

  Pipeline& pipeline() {
    if (pipeline_ == nullptr) {
      Position start;
      start.topic_id = *parse_uuid("123e4567-e89b-42d3-a456-426614174000");
      auto made = Pipeline::create(spec_, {*engine_, sink_, *store_, env::real_clock()}, start);
      EXPECT_TRUE(made) << (made ? "" : made.error().message);
      pipeline_ = std::move(*made);
    }
    return *pipeline_;
  }

  /// The values as the next records of a partition.
  model::RecordRun run_of(const std::vector<std::string>& values, int32_t partition = 0) {
    auto bytes = std::make_shared<std::vector<std::string>>();
    model::RecordRun run;
    run.partition = model::Partition(partition);
    for (const std::string& value : values) bytes->push_back(value + std::string(64, '\0'));
    for (size_t i = 0; i < values.size(); ++i) {
      model::RecordView record;
      record.offset = model::Offset(next_[partition]++);
      record.timestamp_ms = 1'000'000;
      record.value = std::string_view((*bytes)[i]).substr(0, values[i].size());
      run.records.push_back(record);
    }
    run.next = model::Offset(next_[partition]);
    run.owner = bytes;
    return run;
  }

  void process(const std::vector<std::string>& values) {
    Status fed = pipeline().feed({run_of(values)});
    ASSERT_TRUE(fed) << fed.error().message;
    Status committed = pipeline().commit();
    ASSERT_TRUE(committed) << committed.error().message;
  }

  std::vector<table::DeadLetter> letters() {
    std::vector<table::DeadLetter> found;
    table::DeadLetterScan scan(*store_, "q");
    while (true) {
      auto letter = scan.next();
      EXPECT_TRUE(letter);
      if (!letter || !*letter) return found;
      found.push_back(**letter);
    }
  }

  Position stored() { return *decode_position(**store_->get(store::Space::kMeta, position_key("q"))); }

  std::string dir_;
  std::unique_ptr<store::Store> store_;
  std::unique_ptr<sql::DuckEngine> engine_;
  MemorySink sink_;
  PipelineSpec spec_;
  std::unique_ptr<Pipeline> pipeline_;
  std::map<int32_t, int64_t> next_;
};

std::string record(int64_t id, std::string_view word = "w") { return fmt::format(R"({{"id": {}, "word": "{}"}})", id, word); }

TEST_F(PipelineTest, RowsAndPositionAreCommittedTogether) {
  process({record(1), record(2)});
  EXPECT_EQ(sink_.rows.size(), 2u);
  Position position = stored();
  EXPECT_EQ(position, pipeline().position());
  EXPECT_EQ(position.epoch, 1u);
  EXPECT_EQ(position.partitions.at(0).next, model::Offset(2));
  EXPECT_EQ(position.balance.in, 2u);
  EXPECT_EQ(position.balance.out, 2u);
}

TEST_F(PipelineTest, AnAbandonedEpochLeavesNothing) {
  process({record(1)});
  ASSERT_TRUE(pipeline().feed({run_of({record(2), "bad"})}));
  pipeline().abandon();
  EXPECT_EQ(pipeline().position().partitions.at(0).next, model::Offset(1));
  EXPECT_EQ(stored().balance.in, 1u);
  EXPECT_TRUE(letters().empty());
  EXPECT_TRUE(sink_.staged.empty());
}

TEST_F(PipelineTest, AnEpochWithoutRecordsCommitsNothing) {
  process({record(1)});
  ASSERT_TRUE(pipeline().commit());
  EXPECT_EQ(stored().epoch, 1u);
}

TEST_F(PipelineTest, VersionsGrowAlongAPartition) {
  process({record(1), record(2), record(3)});
  EXPECT_EQ(sink_.rows[0].origin.version, 1'000'000'000u);
  EXPECT_EQ(sink_.rows[1].origin.version, 1'000'000'001u);
  EXPECT_EQ(sink_.rows[2].origin.version, 1'000'000'002u);
}

TEST_F(PipelineTest, EachRecordHasOneFate) {
  spec_.statement =
      "SELECT id + CASE WHEN word = 'boom' THEN CAST(word AS BIGINT) ELSE 0 END AS id, word, __row FROM events WHERE word <> "
      "'no'";
  process({record(1), record(2, "no"), "not json", record(3, "boom"), record(-4), record(2000), record(5)});
  const Balance& balance = pipeline().position().balance;
  EXPECT_EQ(balance.in, 7u);
  EXPECT_EQ(balance.out, 2u);
  EXPECT_EQ(balance.filtered, 1u);
  EXPECT_EQ(balance.dead, 3u);
  EXPECT_EQ(balance.expired, 1u);
  EXPECT_EQ(balance.accounted(), balance.in);
  auto found = letters();
  ASSERT_EQ(found.size(), 3u);
  EXPECT_EQ(found[0].stage, "decode");
  EXPECT_EQ(found[0].code, "not_json");
  EXPECT_EQ(found[0].value, "not json");
  EXPECT_EQ(found[1].stage, "sql");
  EXPECT_EQ(found[1].offset, 3);
  EXPECT_EQ(found[2].stage, "sink");
}

TEST_F(PipelineTest, ManyBadRecordsAreFoundOneByOne) {
  spec_.statement = "SELECT CAST(word AS BIGINT) AS id, word, __row FROM events";
  std::vector<std::string> values;
  for (int i = 0; i < 3000; ++i) values.push_back(record(i, i % 500 == 7 ? "x" : "1"));
  process(values);
  EXPECT_EQ(letters().size(), 6u);
  EXPECT_EQ(sink_.rows.size(), 2994u);
}

TEST_F(PipelineTest, TheContractIsCheckedBeforeTheQuery) {
  spec_.contract =
      "SELECT __row, CASE WHEN (id < 100) IS NOT TRUE THEN 'small' END AS broken FROM events WHERE (id < 100) IS NOT TRUE";
  process({record(1), record(100), record(2), R"({"word": "null id"})"});
  EXPECT_EQ(sink_.rows.size(), 2u);
  auto found = letters();
  ASSERT_EQ(found.size(), 2u);
  EXPECT_EQ(found[0].stage, "contract");
  EXPECT_EQ(found[0].code, "small");
  EXPECT_EQ(sink_.rows[1].origin.offset, 2) << "rows after a refused one keep their records";
}

TEST_F(PipelineTest, SkipCountsAndFailStops) {
  spec_.on_error = OnError::kSkip;
  process({record(1), "bad"});
  EXPECT_EQ(pipeline().position().balance.skipped, 1u);
  pipeline_.reset();
  spec_.on_error = OnError::kFail;
  Status failed = pipeline().feed({run_of({record(1), "bad"})});
  ASSERT_FALSE(failed);
  EXPECT_NE(failed.error().message.find("events-0@3"), std::string::npos) << failed.error().message;
}

TEST_F(PipelineTest, SeveralRowsOfARecordHaveOrdinals) {
  spec_.statement = "SELECT id, unnest(['a', 'b', 'c']) AS word, __row FROM events";
  process({record(1), record(2)});
  ASSERT_EQ(sink_.rows.size(), 6u);
  std::map<int64_t, std::vector<uint32_t>> ordinals;
  for (const auto& row : sink_.rows) ordinals[row.origin.offset].push_back(row.origin.ordinal);
  EXPECT_EQ(ordinals[0], (std::vector<uint32_t>{0, 1, 2}));
  EXPECT_EQ(ordinals[1], (std::vector<uint32_t>{0, 1, 2}));
  EXPECT_EQ(pipeline().position().balance.out, 2u);
  EXPECT_EQ(pipeline().position().balance.rows_written, 6u);
}

TEST_F(PipelineTest, ARecordThatTheProcessDiedOfTwiceIsADeadLetterAtOnce) {
  Position start;
  start.topic_id = *parse_uuid("123e4567-e89b-42d3-a456-426614174000");
  std::string page = dir_ + "/attempt";
  auto die = [&](auto begin) {
    auto attempts = *Attempts::open(page, start.topic_id);
    begin(*attempts);
    *attempts->crash_note() = 1;
  };
  die([](Attempts& attempts) { attempts.begin({{0, 0, 4}}); });
  die([](Attempts& attempts) { attempts.begin_alone(0, 2); });
  auto attempts = *Attempts::open(page, start.topic_id);
  pipeline_ = *Pipeline::create(spec_, {*engine_, sink_, *store_, env::real_clock(), attempts.get()}, start);
  ASSERT_TRUE(pipeline_->feed({run_of({record(1), record(2), record(3), record(4)})}));
  // What came before it and it itself are committed, whatever the record behind it does.
  EXPECT_EQ(stored().partitions.at(0).next, model::Offset(3));
  EXPECT_EQ(sink_.rows.size(), 2u);
  ASSERT_TRUE(pipeline_->commit());
  EXPECT_EQ(sink_.rows.size(), 3u);
  ASSERT_EQ(letters().size(), 1u);
  EXPECT_EQ(letters()[0].code, "crashed");
  EXPECT_EQ(letters()[0].offset, 2);
  EXPECT_EQ(letters()[0].value, record(3));
  Balance balance = stored().balance;
  EXPECT_EQ(balance.in, 4u);
  EXPECT_EQ(balance.accounted(), 4u);
  EXPECT_EQ(balance.dead, 1u);
}

TEST_F(PipelineTest, AReplayIsAnEpochOfItsOwnAndKeepsTheVersion) {
  spec_.statement = "SELECT CASE WHEN word = 'boom' THEN CAST(word AS BIGINT) ELSE id END AS id, word, __row FROM events";
  process({record(1, "boom"), record(2, "boom"), record(3)});
  ASSERT_EQ(letters().size(), 2u);
  Position before = pipeline().position();
  pipeline_.reset();
  spec_.statement = "SELECT id, word, __row FROM events";
  auto made = Pipeline::create(spec_, {*engine_, sink_, *store_, env::real_clock()}, before);
  ASSERT_TRUE(made);
  pipeline_ = std::move(*made);
  sink_.newest = 1'000'000'001;  // of the second letter's record

  auto report = pipeline().replay(letters());
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->replayed, 2u);
  EXPECT_EQ(report->superseded, 1u);
  EXPECT_EQ(report->still_dead, 0u);
  EXPECT_TRUE(letters().empty());
  Position after = stored();
  EXPECT_EQ(after.partitions, before.partitions);
  EXPECT_EQ(after.epoch, before.epoch + 1);
  EXPECT_EQ(after.balance.dead, 0u);
  EXPECT_EQ(after.balance.out, 3u);
  EXPECT_EQ(after.balance.accounted(), after.balance.in);
  EXPECT_EQ(sink_.rows.back().origin.version, 1'000'000'001u);
}

TEST_F(PipelineTest, ALetterThatIsStillBadStays) {
  process({"bad"});
  auto report = pipeline().replay(letters());
  ASSERT_TRUE(report);
  EXPECT_EQ(report->still_dead, 1u);
  EXPECT_EQ(letters().size(), 1u);
  EXPECT_EQ(stored().balance.dead, 1u);
}

TEST(PositionCodec, RoundTripsAndRefusesRubbish) {
  Position position;
  position.topic_id = *parse_uuid("123e4567-e89b-42d3-a456-426614174000");
  position.partitions = {{model::Offset(5), 77}, {model::Offset(0), 0}};
  position.epoch = 9;
  position.balance.in = 3;
  position.balance.superseded = 1;
  std::string bytes = encode_position(position);
  EXPECT_EQ(*decode_position(bytes), position);
  for (size_t cut = 0; cut < bytes.size(); ++cut) EXPECT_FALSE(decode_position(std::string_view(bytes).substr(0, cut))) << cut;
  bytes[0] = 2;
  EXPECT_FALSE(decode_position(bytes));
}

}  // namespace
}  // namespace millrace::stream
