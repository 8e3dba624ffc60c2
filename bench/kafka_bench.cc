#include <algorithm>
#include <cstdlib>
#include <random>
#include <thread>

#include "bench/report.h"
#include "connect/kafka/topics.h"
#include "model/column_builder.h"

/// A Kafka broker from this side: records read, written and committed, and how long one takes from a writer to a reader. The
/// broker stands at MILLRACE_TEST_KAFKA (host:port) and is not part of what is measured; pin this program to one core with
/// taskset.
namespace millrace {
namespace {

using bench::must;
using connect::kafka::KafkaTopics;

constexpr size_t kRecords = 2'000'000;
constexpr size_t kSunk = 500'000;
constexpr size_t kRoundTrips = 2'000;
constexpr size_t kValueBytes = 440;

std::vector<model::Record> values(size_t count) {
  std::vector<model::Record> records(count);
  for (size_t i = 0; i < count; ++i) {
    records[i].value = fmt::format(R"({{"n":{},"fill":")", i);
    records[i].value->resize(kValueBytes - 2, 'x');
    *records[i].value += "\"}";
  }
  return records;
}

size_t count_of(const std::vector<model::RecordRun>& runs) {
  size_t count = 0;
  for (const auto& run : runs) count += run.records.size();
  return count;
}

void read_all(port::Source& source) {
  for (size_t count = 0; count < kRecords;) count += count_of(must(source.poll({}, std::chrono::seconds(10))));
}

void round_trips(bench::Report& report, KafkaTopics& store, const std::string& topic) {
  must(store.declare({.name = topic}));
  auto source = must(store.source(topic));
  auto writer = must(store.writer(topic));
  auto one = values(1);
  must(writer->append(one));
  while (count_of(must(source->poll({}, std::chrono::seconds(10)))) == 0) continue;
  std::vector<double> ms;
  bench::Measure m;
  for (size_t i = 0; i < kRoundTrips; ++i) {
    double begin = bench::wall_seconds();
    std::thread append([&] { must(writer->append(one)); });
    while (count_of(must(source->poll({}, std::chrono::seconds(10)))) == 0) continue;
    ms.push_back(1000 * (bench::wall_seconds() - begin));
    append.join();
  }
  std::ranges::sort(ms);
  report.line("append to poll, one at a time", kRoundTrips, m.stop(),
              fmt::format("p50 {:.2f} ms, p99 {:.2f} ms", ms[ms.size() / 2], ms[ms.size() * 99 / 100]),
              fmt::format(R"("p50_ms":{:.3f},"p99_ms":{:.3f})", ms[ms.size() / 2], ms[ms.size() * 99 / 100]));
}

void transactions(bench::Report& report, KafkaTopics& store, const std::string& topic) {
  must(store.declare({.name = topic}));
  auto sink = must(store.sink({.topic = topic, .pipeline = "bench", .query = topic}));
  must(sink->recover());
  auto schema = std::make_shared<model::Schema>();
  schema->fields.push_back({"n", {model::TypeId::kInteger}});
  schema->fields.push_back({"fill", {model::TypeId::kText}});
  model::BatchBuilder builder(schema);
  std::string fill(kValueBytes - 30, 'x');
  constexpr size_t kBatch = 10'000;
  for (size_t i = 0; i < kBatch; ++i) {
    builder.column(0).append<int32_t>(static_cast<int32_t>(i));
    builder.column(1).append_stable_text(fill);
  }
  model::ColumnBatch batch = std::move(builder).finish();
  std::vector<port::RowOrigin> origins(kBatch);
  report.measure("transactional sink, 100 k an epoch", kSunk, [&] {
    for (uint64_t epoch = 1; epoch <= kSunk / 100'000; ++epoch) {
      for (size_t rows = 0; rows < 100'000; rows += kBatch) must(sink->stage(batch, origins, false));
      store::Batch none;
      must(sink->commit({.number = epoch}, none));
    }
  });
}

int run() {
  const char* servers = std::getenv("MILLRACE_TEST_KAFKA");
  if (servers == nullptr) {
    fmt::print(stderr, "MILLRACE_TEST_KAFKA (host:port) is not set\n");
    return 2;
  }
  std::random_device random;
  std::string topic = fmt::format("bench-{:08x}", random());
  auto store = must(KafkaTopics::open({fmt::format("kafka://{}", servers), {}, "bench"}));
  bench::Report report;
  must(store->declare({.name = topic, .retention_time = std::chrono::minutes(10)}));
  auto writer = must(store->writer(topic));
  auto batch = values(50'000);
  report.measure("idempotent writer, 50 k an append", kRecords, [&] {
    for (size_t written = 0; written < kRecords; written += batch.size()) must(writer->append(batch));
  });
  for (int round = 0; round < 2; ++round) {
    auto source = must(store->source(topic));
    report.measure("source, 440 B a record", kRecords, [&] { read_all(*source); });
  }
  transactions(report, *store, topic + "-out");
  round_trips(report, *store, topic + "-one");
  return 0;
}

}  // namespace
}  // namespace millrace

int main() { return millrace::run(); }
