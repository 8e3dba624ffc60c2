#pragma once

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <map>
#include <random>
#include <thread>

#include "codec/kafka_record/record_batch.h"
#include "connect/kafka/handles.h"
#include "connect/kafka/topics.h"
#include "model/column_builder.h"

/// What the tests against a real broker share.
namespace millrace::connect::kafka {

using port::Appended;
using port::OffsetRange;
using port::PartitionEnd;
using std::chrono::milliseconds;
using std::chrono::seconds;

/// Against the broker that MILLRACE_TEST_KAFKA names (host:port); skipped without it.
class KafkaReal : public testing::Test {
 protected:
  void SetUp() override {
    const char* servers = std::getenv("MILLRACE_TEST_KAFKA");
    if (servers == nullptr) GTEST_SKIP() << "MILLRACE_TEST_KAFKA is not set";
    servers_ = servers;
    store_ = open();
    std::random_device random;
    topic_ = fmt::format("mrtest-kafka-{:08x}{:08x}", random(), random());
    query_ = "q-" + topic_;
  }
  void TearDown() override {
    if (store_) remove(topic_);
  }

  std::unique_ptr<KafkaTopics> open(std::map<std::string, std::string> options = {}) {
    auto store = KafkaTopics::open({"kafka://" + servers_, std::move(options), "test"});
    EXPECT_TRUE(store) << store.error().message;
    return std::move(*store);
  }
  std::unique_ptr<KafkaTopics> open_group(std::map<std::string, std::string> options = {}) {
    options.emplace("group.id", "g-" + topic_);
    options.emplace("session.timeout.ms", "6000");
    return open(std::move(options));
  }
  port::TopicInfo declare(int32_t partitions = 1) {
    auto info = store_->declare({.name = topic_, .partitions = partitions});
    EXPECT_TRUE(info) << info.error().message;
    return info.value_or(port::TopicInfo());
  }

  /// An admin request of the library, for what the room itself never does.
  template <class Ask>
  void admin(Ask ask) {
    char text[256];
    rd_kafka_conf_t* conf = rd_kafka_conf_new();
    rd_kafka_conf_set(conf, "bootstrap.servers", servers_.c_str(), text, sizeof text);
    Owned<rd_kafka_t, rd_kafka_destroy> rk(rd_kafka_new(RD_KAFKA_PRODUCER, conf, text, sizeof text));
    Queue queue(rd_kafka_queue_new(rk.get()));
    ask(rk.get(), queue.get());
    Event event(rd_kafka_queue_poll(queue.get(), 20'000));
    ASSERT_TRUE(event);
    EXPECT_EQ(rd_kafka_event_error(event.get()), 0) << rd_kafka_event_error_string(event.get());
  }
  void remove(const std::string& topic) {
    admin([&](rd_kafka_t* rk, rd_kafka_queue_t* queue) {
      Owned<rd_kafka_DeleteTopic_t, rd_kafka_DeleteTopic_destroy> ask(rd_kafka_DeleteTopic_new(topic.c_str()));
      rd_kafka_DeleteTopic_t* asks[] = {ask.get()};
      rd_kafka_DeleteTopics(rk, asks, 1, nullptr, queue);
    });
  }
  void delete_before(int32_t partition, int64_t offset) {
    admin([&](rd_kafka_t* rk, rd_kafka_queue_t* queue) {
      PartitionList list(rd_kafka_topic_partition_list_new(1));
      rd_kafka_topic_partition_list_add(list.get(), topic_.c_str(), partition)->offset = offset;
      Owned<rd_kafka_DeleteRecords_t, rd_kafka_DeleteRecords_destroy> ask(rd_kafka_DeleteRecords_new(list.get()));
      rd_kafka_DeleteRecords_t* asks[] = {ask.get()};
      rd_kafka_DeleteRecords(rk, asks, 1, nullptr, queue);
    });
  }
  void add_partitions(size_t count) {
    admin([&](rd_kafka_t* rk, rd_kafka_queue_t* queue) {
      char text[256];
      Owned<rd_kafka_NewPartitions_t, rd_kafka_NewPartitions_destroy> ask(
          rd_kafka_NewPartitions_new(topic_.c_str(), count, text, sizeof text));
      rd_kafka_NewPartitions_t* asks[] = {ask.get()};
      rd_kafka_CreatePartitions(rk, asks, 1, nullptr, queue);
    });
  }

  static model::Record record(std::optional<std::string> key, std::optional<std::string> value) {
    model::Record out;
    out.key = std::move(key);
    out.value = std::move(value);
    return out;
  }
  std::vector<Appended> append(const std::vector<model::Record>& records, int32_t unkeyed = 0) {
    auto writer = store_->writer(topic_);
    EXPECT_TRUE(writer) << writer.error().message;
    auto done = (*writer)->append(records, model::Partition(unkeyed));
    EXPECT_TRUE(done) << done.error().message;
    return done.value_or(std::vector<Appended>());
  }
  void append_numbers(int from, int to, int32_t partition = 0) {
    std::vector<model::Record> records;
    for (int i = from; i < to; ++i) records.push_back(record(std::nullopt, std::to_string(i)));
    append(records, partition);
  }

  /// What a source gives until `done` says that it is enough.
  struct Read {
    std::vector<std::pair<int32_t, std::string>> values;  // by partition
    std::map<int32_t, int64_t> next;
    std::optional<Error> error;
    std::vector<std::string> texts() const {
      std::vector<std::string> out;
      for (const auto& [partition, text] : values) out.push_back(text);
      return out;
    }
  };
  static void poll_into(port::Source& source, Read& read, Duration wait = milliseconds(200)) {
    auto runs = source.poll({}, wait);
    if (!runs) {
      read.error = runs.error();
      return;
    }
    for (const auto& run : *runs) {
      for (const auto& r : run.records) read.values.emplace_back(run.partition.value, std::string(r.value.value_or("<null>")));
      read.next[run.partition.value] = run.next.value;
    }
  }
  template <class Done>
  static Read read_until(port::Source& source, Done done, seconds limit = seconds(30)) {
    Read read;
    auto deadline = std::chrono::steady_clock::now() + limit;
    while (!read.error && !done(read) && std::chrono::steady_clock::now() < deadline) poll_into(source, read);
    return read;
  }

  std::string servers_, topic_, query_;
  std::unique_ptr<KafkaTopics> store_;
};

/// Rows of (_key, n) for the sink.
class KafkaSinkReal : public KafkaReal {
 protected:
  model::ColumnBatch rows(int from, int to, bool keyed = false) {
    auto schema = std::make_shared<model::Schema>();
    schema->fields.push_back({"n", {model::TypeId::kInteger}});
    if (keyed) schema->fields.push_back({"_key", {model::TypeId::kText}});
    model::BatchBuilder builder(schema);
    for (int i = from; i < to; ++i) {
      builder.column(0).append<int32_t>(i);
      if (keyed) builder.column(1).append_text(fmt::format("key{}", i));
    }
    return std::move(builder).finish();
  }
  static std::vector<port::RowOrigin> origins(size_t count, int32_t partition = 0) {
    std::vector<port::RowOrigin> out(count);
    for (size_t i = 0; i < count; ++i) out[i] = {.partition = partition, .offset = static_cast<int64_t>(i), .timestamp_ms = 5000};
    return out;
  }
  std::unique_ptr<port::Sink> sink() {
    auto made = store_->sink({.topic = topic_, .pipeline = "test", .query = query_});
    EXPECT_TRUE(made) << made.error().message;
    return std::move(*made);
  }
  static Status run_epoch(port::Sink& sink, uint64_t number, const model::ColumnBatch& batch) {
    TRY(auto report, sink.stage(batch, origins(batch.rows), false));
    EXPECT_TRUE(report.faults.empty());
    store::Batch none;
    return sink.commit({.number = number}, none);
  }
  /// The first committed records; Kafka shows them a moment after the commit.
  std::vector<std::string> committed(size_t count) {
    auto source = *store_->source(topic_);
    return read_until(*source, [&](const Read& r) { return r.values.size() >= count; }).texts();
  }
  /// Waits until the broker has so many records, committed or not.
  void wait_sent(int64_t count) {
    auto all = open({{"isolation.level", "read_uncommitted"}});
    auto deadline = std::chrono::steady_clock::now() + seconds(30);
    while (all->describe(topic_)->partitions.at(0).end.value < count && std::chrono::steady_clock::now() < deadline) {
      std::this_thread::yield();
    }
    EXPECT_GE(all->describe(topic_)->partitions.at(0).end.value, count);
  }
};

}  // namespace millrace::connect::kafka
