#include "connect/kafka/real_broker_bed.h"

namespace millrace::connect::kafka {
namespace {

class KafkaGroupReal : public KafkaSinkReal {
 protected:
  std::unique_ptr<port::GroupSource> member(KafkaTopics& store) {
    auto made = store.group_source(topic_, "q");
    EXPECT_TRUE(made) << made.error().message;
    return std::move(*made);
  }
  static std::vector<PartitionEnd> ends_of(const std::vector<model::RecordRun>& runs, uint64_t version) {
    std::vector<PartitionEnd> ends;
    for (const auto& run : runs) ends.push_back({run.partition, run.next, version});
    return ends;
  }
  /// Polls until there are records; nothing is outstanding before.
  static std::vector<model::RecordRun> first_records(port::GroupSource& source) {
    auto deadline = std::chrono::steady_clock::now() + seconds(40);
    while (std::chrono::steady_clock::now() < deadline) {
      auto runs = source.poll({}, milliseconds(200));
      EXPECT_TRUE(runs) << runs.error().message;
      if (!runs) break;
      for (const auto& run : *runs) {
        if (!run.records.empty()) return std::move(*runs);
      }
    }
    ADD_FAILURE() << "no records came";
    return {};
  }
  template <class Done>
  static bool idle_until(const std::vector<port::GroupSource*>& sources, Done done) {
    auto deadline = std::chrono::steady_clock::now() + seconds(60);
    while (!done() && std::chrono::steady_clock::now() < deadline) {
      for (auto* source : sources) {
        auto runs = source->poll({}, milliseconds(50));
        EXPECT_TRUE(runs) << runs.error().message;
        if (!runs) return false;
      }
    }
    return done();
  }
};

TEST_F(KafkaGroupReal, positions_and_versions_are_kept_by_the_group) {
  declare();
  append_numbers(0, 10);
  auto store = open_group();
  EXPECT_TRUE(store->uses_groups());
  EXPECT_FALSE(store_->uses_groups());
  EXPECT_EQ(store_->group_source(topic_, "q").error().code, Errc::kFailedPrecondition);
  auto source = member(*store);
  auto runs = first_records(*source);
  ASSERT_EQ(runs.size(), 1u);
  EXPECT_EQ(runs[0].records.size(), 10u);
  EXPECT_EQ(runs[0].version_floor, 0u);
  EXPECT_EQ(source->owned(), std::vector<model::Partition>{model::Partition(0)});
  ASSERT_TRUE(source->rewind());
  runs = first_records(*source);
  EXPECT_EQ(*runs[0].records[0].value, "0") << "nothing was committed";
  Status done = source->commit({{model::Partition(0), model::Offset(4), 1234567}});
  ASSERT_TRUE(done) << done.error().message;
  ASSERT_TRUE(source->rewind());
  runs = first_records(*source);
  EXPECT_EQ(*runs[0].records[0].value, "4");
  EXPECT_EQ(runs[0].version_floor, 1234567u);
  ASSERT_TRUE(source->commit(ends_of(runs, 1234999)));
  source.reset();
  source = member(*store);
  append_numbers(10, 11);
  runs = first_records(*source);
  EXPECT_EQ(*runs[0].records[0].value, "10");
  EXPECT_EQ(runs[0].version_floor, 1234999u);
}

TEST_F(KafkaGroupReal, members_share_and_take_over) {
  declare(4);
  auto one_store = open_group(), two_store = open_group();
  auto one = member(*one_store);
  ASSERT_TRUE(idle_until({one.get()}, [&] { return one->owned().size() == 4; }));
  auto two = member(*two_store);
  ASSERT_TRUE(idle_until({one.get(), two.get()}, [&] { return one->owned().size() == 2 && two->owned().size() == 2; }));
  for (int p = 0; p < 4; ++p) append_numbers(p * 10, p * 10 + 10, p);
  std::map<int32_t, size_t> seen;
  for (auto* source : {one.get(), two.get()}) {
    size_t count = 0;
    while (count < 20) {
      auto runs = first_records(*source);
      ASSERT_FALSE(runs.empty());
      for (const auto& run : runs) count += run.records.size(), seen[run.partition.value] += run.records.size();
      ASSERT_TRUE(source->commit(ends_of(runs, 5)));
    }
  }
  EXPECT_EQ(seen, (std::map<int32_t, size_t>{{0, 10}, {1, 10}, {2, 10}, {3, 10}}));
  two.reset();
  ASSERT_TRUE(idle_until({one.get()}, [&] { return one->owned().size() == 4; }));
}

TEST_F(KafkaGroupReal, a_revocation_waits_until_records_are_committed) {
  declare(2);
  append_numbers(0, 10, 0);
  append_numbers(10, 20, 1);
  auto one_store = open_group(), two_store = open_group();
  auto one = member(*one_store);
  std::map<int32_t, PartitionEnd> ends;
  size_t count = 0;
  while (count < 20) {
    for (const auto& run : first_records(*one)) {
      count += run.records.size();
      ends.insert_or_assign(run.partition.value, PartitionEnd{run.partition, run.next, 9});
    }
  }
  auto two = member(*two_store);
  std::atomic<bool> stop = false;
  std::thread second([&] {
    while (!stop) ASSERT_TRUE(two->poll({}, milliseconds(50)));
  });
  // A poll that returns nothing: now the partitions may go, but not before the next poll.
  auto none = one->poll({}, seconds(20));
  ASSERT_TRUE(none);
  EXPECT_TRUE(none->empty());
  EXPECT_EQ(one->owned().size(), 2u);
  Status done = one->commit({ends.at(0), ends.at(1)});
  EXPECT_TRUE(done) << done.error().message;
  EXPECT_TRUE(idle_until({one.get()}, [&] { return one->owned().size() == 1 && two->owned().size() == 1; }));
  stop = true;
  second.join();
}

TEST_F(KafkaGroupReal, who_was_silent_for_too_long_commits_nothing) {
  declare();
  append_numbers(0, 10);
  auto one_store = open_group({{"max.poll.interval.ms", "6000"}}), two_store = open_group();
  auto one = member(*one_store);
  auto runs = first_records(*one);
  auto two = member(*two_store);
  ASSERT_TRUE(idle_until({two.get()}, [&] { return two->owned().size() == 1; }));
  Status late = one->commit(ends_of(runs, 9));
  ASSERT_FALSE(late);
  EXPECT_EQ(late.error().code, Errc::kFenced) << late.error().message;
  ASSERT_TRUE(one->rewind());
  auto again = one->poll({}, milliseconds(10));
  ASSERT_TRUE(again);
  EXPECT_TRUE(again->empty());
  EXPECT_EQ(one->commit(ends_of(runs, 9)).error().code, Errc::kFenced);
}

TEST_F(KafkaGroupReal, who_dies_without_a_word_is_replaced_after_the_session) {
  declare();
  append_numbers(0, 10);
  // A member with a name of its own does not say goodbye.
  auto one_store = open_group({{"group.instance.id", "one"}}), two_store = open_group();
  auto one = member(*one_store);
  auto runs = first_records(*one);
  ASSERT_TRUE(one->commit({{model::Partition(0), model::Offset(3), 42}}));
  one.reset();
  auto two = member(*two_store);
  runs = first_records(*two);
  ASSERT_FALSE(runs.empty());
  EXPECT_EQ(*runs[0].records[0].value, "3");
  EXPECT_EQ(runs[0].version_floor, 42u);
}

TEST_F(KafkaGroupReal, a_transaction_carries_the_positions) {
  declare();
  append_numbers(0, 10);
  auto store = open_group({{"group.instance.id", "a"}});
  auto source = member(*store);
  std::string out_topic = topic_ + "-out";
  ASSERT_TRUE(store->declare({.name = out_topic}));
  auto out = store->sink({.topic = out_topic, .pipeline = "test", .query = query_, .group = source.get()});
  ASSERT_TRUE(out);
  ASSERT_TRUE((*out)->recover());
  auto runs = first_records(*source);
  auto ends = ends_of(runs, 77);
  ASSERT_TRUE((*out)->stage(rows(0, 3), origins(3), false));
  (*out)->abandon();
  ASSERT_TRUE(source->rewind());
  runs = first_records(*source);
  EXPECT_EQ(*runs[0].records[0].value, "0");
  ASSERT_TRUE((*out)->stage(rows(0, 3), origins(3), false));
  store::Batch none;
  Status done = (*out)->commit({.number = 4, .ends = ends}, none);
  ASSERT_TRUE(done) << done.error().message;
  ASSERT_TRUE(source->commit(ends));
  ASSERT_TRUE(source->rewind());
  append_numbers(10, 11);
  runs = first_records(*source);
  EXPECT_EQ(*runs[0].records[0].value, "10");
  EXPECT_EQ(runs[0].version_floor, 77u);
  EXPECT_EQ(*(*out)->recover(), 4u);
  out->reset();
  remove(out_topic);
}

TEST_F(KafkaGroupReal, positions_in_a_topic_that_was_made_again_are_refused) {
  declare();
  append_numbers(0, 3);
  auto store = open_group();
  auto source = member(*store);
  auto runs = first_records(*source);
  ASSERT_TRUE(source->commit(ends_of(runs, 1)));
  source.reset();
  remove(topic_);
  while (store_->describe(topic_)) std::this_thread::yield();
  declare();
  source = member(*store);
  Read read = read_until(*source, [](const Read&) { return false; });
  // Kafka forgets a group's offsets with the topic, at its own pace: then there is nothing to refuse.
  if (read.error) {
    EXPECT_EQ(read.error->code, Errc::kFailedPrecondition) << read.error->message;
  } else {
    EXPECT_TRUE(read.values.empty());
  }
}

}  // namespace
}  // namespace millrace::connect::kafka
