#include <algorithm>
#include <set>

#include "connect/kafka/real_broker_bed.h"

namespace millrace::connect::kafka {
namespace {

TEST_F(KafkaReal, declare_makes_a_topic_or_checks_the_one_that_is_there) {
  EXPECT_EQ(store_->describe(topic_).error().code, Errc::kNotFound);
  EXPECT_EQ(store_->writer(topic_).error().code, Errc::kNotFound);
  auto made = store_->declare({.name = topic_,
                               .partitions = 3,
                               .retention_time = std::chrono::hours(2),
                               .retention_bytes = 1 << 20,
                               .compression = "lz4"});
  ASSERT_TRUE(made) << made.error().message;
  EXPECT_EQ(made->partitions, std::vector<OffsetRange>(3));
  EXPECT_FALSE(made->id.is_nil());
  EXPECT_EQ(store_->declare({.name = topic_, .partitions = 2})->id, made->id);
  auto fewer = store_->declare({.name = topic_, .partitions = 5});
  ASSERT_FALSE(fewer);
  EXPECT_EQ(fewer.error().code, Errc::kFailedPrecondition);
  EXPECT_NE(fewer.error().message.find("has 3 partitions, and 5 are declared"), std::string::npos) << fewer.error().message;
  EXPECT_NE(fewer.error().hint.find("--partitions 5"), std::string::npos);
}

TEST_F(KafkaReal, records_come_back_as_they_were_written) {
  for (const char* compression : {"none", "gzip", "snappy", "lz4", "zstd"}) {
    SCOPED_TRACE(compression);
    store_ = open({{"compression.type", compression}});
    declare();
    model::Record full = record("key", "value");
    full.timestamp_ms = 1'700'000'000'123;
    full.headers = {{"a", "1"}, {"none", std::nullopt}, {"empty", ""}, {"a", std::string("\0\xff", 2)}};
    append({full, record(std::nullopt, std::nullopt), record("", ""), record("tombstone", std::nullopt),
            record(std::nullopt, std::string(2'000'00, 'x'))});
    auto source = store_->source(topic_);
    ASSERT_TRUE(source);
    std::vector<model::RecordRun> runs;
    size_t count = 0;
    while (count < 5) {
      auto more = (*source)->poll({}, seconds(10));
      ASSERT_TRUE(more) << more.error().message;
      ASSERT_FALSE(more->empty());
      for (auto& run : *more) count += run.records.size(), runs.push_back(std::move(run));
    }
    std::vector<model::RecordView> records;
    for (auto& run : runs) records.insert(records.end(), run.records.begin(), run.records.end());
    EXPECT_EQ(records[0].key, "key");
    EXPECT_EQ(records[0].value, "value");
    EXPECT_EQ(records[0].timestamp_ms, 1'700'000'000'123);
    auto headers = codec::kafka_record::decode_headers(records[0].raw_headers);
    ASSERT_TRUE(headers) << headers.error().message;
    ASSERT_EQ(headers->size(), 4u);
    EXPECT_EQ((*headers)[0].key, "a");
    EXPECT_EQ((*headers)[1].value, std::nullopt);
    EXPECT_EQ((*headers)[2].value, "");
    EXPECT_EQ((*headers)[3].value, std::string("\0\xff", 2));
    EXPECT_EQ(records[1].key, std::nullopt);
    EXPECT_EQ(records[1].value, std::nullopt);
    EXPECT_TRUE(codec::kafka_record::decode_headers(records[1].raw_headers)->empty());
    EXPECT_GT(records[1].timestamp_ms, 1'700'000'000'123);
    EXPECT_EQ(records[2].key, "");
    EXPECT_EQ(records[2].value, "");
    EXPECT_EQ(records[3].value, std::nullopt);
    EXPECT_EQ(records[4].value->size(), 200'000u);
    source->reset();
    remove(topic_);
    topic_ += "x";
  }
  declare();
}

TEST_F(KafkaReal, the_writer_says_where_records_stand_and_keys_go_where_java_puts_them) {
  declare(4);
  std::vector<model::Record> records;
  for (int i = 0; i < 200; ++i) records.push_back(record(fmt::format("key{}", i), std::to_string(i)));
  auto appended = append(records);
  size_t total = 0;
  for (const auto& a : appended) total += a.count;
  EXPECT_EQ(total, 200u);
  EXPECT_EQ(appended.size(), 4u);
  auto source = *store_->source(topic_);
  std::map<int32_t, int> last;
  Read read = read_until(*source, [](const Read& r) { return r.values.size() >= 200; });
  for (const auto& [partition, value] : read.values) {
    EXPECT_EQ(partition, codec::kafka_record::partition_of_key("key" + value, 4));
    EXPECT_GE(std::stoi(value), last[partition]) << "records of a partition keep their order";
    last[partition] = std::stoi(value);
  }
  auto unkeyed = append({record(std::nullopt, "a"), record(std::nullopt, "b")}, 2);
  ASSERT_EQ(unkeyed.size(), 1u);
  EXPECT_EQ(unkeyed[0].partition.value, 2);
  EXPECT_EQ(unkeyed[0].count, 2u);
  auto too_large = (*store_->writer(topic_))->append({record("k", std::string(3 << 20, 'x'))});
  ASSERT_FALSE(too_large);
  EXPECT_EQ(too_large.error().code, Errc::kInvalidArgument);
}

TEST_F(KafkaReal, each_of_the_writers_beside_each_other_hears_of_its_own_records) {
  constexpr size_t kThreads = 8, kAppends = 50;
  declare();
  auto writer = *store_->writer(topic_);
  std::vector<std::vector<int64_t>> offsets(kThreads);
  std::vector<std::thread> threads;
  for (size_t t = 0; t < kThreads; ++t) {
    threads.emplace_back([&, t] {
      for (size_t i = 0; i < kAppends; ++i) {
        auto appended = writer->append({record(std::nullopt, "value")}, model::Partition(0));
        ASSERT_TRUE(appended) << appended.error().message;
        offsets[t].push_back(appended->at(0).first.value);
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  std::set<int64_t> all;
  for (const auto& own : offsets) {
    EXPECT_TRUE(std::ranges::is_sorted(own));
    all.insert(own.begin(), own.end());
  }
  EXPECT_EQ(all.size(), kThreads * kAppends);
}

TEST_F(KafkaReal, a_source_reads_from_where_it_was_sought) {
  declare(2);
  append_numbers(0, 10, 0);
  append_numbers(10, 20, 1);
  auto source = *store_->source(topic_);
  ASSERT_TRUE(source->seek(model::Partition(0), model::Offset(8)));
  Read read = read_until(*source, [](const Read& r) { return r.values.size() >= 12; });
  EXPECT_EQ(read.values.size(), 12u);
  EXPECT_EQ(read.next, (std::map<int32_t, int64_t>{{0, 10}, {1, 10}}));
  ASSERT_TRUE(source->seek(model::Partition(0), model::Offset(9)));
  read = read_until(*source, [](const Read& r) { return !r.values.empty(); });
  EXPECT_EQ(read.texts(), std::vector<std::string>{"9"});
  auto some = source->poll({}, milliseconds(1));
  EXPECT_TRUE(some && some->empty());
  EXPECT_EQ(*source->bounds(model::Partition(1)), (OffsetRange{model::Offset(0), model::Offset(10)}));
}

TEST_F(KafkaReal, a_poll_keeps_to_its_limit_and_loses_nothing) {
  declare();
  append_numbers(0, 5000);
  auto source = *store_->source(topic_);
  int expected = 0;
  while (expected < 5000) {
    auto runs = source->poll({.records_max = 777}, seconds(10));
    ASSERT_TRUE(runs);
    for (const auto& run : *runs) {
      ASSERT_LE(run.records.size(), 777u);
      for (const auto& r : run.records) ASSERT_EQ(*r.value, std::to_string(expected++));
      EXPECT_EQ(run.next.value, expected);
    }
  }
}

TEST_F(KafkaReal, wake_ends_a_poll) {
  declare();
  auto source = *store_->source(topic_);
  ASSERT_TRUE(source->poll({}, milliseconds(1)));
  std::thread waker([&] { source->wake(); });
  auto runs = source->poll({}, seconds(300));
  waker.join();
  ASSERT_TRUE(runs);
  EXPECT_TRUE(runs->empty());
}

TEST_F(KafkaReal, offsets_that_are_gone_are_counted) {
  declare();
  append_numbers(0, 900);
  auto source = *store_->source(topic_);
  delete_before(0, 150);
  Status sought = source->seek(model::Partition(0), model::Offset(100));
  ASSERT_FALSE(sought);
  EXPECT_EQ(sought.error().code, Errc::kOutOfRange);
  EXPECT_EQ(sought.error().message, fmt::format("offsets 100 to 149 of {}-0 are gone: the topic keeps 150 to 899", topic_));
  EXPECT_EQ(source->seek(model::Partition(0), model::Offset(901)).error().code, Errc::kOutOfRange);
  Read read = read_until(*source, [](const Read& r) { return !r.values.empty(); });
  EXPECT_EQ(read.values.at(0).second, "150") << "a partition that nobody sought begins at what is kept";
}

TEST_F(KafkaReal, a_reader_that_is_overtaken_by_retention_stops) {
  declare();
  append_numbers(0, 300'000);
  store_ = open({{"queued.min.messages", "1"}, {"queued.max.messages.kbytes", "1"}, {"fetch.message.max.bytes", "1000"}});
  auto source = *store_->source(topic_);
  ASSERT_TRUE(source->poll({.records_max = 1}, seconds(10)));
  delete_before(0, 300'000);
  Read read = read_until(*source, [](const Read&) { return false; });
  ASSERT_TRUE(read.error);
  EXPECT_EQ(read.error->code, Errc::kOutOfRange) << read.error->message;
  int64_t lost_from = 1 + static_cast<int64_t>(read.values.size());
  EXPECT_NE(read.error->message.find(fmt::format("offsets {} to 299999 of {}-0 are gone", lost_from, topic_)), std::string::npos)
      << read.error->message;
}

TEST_F(KafkaReal, a_topic_that_was_made_again_is_not_read_on) {
  declare();
  append_numbers(0, 10);
  auto source = *store_->source(topic_);
  read_until(*source, [](const Read& r) { return r.values.size() == 10; });
  remove(topic_);
  Read gone;
  do {  // for some seconds it may be a broker that starts
    gone = read_until(*source, [](const Read&) { return false; }, seconds(60));
    ASSERT_TRUE(gone.error);
  } while (gone.error->code == Errc::kUnavailable);
  EXPECT_EQ(gone.error->code, Errc::kFailedPrecondition) << gone.error->message;
  declare();
  auto again = source->poll({}, milliseconds(1));
  ASSERT_FALSE(again);
  EXPECT_EQ(again.error().code, Errc::kFailedPrecondition);
  EXPECT_NE(again.error().message.find("deleted and made again"), std::string::npos) << again.error().message;
}

TEST_F(KafkaReal, new_partitions_are_read_from_their_start) {
  declare(1);
  auto source = *store_->source(topic_);
  append_numbers(0, 3);
  read_until(*source, [](const Read& r) { return r.values.size() == 3; });
  add_partitions(2);
  // The source itself looks every half minute; describe() looks at once.
  while (source->describe()->partitions < 2) std::this_thread::yield();
  append_numbers(3, 6, 1);
  Read read = read_until(*source, [](const Read& r) { return r.values.size() == 3; }, seconds(60));
  EXPECT_EQ(read.values, (std::vector<std::pair<int32_t, std::string>>{{1, "3"}, {1, "4"}, {1, "5"}}));
}

TEST_F(KafkaReal, a_server_that_is_not_there_is_unavailable) {
  auto store = *KafkaTopics::open({"kafka://127.0.0.1:1", {}, "test"});
  auto described = store->describe(topic_);
  ASSERT_FALSE(described);
  EXPECT_EQ(described.error().code, Errc::kUnavailable);
  EXPECT_NE(described.error().message.find("127.0.0.1:1"), std::string::npos);
}

}  // namespace
}  // namespace millrace::connect::kafka
