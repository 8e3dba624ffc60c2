#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>

#include "model/column_builder.h"
#include "port/topic_store.h"

namespace millrace::port {

/// What every TopicStore, with its sources, sinks and writers, must do; an implementation's test instantiates it:
///   INSTANTIATE_TEST_SUITE_P(Kafka, TopicStoreContract, testing::Values(MakeTopics(…)));
struct TopicsUnderTest {
  /// Null skips the test: the server is not there.
  std::shared_ptr<TopicStore> store;
  std::string topic;  // a name that nobody else has
  /// Commits what a sink put into the batch, and whatever makes a topic the output of the query.
  std::function<Status(store::Batch)> commit_batch = [](store::Batch) { return Status(); };
  std::function<void(const std::string& topic, const std::string& query)> give_to = [](const auto&, const auto&) {};
  std::shared_ptr<void> owner;  // of what the store stands on
};
using MakeTopics = std::function<TopicsUnderTest()>;

class TopicStoreContract : public testing::TestWithParam<MakeTopics> {
 protected:
  void SetUp() override {
    under_test_ = GetParam()();
    if (under_test_.store == nullptr) GTEST_SKIP() << "there is no server";
  }

  TopicStore& store() { return *under_test_.store; }
  const std::string& topic() { return under_test_.topic; }
  TopicInfo declare(int32_t partitions) {
    auto info = store().declare({.name = topic(), .partitions = partitions});
    EXPECT_TRUE(info) << info.error().message;
    return info.value_or(TopicInfo());
  }
  static model::Record record(std::optional<std::string> key, std::optional<std::string> value) {
    return {std::move(key), std::move(value), {}, 1'700'000'000'123};
  }
  void append(const std::vector<model::Record>& records, int32_t partition) {
    auto writer = store().writer(topic());
    ASSERT_TRUE(writer) << writer.error().message;
    auto appended = (*writer)->append(records, model::Partition(partition));
    ASSERT_TRUE(appended) << appended.error().message;
  }
  /// Polls until `count` records are there; by partition.
  static std::map<int32_t, std::vector<std::string>> read(Source& source, size_t count) {
    std::map<int32_t, std::vector<std::string>> values;
    size_t seen = 0;
    for (int polls = 0; seen < count && polls < 50; ++polls) {
      auto runs = source.poll({}, std::chrono::seconds(1));
      EXPECT_TRUE(runs) << runs.error().message;
      if (!runs) break;
      for (const model::RecordRun& run : *runs) {
        for (const model::RecordView& one : run.records) values[run.partition.value].emplace_back(one.value.value_or("(null)"));
        seen += run.records.size();
      }
    }
    EXPECT_EQ(seen, count);
    return values;
  }
  std::map<int32_t, std::vector<std::string>> read_all(size_t count) {
    auto source = store().source(topic());
    EXPECT_TRUE(source) << source.error().message;
    return read(**source, count);
  }

  std::unique_ptr<Sink> sink() {
    under_test_.give_to(topic(), "q");
    auto made = store().sink({.topic = topic(), .pipeline = "contract", .query = "q"});
    EXPECT_TRUE(made) << made.error().message;
    auto last = (*made)->recover();
    EXPECT_TRUE(last) << last.error().message;
    return std::move(*made);
  }
  static void stage(Sink& sink, const std::vector<std::string>& words, int32_t partition) {
    auto schema = std::make_shared<model::Schema>(model::Schema{{{"word", {model::TypeId::kText}}}});
    model::BatchBuilder builder(schema);
    std::vector<RowOrigin> origins;
    for (const std::string& word : words) {
      builder.column(0).append_text(word);
      origins.push_back({.partition = partition, .timestamp_ms = 1'700'000'000'123});
    }
    auto report = sink.stage(std::move(builder).finish(), origins, false);
    ASSERT_TRUE(report) << report.error().message;
    EXPECT_TRUE(report->faults.empty());
  }
  void commit(Sink& sink, uint64_t number) {
    store::Batch batch;
    Status done = sink.commit({number, {}}, batch);
    ASSERT_TRUE(done) << done.error().message;
    ASSERT_TRUE(under_test_.commit_batch(std::move(batch)));
    sink.committed();
  }

  TopicsUnderTest under_test_;
};

TEST_P(TopicStoreContract, a_topic_is_declared_once_and_keeps_its_id) {
  EXPECT_EQ(store().describe(topic()).error().code, Errc::kNotFound);
  TopicInfo first = declare(2);
  EXPECT_EQ(first.partitions.size(), 2u);
  EXPECT_EQ(declare(2).id, first.id);
  EXPECT_EQ(store().describe(topic())->id, first.id);
  EXPECT_EQ(store().source(topic()).value()->describe()->topic_id, first.id);
}

TEST_P(TopicStoreContract, fewer_partitions_than_declared_are_refused) {
  declare(2);
  auto more = store().declare({.name = topic(), .partitions = 3});
  ASSERT_FALSE(more);
  EXPECT_EQ(more.error().code, Errc::kFailedPrecondition);
}

TEST_P(TopicStoreContract, records_come_back_as_they_were_written) {
  declare(1);
  std::vector<model::Record> written = {record("key", "value"), record(std::nullopt, "Zürich"), record("", ""),
                                        record("gone", std::nullopt)};
  append(written, 0);
  auto source = store().source(topic());
  ASSERT_TRUE(source) << source.error().message;
  std::vector<model::RecordRun> held;
  std::vector<model::RecordView> records;
  for (int polls = 0; records.size() < written.size() && polls < 50; ++polls) {
    auto runs = (*source)->poll({}, std::chrono::seconds(1));
    ASSERT_TRUE(runs) << runs.error().message;
    for (model::RecordRun& run : *runs) {
      records.insert(records.end(), run.records.begin(), run.records.end());
      held.push_back(std::move(run));
    }
  }
  ASSERT_EQ(records.size(), written.size());
  for (size_t i = 0; i < records.size(); ++i) {
    EXPECT_EQ(records[i].offset.value, static_cast<int64_t>(i));
    EXPECT_EQ(records[i].timestamp_ms, *written[i].timestamp_ms);
    EXPECT_EQ(records[i].key, written[i].key);
    EXPECT_EQ(records[i].value, written[i].value);
  }
}

TEST_P(TopicStoreContract, a_key_has_one_partition_and_it_is_kafkas) {
  declare(4);
  append({record("Zürich", "a"), record("Bern", "b"), record("Zürich", "c"), record("", "d")}, 0);
  // Computed by the murmur2 of Kafka's DefaultPartitioner.
  EXPECT_EQ(read_all(4), (std::map<int32_t, std::vector<std::string>>{{1, {"a", "c", "d"}}, {3, {"b"}}}));
}

TEST_P(TopicStoreContract, a_source_reads_on_where_it_is_sent) {
  declare(2);
  append({record({}, "a"), record({}, "b"), record({}, "c")}, 1);
  auto source = store().source(topic());
  ASSERT_TRUE(source) << source.error().message;
  EXPECT_EQ(*(*source)->bounds(model::Partition(1)), (OffsetRange{model::Offset(0), model::Offset(3)}));
  ASSERT_TRUE((*source)->seek(model::Partition(1), model::Offset(2)));
  EXPECT_EQ(read(**source, 1), (std::map<int32_t, std::vector<std::string>>{{1, {"c"}}}));
  append({record({}, "d")}, 1);
  EXPECT_EQ(read(**source, 1), (std::map<int32_t, std::vector<std::string>>{{1, {"d"}}}));
}

TEST_P(TopicStoreContract, an_offset_that_is_not_there_is_out_of_range) {
  declare(1);
  append({record({}, "a")}, 0);
  auto source = store().source(topic());
  ASSERT_TRUE(source) << source.error().message;
  Status sought = (*source)->seek(model::Partition(0), model::Offset(1'000));
  for (int polls = 0; sought && polls < 20; ++polls) {  // a foreign log may tell at the next poll
    auto runs = (*source)->poll({}, std::chrono::seconds(1));
    if (!runs) sought = fail(runs.error());
  }
  ASSERT_FALSE(sought);
  EXPECT_EQ(sought.error().code, Errc::kOutOfRange);
}

TEST_P(TopicStoreContract, wake_ends_a_poll) {
  declare(1);
  auto source = store().source(topic());
  ASSERT_TRUE(source) << source.error().message;
  ASSERT_TRUE((*source)->poll({}, Duration(0)));
  (*source)->wake();
  auto runs = (*source)->poll({}, std::chrono::minutes(5));
  ASSERT_TRUE(runs);
  EXPECT_TRUE(runs->empty());
}

TEST_P(TopicStoreContract, rows_of_an_epoch_are_there_once_it_is_committed) {
  declare(2);
  auto rows = sink();
  stage(*rows, {"a", "b"}, 1);
  stage(*rows, {"c"}, 1);
  commit(*rows, 1);
  auto values = read_all(3);
  EXPECT_EQ(values[1], (std::vector<std::string>{R"({"word":"a"})", R"({"word":"b"})", R"({"word":"c"})"}));
}

TEST_P(TopicStoreContract, rows_of_an_epoch_that_is_given_up_are_never_there) {
  declare(1);
  auto rows = sink();
  stage(*rows, {"given up"}, 0);
  rows->abandon();
  ASSERT_TRUE(rows->recover());
  stage(*rows, {"kept"}, 0);
  commit(*rows, 1);
  EXPECT_EQ(read_all(1)[0], std::vector<std::string>{R"({"word":"kept"})"});
}

TEST_P(TopicStoreContract, a_transactional_sink_knows_its_last_epoch) {
  declare(1);
  auto rows = sink();
  if (rows->traits().kind != SinkKind::kTransactional) return;
  EXPECT_EQ(*rows->recover(), std::nullopt);
  stage(*rows, {"a"}, 0);
  commit(*rows, 7);
  EXPECT_EQ(*rows->recover(), std::optional<uint64_t>(7));
  EXPECT_EQ(*sink()->recover(), std::optional<uint64_t>(7));
}

}  // namespace millrace::port
