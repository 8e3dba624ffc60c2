// The main job with real servers at its ends, with the product's own parts.
//   fill     the topic that everybody reads, --rows records in 4 partitions; once
//   p3       kafka:// -> decode -> SQL -> nothing
//   p5       kafka:// -> cassandra://, twice: the second pass meets a warm server and rows that are there
//   p5-pg    kafka:// -> postgresql://, the same
//   latency  produce -> readable in Cassandra by its key, 500 records/s for --seconds
// One line a case on stderr, JSON on stdout.   real_bench --case NAME --kafka HOST:PORT [--rows N] [--cassandra HOST:PORT]
// [--postgres URL] [--dir DIR] [--seconds S] [--topic NAME] [--option NAME=VALUE]…, the last of Kafka
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <functional>
#include <map>
#include <random>
#include <thread>

#include "bench/pipeline_bed.h"
#include "bench/report.h"
#include "connect/cassandra/session.h"
#include "connect/cassandra/tables.h"
#include "connect/kafka/topics.h"
#include "connect/postgres/connection.h"
#include "connect/postgres/tables.h"
#include "serve/randomuser/users.h"

namespace {

using namespace millrace;
using bench::must;
using bench::wall_seconds;
using connect::cassandra::CassandraTables;
using connect::kafka::KafkaTopics;
using connect::postgres::PostgresTables;

constexpr int32_t kPartitions = 4;
constexpr size_t kRunRecords = 250;  // that stand together in a partition
constexpr std::string_view kKeyspace = "millrace_bench";

struct Places {
  std::string kafka, cassandra, postgres, dir, topic;
  std::map<std::string, std::string> options;  // of Kafka
  size_t rows = 2'000'000;
  double seconds = 20;
};

void die(std::string message) { must<void>(fail(Errc::kInternal, std::move(message))); }

std::unique_ptr<KafkaTopics> topics(const Places& places) {
  if (places.kafka.empty()) die("--kafka HOST:PORT says where the topic is");
  return must(KafkaTopics::open({"kafka://" + places.kafka, places.options, "bench"}));
}

uint64_t records_of(const port::TopicInfo& info) {
  uint64_t count = 0;
  for (const port::OffsetRange& range : info.partitions) count += static_cast<uint64_t>(range.end - range.start);
  return count;
}

void fill(const Places& places) {
  auto store = topics(places);
  port::TopicInfo info = must(store->declare({.name = places.topic, .partitions = kPartitions}));
  if (records_of(info) == places.rows) return;
  if (records_of(info) > 0) die(fmt::format("topic {} has {} records; delete it", places.topic, records_of(info)));
  auto writer = must(store->writer(places.topic));
  for (size_t made = 0, run = 0; made < places.rows; ++run) {
    std::vector<model::Record> records(std::min(kRunRecords, places.rows - made));
    for (model::Record& record : records) record.value = serve::randomuser::flat_user_json(1, made++);
    must(writer->append(records, model::Partition(static_cast<int32_t>(run % kPartitions))));
  }
}

std::vector<port::PartitionEnd> ends_of(const port::TopicInfo& info) {
  std::vector<port::PartitionEnd> ends;
  for (size_t p = 0; p < info.partitions.size(); ++p) {
    ends.push_back({model::Partition(static_cast<int32_t>(p)), info.partitions[p].end, 0});
  }
  return ends;
}

/// The whole topic through the query into `sink`, as a query of that name.
void pass(bench::Report& report, bench::Bed& bed, const Places& places, std::string_view name, std::unique_ptr<port::Sink> sink) {
  auto store = topics(places);
  port::TopicInfo info = must(store->describe(places.topic));
  auto runner = bed.runner(std::string(name), must(store->source(places.topic)), std::move(sink));
  bench::Measure measure;
  double begin = wall_seconds();
  runner->start();
  if (!runner->wait_for(ends_of(info), std::chrono::hours(1), [] { return false; })) die(runner->status().reason);
  measure.stop();
  stream::QueryStatus status = runner->status();
  runner->stop();
  if (status.position.balance.out != records_of(info)) die(fmt::format("{} rows came out", status.position.balance.out));
  report.line(name, status.position.balance.out, measure,
              fmt::format("{} epochs, {:.1f} CPU-us a row", status.epochs, measure.cpu * 1e6 / static_cast<double>(places.rows)),
              fmt::format("\"begin\":{:.6f}", begin));
}

port::TableSinkSpec sink_spec(const bench::Bed& bed, const model::TableDef& def) {
  return {def, std::make_shared<model::Schema>(bed.query.output), "bench", std::string(def.name)};
}

model::TableDef table_in_bench(const bench::Bed& bed) {
  model::TableDef def = bed.table;
  def.name = fmt::format("{}.users", kKeyspace);
  return def;
}

std::unique_ptr<CassandraTables> cassandra(const Places& places) {
  if (places.cassandra.empty()) die("--cassandra HOST:PORT says where the table is");
  std::string url = "cassandra://" + places.cassandra;
  auto session = must(connect::cassandra::Session::open(must(connect::cassandra::read_settings(url, {})), env::real_clock()));
  must(session->change_schema(fmt::format("DROP KEYSPACE IF EXISTS {}", kKeyspace)));
  return must(CassandraTables::open({url, {}}, env::real_env()));
}

void into_cassandra(bench::Report& report, const Places& places) {
  bench::Bed bed(places.dir);
  auto tables = cassandra(places);
  model::TableDef def = table_in_bench(bed);
  must(tables->declare(def));
  for (std::string_view name : {"P5 kafka -> cassandra, pass 1", "P5 kafka -> cassandra, pass 2"}) {
    pass(report, bed, places, name, must(tables->sink(sink_spec(bed, def))));
  }
}

void into_postgres(bench::Report& report, const Places& places) {
  if (places.postgres.empty()) die("--postgres URL says where the table is");
  bench::Bed bed(places.dir);
  auto connection =
      must(connect::postgres::Connection::open(must(connect::postgres::read_options({places.postgres, {}})), "bench",
                                               std::make_shared<connect::postgres::Interrupt>(), bed.env.clock));
  auto tables = must(PostgresTables::open({places.postgres, {}}, bed.env));
  model::TableDef def = table_in_bench(bed);
  for (std::string_view name : {"P5 kafka -> postgresql, pass 1", "P5 kafka -> postgresql, pass 2"}) {
    must(connection->execute(fmt::format("DROP SCHEMA IF EXISTS {} CASCADE", kKeyspace)));
    must(tables->declare(def));
    pass(report, bed, places, name, must(tables->sink(sink_spec(bed, def))));
  }
  must(connection->execute(
      fmt::format("DROP SCHEMA {} CASCADE; DELETE FROM millrace.epochs WHERE pipeline = 'bench'", kKeyspace)));
}

/// Open loop: a record is due every 2 ms, whether the last one is readable yet or not; its time counts from when it was due until
/// a read by key, sent when its epoch is committed, has found the epoch's last row.
class Latency {
 public:
  Latency(bench::Bed& bed, const Places& places)
      : bed_(bed), store_(topics(places)), tables_(cassandra(places)), sent_(static_cast<size_t>(places.seconds * kPerSecond)) {
    topic_ = fmt::format("millrace_bench_latency_{:08x}", std::random_device()());
    must(store_->declare({.name = topic_, .partitions = 1, .retention_time = std::chrono::minutes(10)}));
  }

  void run(bench::Report& report) {
    model::TableDef def = table_in_bench(bed_);
    must(tables_->declare(def));
    auto relation = must(tables_->relation(def));
    auto runner = bed_.runner("latency", must(store_->source(topic_)), must(tables_->sink(sink_spec(bed_, def))));
    runner->on_commit = [&](const stream::Position& position) {
      committed_ = position.partitions[0].next.value;
      committed_.notify_one();
    };
    runner->start();
    bench::Measure measure;
    std::vector<std::thread> senders;
    begin_ = wall_seconds() + 0.1;
    for (size_t s = 0; s < kSenders; ++s) senders.emplace_back([this, s] { send(s); });
    std::vector<double> ms = read(*relation);
    for (std::thread& sender : senders) sender.join();
    measure.stop();
    runner->stop();
    // The first second fills caches and connections.
    std::vector<double> steady(ms.begin() + kPerSecond, ms.end());
    std::ranges::sort(steady);
    auto at = [&](double share) { return steady[static_cast<size_t>(share * static_cast<double>(steady.size() - 1))]; };
    report.line(
        "produce -> readable, 500/s", ms.size(), measure,
        fmt::format("p50 {:.2f} ms, p99 {:.2f} ms, max {:.2f} ms", at(0.5), at(0.99), at(1.0)),
        fmt::format(R"("begin":{:.6f},"p50_ms":{:.3f},"p99_ms":{:.3f},"max_ms":{:.3f})", begin_, at(0.5), at(0.99), at(1.0)));
  }

 private:
  static constexpr size_t kPerSecond = 500;
  static constexpr size_t kSenders = 4;  // an append returns when the broker has answered, which may take longer than 2 ms
  struct Sent {
    double due = 0;
    std::string id;
    std::atomic<bool> known = false;
  };

  void send(size_t sender) {
    auto writer = must(store_->writer(topic_));
    for (size_t i = sender; i < sent_.size(); i += kSenders) {
      double due = begin_ + static_cast<double>(i) / kPerSecond;
      std::vector<model::Record> one(1);
      one[0].value = serve::randomuser::flat_user_json(7, i);
      std::this_thread::sleep_for(std::chrono::duration<double>(due - wall_seconds()));
      auto appended = must(writer->append(one, model::Partition(0)));
      Sent& sent = sent_.at(static_cast<size_t>(appended.at(0).first.value));
      sent.due = due;
      sent.id = one[0].value->substr(std::string_view(R"({"id":")").size(), 36);
      sent.known = true;
      sent.known.notify_one();
    }
  }

  std::vector<double> read(port::Relation& relation) {
    std::vector<double> ms;
    while (ms.size() < sent_.size()) {
      committed_.wait(static_cast<int64_t>(ms.size()));
      auto end = static_cast<size_t>(committed_.load());
      for (size_t i = ms.size(); i < end; ++i) sent_[i].known.wait(false);
      port::ScanRequest request{{0, 1, 2}, {{"id", port::KeyPredicate::Op::kEq, sent_[end - 1].id}}};
      if (must(must(relation.scan(request))->next()).rows != 1) die("a committed row is not readable");
      double now = wall_seconds();
      while (ms.size() < end) ms.push_back(1000 * (now - sent_[ms.size()].due));
    }
    return ms;
  }

  bench::Bed& bed_;
  const std::unique_ptr<KafkaTopics> store_;
  const std::unique_ptr<CassandraTables> tables_;
  std::string topic_;
  std::vector<Sent> sent_;  // by offset
  std::atomic<int64_t> committed_ = 0;
  double begin_ = 0;
};

}  // namespace

int main(int argc, char** argv) {
  Places places;
  places.dir = (std::filesystem::temp_directory_path() / fmt::format("millrace_real_bench_{}", getpid())).string();
  std::string only;
  std::map<std::string_view, std::string*> texts{
      {"--case", &only},      {"--kafka", &places.kafka}, {"--cassandra", &places.cassandra}, {"--postgres", &places.postgres},
      {"--dir", &places.dir}, {"--topic", &places.topic}};
  for (int i = 1; i + 1 < argc; i += 2) {
    std::string_view name = argv[i];
    if (name == "--option") {
      std::string_view option = argv[i + 1];
      size_t equals = std::min(option.find('='), option.size() - 1);
      places.options[std::string(option.substr(0, equals))] = option.substr(equals + 1);
    }
    if (name == "--rows") places.rows = std::strtoull(argv[i + 1], nullptr, 10);
    if (name == "--seconds") places.seconds = std::strtod(argv[i + 1], nullptr);
    if (auto text = texts.find(name); text != texts.end()) *text->second = argv[i + 1];
  }
  if (places.topic.empty()) places.topic = fmt::format("millrace_bench_{}", places.rows);
  bench::Report report;
  std::map<std::string_view, std::function<void()>> cases{{"fill", [&] { fill(places); }},
                                                          {"p3",
                                                           [&] {
                                                             bench::Bed bed(places.dir);
                                                             pass(report, bed, places, "P3 kafka -> project -> null",
                                                                  std::make_unique<bench::NullSink>());
                                                           }},
                                                          {"p5", [&] { into_cassandra(report, places); }},
                                                          {"p5-pg", [&] { into_postgres(report, places); }},
                                                          {"latency", [&] {
                                                             bench::Bed bed(places.dir);
                                                             Latency(bed, places).run(report);
                                                           }}};
  auto found = cases.find(only);
  if (found == cases.end()) die("--case is one of fill, p3, p5, p5-pg, latency");
  found->second();
  std::filesystem::remove_all(places.dir);
  return 0;
}
