#include "connect/file/feed.h"

#include <gtest/gtest.h>

#include "base/log.h"
#include "env/fault_file_system.h"

namespace millrace::connect::file {
namespace {

using Values = std::vector<std::string>;

struct FileFeedTest : testing::Test {
  void SetUp() override {
    set_log_level(LogLevel::kOff);
    ASSERT_TRUE(files_.create_directories("/data"));
  }
  void write(const std::string& name, const std::string& content) {
    auto file = *files_.open("/data/" + name, env::OpenMode::kWrite);
    ASSERT_TRUE(file->truncate(0));
    ASSERT_TRUE(file->write_at(0, content));
  }
  void append(const std::string& name, const std::string& content) {
    auto file = *files_.open("/data/" + name, env::OpenMode::kWrite);
    ASSERT_TRUE(file->write_at(*file->size(), content));
  }
  FileFeed& open(FileFeedOptions options) {
    if (options.path.empty()) options.path = "/data/*.jsonl";
    options.scratch = "/scratch";
    auto feed = FileFeed::create(options, files_, [this](const std::string& sql) { return run(sql); });
    EXPECT_TRUE(feed) << feed.error().message;
    feed_ = std::move(*feed);
    return *feed_;
  }
  /// Stands for DuckDB: a Parquet file is the word, then its rows as lines.
  Status run(const std::string& sql) {
    sql_.push_back(sql);
    std::string lines;
    if (sql.find("DESCRIBE") != std::string::npos) {
      lines =
          "{\"column_name\":\"n\",\"column_type\":\"BIGINT\"}\n{\"column_name\":\"b\",\"column_type\":\"BLOB\"}\n{\"column_"
          "name\":\"d\",\"column_type\":\"DOUBLE\"}\n";
    } else {
      size_t first = std::stoul(sql.substr(sql.find(">= ") + 3)), end = std::stoul(sql.substr(sql.find("< ") + 2));
      for (size_t i = first; i < std::min(end, parquet_rows_); ++i) lines += "{\"n\":" + std::to_string(i) + "}\n";
    }
    return (*files_.open("/scratch/rows.jsonl", env::OpenMode::kWrite))->write_at(0, lines);
  }
  /// The values of one poll; its position becomes the one to resume at.
  Values poll() {
    polled_ = feed_->poll({});
    position_ = polled_.position;
    Values values;
    for (const model::Record& record : polled_.records) values.push_back(*record.value);
    return values;
  }

  env::FaultFileSystem files_;
  std::unique_ptr<FileFeed> feed_;
  port::Feed::Polled polled_;
  std::string position_;
  std::vector<std::string> sql_;
  size_t parquet_rows_ = 0;
};

TEST_F(FileFeedTest, EveryLineIsARecord) {
  write("b.jsonl", "3\n");
  write("a.jsonl", "\xef\xbb\xbf{\"k\":\"x\"}\r\n\n{}\nhalf");
  write("c.txt", "no\n");
  FileFeed& feed = open({.key = "$.k"});
  EXPECT_EQ(poll(), (Values{"{\"k\":\"x\"}", "{}", "3"}));
  EXPECT_FALSE(polled_.error);
  EXPECT_EQ(polled_.records[0].key, "x");
  EXPECT_EQ(polled_.records[1].key, std::nullopt);
  EXPECT_EQ(polled_.next_delay, std::chrono::seconds(1));
  EXPECT_EQ(poll(), Values{});
  append("a.jsonl", "way\n");
  EXPECT_EQ(poll(), Values{"halfway"});
  EXPECT_EQ(feed.counters().records, 4u);
  EXPECT_EQ(feed.counters().records_without_key, 3u);
}

TEST_F(FileFeedTest, WithoutFollowingTheLastLineNeedsNoEnd) {
  write("a.jsonl", "1\n2");
  open({.follow = false});
  EXPECT_EQ(poll(), (Values{"1", "2"}));
  append("a.jsonl", "\n3\n");
  write("b.jsonl", "4\n");
  EXPECT_EQ(poll(), Values{"4"});
  open({.follow = false});
  ASSERT_TRUE(feed_->resume(position_));
  EXPECT_EQ(poll(), Values{});
}

TEST_F(FileFeedTest, GoesOnAfterARestart) {
  write("a.jsonl", "1\n2\n");
  open({});
  EXPECT_EQ(poll(), (Values{"1", "2"}));
  append("a.jsonl", "3\n");
  open({});
  ASSERT_TRUE(feed_->resume(position_));
  EXPECT_EQ(poll(), Values{"3"});
  EXPECT_EQ(feed_->resume("{}").error().code, Errc::kFailedPrecondition);
  ASSERT_TRUE(feed_->resume(""));
  EXPECT_EQ(poll(), (Values{"1", "2", "3"}));
}

TEST_F(FileFeedTest, FollowsRotationAndTruncation) {
  write("a.log", "1\n2\n");
  open({.path = "/data/a.log"});
  EXPECT_EQ(poll(), (Values{"1", "2"}));
  append("a.log", "3\n");
  ASSERT_TRUE(files_.rename("/data/a.log", "/data/a.log.1"));
  write("a.log", "4\n");
  EXPECT_EQ(poll(), (Values{"3", "4"}));
  append("a.log.1", "5\n");
  EXPECT_EQ(poll(), Values{"5"});
  write("a.log", "6");
  EXPECT_EQ(poll(), Values{});
  append("a.log", "\n");
  EXPECT_EQ(poll(), Values{"6"});
}

TEST_F(FileFeedTest, PollsAreBounded) {
  write("a.jsonl", "1\n2\n3\n");
  write("b.jsonl", "4\n");
  open({.poll_records_max = 2});
  EXPECT_EQ(poll(), (Values{"1", "2"}));
  EXPECT_EQ(polled_.next_delay, Duration(0));
  open({.poll_records_max = 2});
  ASSERT_TRUE(feed_->resume(position_));
  EXPECT_EQ(poll(), (Values{"3", "4"}));
  write("a.jsonl", std::string(100, 'x') + "\n" + std::string(100, 'y') + "\n");
  open({.poll_bytes_max = 50});
  EXPECT_EQ(poll(), Values{std::string(100, 'x')});
}

TEST_F(FileFeedTest, AnOverlongLineIsLeftOut) {
  write("a.jsonl", "1\n" + std::string(101, 'x'));
  FileFeed& feed = open({.line_bytes_max = 100});
  EXPECT_EQ(poll(), Values{"1"});
  ASSERT_TRUE(polled_.error);
  EXPECT_EQ(polled_.error->message, "/data/a.jsonl:2: the line is longer than 100 bytes and is left out");
  open({.line_bytes_max = 100});
  ASSERT_TRUE(feed_->resume(position_));
  append("a.jsonl", std::string(300, 'x') + "\n" + std::string(100, 'y') + "\n");
  EXPECT_EQ(poll(), Values{std::string(100, 'y')});
  EXPECT_FALSE(polled_.error);
  (void)feed;
}

TEST_F(FileFeedTest, CountsAnOverlongLineOnce) {
  write("a.jsonl", std::string(1000, 'x') + "\n1\n");
  FileFeed& feed = open({.line_bytes_max = 100});
  EXPECT_EQ(poll(), Values{"1"});
  poll();
  EXPECT_EQ(feed.counters().lines_too_long, 1u);
}

TEST_F(FileFeedTest, ALineLongerThanAPieceIsWhole) {
  std::string longer(3 << 20, 'x');
  write("a.jsonl", longer + "\n1\n");
  open({});
  EXPECT_EQ(poll(), (Values{longer, "1"}));
}

TEST_F(FileFeedTest, CsvRowsAreObjectsOfTexts) {
  write("a.csv", "\xef\xbb\xbfid,\"na me\"\r\n1,\"x\ny\"\r\n\r\n2,\r\n3\r\n4,open");
  open({.path = "/data/a.csv", .format = Format::kCsv, .key = "$.id"});
  EXPECT_EQ(poll(), (Values{R"({"id":"1","na me":"x\ny"})", R"({"id":"2","na me":null})", "3"}));
  EXPECT_EQ(polled_.records[1].key, "2");
  append("a.csv", "ed\n");
  open({.path = "/data/a.csv", .format = Format::kCsv});
  ASSERT_TRUE(feed_->resume(position_));
  EXPECT_EQ(poll(), Values{R"({"id":"4","na me":"opened"})"});
}

TEST_F(FileFeedTest, ACsvFileWaitsForItsHeader) {
  write("a.csv", "id,na");
  open({.path = "/data/a.csv", .format = Format::kCsv});
  EXPECT_EQ(poll(), Values{});
  append("a.csv", "me\n1,2\n");
  EXPECT_EQ(poll(), Values{R"({"id":"1","name":"2"})"});
  write("a.csv", "a\"b\n1\n");
  poll();
  ASSERT_TRUE(polled_.error);
  EXPECT_EQ(polled_.error->message, "/data/a.csv:1: the header of a CSV file is expected");
}

TEST_F(FileFeedTest, ParquetIsReadInPiecesOnceItIsWhole) {
  write("a.parquet", "PAR1 half a file");
  open({.path = "/data/*.parquet", .format = Format::kParquet, .poll_records_max = 2});
  EXPECT_EQ(poll(), Values{});
  EXPECT_TRUE(sql_.empty());
  append("a.parquet", "PAR1");
  parquet_rows_ = 3;
  EXPECT_EQ(poll(), (Values{"{\"n\":0}", "{\"n\":1}"}));
  open({.path = "/data/*.parquet", .format = Format::kParquet, .poll_records_max = 2});
  ASSERT_TRUE(feed_->resume(position_));
  EXPECT_EQ(poll(), Values{"{\"n\":2}"});
  size_t statements = sql_.size();
  EXPECT_EQ(poll(), Values{});
  EXPECT_EQ(sql_.size(), statements);
  EXPECT_EQ(sql_.back(),
            "COPY (SELECT \"n\" AS \"n\", base64(\"b\") AS \"b\", CASE WHEN isfinite(\"d\") THEN to_json(\"d\") ELSE "
            "to_json(CAST(\"d\" AS VARCHAR)) END AS \"d\" FROM read_parquet('/data/a.parquet', file_row_number = true) WHERE "
            "file_row_number >= 2 AND file_row_number < 4 ORDER BY file_row_number) TO '/scratch/rows.jsonl' (FORMAT json)");
  EXPECT_FALSE(*files_.exists("/scratch/rows.jsonl"));
}

TEST_F(FileFeedTest, SaysWhatIsMissing) {
  open({.path = "/data/none.jsonl"});
  poll();
  EXPECT_EQ(polled_.error->message, "/data/none.jsonl: no such file");
  open({.path = "/none/*.jsonl"});
  poll();
  EXPECT_EQ(polled_.error->code, Errc::kNotFound);
  open({});
  poll();
  EXPECT_FALSE(polled_.error);
  for (const char* path : {"name", "/data/", "/d*/a"})
    EXPECT_EQ(FileFeed::create({.path = path}, files_, {}).error().code, Errc::kInvalidArgument) << path;
  EXPECT_EQ(FileFeed::create({.path = "/a", .key = "k"}, files_, {}).error().code, Errc::kInvalidArgument);
}

TEST_F(FileFeedTest, AFileThatCannotBeReadHoldsUpNoOther) {
  write("a.jsonl", "1\n");
  write("b.jsonl", "2\n");
  open({});
  // Opened to look at both, then to read the first.
  files_.fail_call(env::FaultFileSystem::Call::kOpen, 3, env::FaultFileSystem::Failure::kIo);
  EXPECT_EQ(poll(), Values{"2"});
  EXPECT_EQ(polled_.error->code, Errc::kIo);
  EXPECT_EQ(poll(), Values{"1"});
}

}  // namespace
}  // namespace millrace::connect::file
