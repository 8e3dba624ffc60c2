#include "connect/kafka/real_broker_bed.h"

namespace millrace::connect::kafka {
namespace {

TEST_F(KafkaSinkReal, epochs_are_committed_with_their_number) {
  declare();
  auto out = sink();
  EXPECT_EQ(out->traits().kind, port::SinkKind::kTransactional);
  auto first = out->recover();
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_EQ(*first, std::nullopt);
  Status done = run_epoch(*out, 7, rows(0, 3));
  ASSERT_TRUE(done) << done.error().message;
  EXPECT_EQ(committed(3), (std::vector<std::string>{R"({"n":0})", R"({"n":1})", R"({"n":2})"}));
  store::Batch none;
  ASSERT_TRUE(out->commit({.number = 8}, none)) << "an epoch without rows";
  EXPECT_EQ(*out->recover(), 8u);
  EXPECT_EQ(*sink()->recover(), 8u);
}

TEST_F(KafkaSinkReal, keys_and_partitions_are_those_of_the_embedded_sink) {
  declare(4);
  auto out = sink();
  ASSERT_TRUE(out->recover());
  ASSERT_TRUE(run_epoch(*out, 1, rows(0, 50, true)));
  auto report = out->stage(rows(50, 52), origins(2, 6), false);
  ASSERT_TRUE(report);
  store::Batch none;
  ASSERT_TRUE(out->commit({.number = 2}, none));
  auto source = *store_->source(topic_);
  size_t count = 0;
  while (count < 52) {
    auto runs = source->poll({}, seconds(10));
    ASSERT_TRUE(runs);
    for (const auto& run : *runs) {
      for (const auto& r : run.records) {
        ++count;
        EXPECT_EQ(r.timestamp_ms, 5000);
        EXPECT_EQ(run.partition.value, r.key ? codec::kafka_record::partition_of_key(*r.key, 4) : 2);
        if (r.key) EXPECT_EQ(*r.value, fmt::format(R"({{"n":{}}})", r.key->substr(3)));
      }
    }
  }
}

TEST_F(KafkaSinkReal, what_was_not_committed_is_never_seen) {
  declare();
  {
    auto out = sink();
    ASSERT_TRUE(out->recover());
    ASSERT_TRUE(run_epoch(*out, 1, rows(0, 2)));
    ASSERT_TRUE(out->stage(rows(2, 100), origins(98), false));
    wait_sent(101);
    // Dies between sending and committing.
  }
  auto out = sink();
  auto number = out->recover();
  ASSERT_TRUE(number) << number.error().message;
  EXPECT_EQ(*number, 1u);
  ASSERT_TRUE(out->stage(rows(2, 100), origins(98), false));
  out->abandon();
  ASSERT_TRUE(run_epoch(*out, 2, rows(5, 6)));
  EXPECT_EQ(committed(3), (std::vector<std::string>{R"({"n":0})", R"({"n":1})", R"({"n":5})"}));
  store_ = open({{"isolation.level", "read_uncommitted"}});
  EXPECT_GT(committed(4).size(), 3u) << "the records of transactions that were rolled back are there for who wants them";
}

TEST_F(KafkaSinkReal, next_passes_what_ends_a_partition_without_records) {
  declare();
  auto out = sink();
  ASSERT_TRUE(out->recover());
  ASSERT_TRUE(run_epoch(*out, 1, rows(0, 2)));
  ASSERT_TRUE(out->stage(rows(2, 5), origins(3), false));
  wait_sent(6);
  out->abandon();
  wait_sent(7);
  auto source = *store_->source(topic_);
  OffsetRange bounds{model::Offset(0), model::Offset(7)};  // two records, a commit, three records, their end
  Read read = read_until(*source, [&](const Read& r) { return r.next.contains(0) && r.next.at(0) == bounds.end.value; });
  EXPECT_EQ(read.next.at(0), bounds.end.value);
  EXPECT_EQ(*source->bounds(model::Partition(0)), bounds);
  EXPECT_EQ(read.values.size(), 2u);
}

TEST_F(KafkaSinkReal, an_earlier_writer_can_commit_nothing_any_more) {
  declare();
  auto old_one = sink(), new_one = sink();
  ASSERT_TRUE(old_one->recover());
  ASSERT_TRUE(run_epoch(*old_one, 1, rows(0, 1)));
  ASSERT_TRUE(old_one->stage(rows(1, 2), origins(1), false));
  auto number = new_one->recover();
  ASSERT_TRUE(number) << number.error().message;
  EXPECT_EQ(*number, 1u);
  store::Batch none;
  Status late = old_one->commit({.number = 2}, none);
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, Errc::kFenced) << late.error().message;
  old_one->abandon();
  ASSERT_TRUE(run_epoch(*new_one, 2, rows(7, 8)));
  EXPECT_EQ(committed(2), (std::vector<std::string>{R"({"n":0})", R"({"n":7})"}));
  EXPECT_EQ(*new_one->recover(), 2u);
}

TEST_F(KafkaSinkReal, an_interrupted_commit_is_in_doubt_and_recover_tells) {
  declare();
  auto out = sink();
  ASSERT_TRUE(out->recover());
  ASSERT_TRUE(out->stage(rows(0, 1), origins(1), false));
  out->interrupt();
  store::Batch none;
  EXPECT_EQ(out->commit({.number = 1}, none).error().code, Errc::kCancelled);
  EXPECT_EQ(out->recover().error().code, Errc::kCancelled);
  EXPECT_EQ(*sink()->recover(), std::nullopt);
}

}  // namespace
}  // namespace millrace::connect::kafka
