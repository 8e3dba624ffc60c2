// The whole data path with the product's own parts: log -> decode -> SQL -> sink -> commit.
//   P1  into a durable table of random uuid keys, ingest and settled    P2  into nothing    P6  produce -> durable -> visible,
//   1,000 records/s
// One line a case on stderr, JSON on stdout.   pipeline_bench [--rows N] [--dir DIR] [--case p1|p2|p6] [--seconds S]
#include <fmt/format.h>
#include <sys/resource.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "app/append.h"
#include "app/compile.h"
#include "app/data_dir.h"
#include "app/load_project.h"
#include "connect/embedded/table_sink.h"
#include "connect/embedded/topic_source.h"
#include "serve/randomuser/users.h"
#include "sql/duck_engine.h"
#include "stream/exec/runner.h"

namespace {

using namespace millrace;

constexpr std::string_view kPipeline = R"yaml(
name: bench
topics:
  users:
    partitions: 1
    schema: |
      id uuid, first_name text, last_name text, gender text, address text, post_code text, email text, username text, dob text,
      registered_date text, phone text, picture text
queries:
  q:
    into: bench.users
    sql: |
      SELECT id, first_name, last_name, gender, address, post_code, email, username, dob, registered_date, phone, picture FROM users
tables:
  bench.users: { partition_key: [id] }
)yaml";

/// Takes rows and forgets them.
class NullSink : public port::Sink {
 public:
  port::SinkTraits traits() const override { return {}; }
  Result<port::SinkReport> stage(const model::ColumnBatch&, const std::vector<port::RowOrigin>&, bool) override {
    return port::SinkReport{};
  }
  Status commit(store::Batch&) override { return {}; }
  void committed() override {}
  void abandon() override {}
};

template <class T>
T must(Result<T> result) {
  if (result) {
    if constexpr (std::is_void_v<T>)
      return;
    else
      return std::move(*result);
  }
  fmt::print(stderr, "pipeline_bench: {}\n", result.error().message);
  std::exit(1);
}

double wall() { return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count(); }
double cpu() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  auto seconds = [](const timeval& t) { return static_cast<double>(t.tv_sec) + static_cast<double>(t.tv_usec) * 1e-6; };
  return seconds(usage.ru_utime) + seconds(usage.ru_stime);
}
double peak_mib() {
  rusage usage{};
  getrusage(RUSAGE_SELF, &usage);
  return static_cast<double>(usage.ru_maxrss) / 1024;
}

bool first_case = true;
void report(std::string_view name, size_t records, double seconds, double cpu_seconds, std::string extra = {}) {
  double millions = static_cast<double>(records) / 1e6;
  fmt::print(stderr, "{:<34} {:>9} records {:8.3f} s {:8.3f} M/s {:7.3f} CPU-s/M {:7.0f} MiB peak {}\n", name, records, seconds,
             millions / seconds, cpu_seconds / millions, peak_mib(), extra);
  fmt::print("{}{{\"case\":\"{}\",\"records\":{},\"seconds\":{:.6f},\"cpu_seconds\":{:.6f},\"peak_mib\":{:.0f}}}",
             first_case ? "[" : ",\n ", name, records, seconds, cpu_seconds, peak_mib());
  first_case = false;
}

struct Bench {
  env::Env env = env::real_env();
  std::string dir;
  std::unique_ptr<app::DataDir> data;
  std::unique_ptr<sql::DuckEngine> engine;
  std::shared_ptr<log::Topic> topic;
  app::CompiledQuery query;
  std::shared_ptr<const table::Table> table;

  explicit Bench(const std::string& directory) : dir(directory) {
    std::filesystem::remove_all(dir);
    std::filesystem::create_directories(dir);
    std::string file = dir + "/bench.yaml";
    must(env::write_file_atomically(env.files, file, kPipeline));
    project::LoadResult loaded = app::load_project(env, file, "");
    if (!loaded.project) must(Result<void>(fail(Errc::kInternal, project::to_string(loaded.faults.at(0)))));
    data = must(app::DataDir::open(env, dir + "/data", false));
    engine = must(sql::DuckEngine::open({}));
    app::Compiled compiled = app::compile(*loaded.project, *engine, {});
    query = std::move(compiled.queries.at(0));
    table = must(data->tables().declare(compiled.tables.at(0)));
    log::TopicSettings settings;
    topic = must(data->log().create("users", settings));
  }

  void fill(size_t rows, uint64_t seed) {
    for (size_t i = 0; i < rows;) {
      std::vector<model::Record> records;
      for (; records.size() < 2000 && i < rows; ++i) records.emplace_back().value = serve::randomuser::flat_user_json(seed, i);
      must(app::append_records(*topic, std::move(records), 0));
    }
  }

  std::unique_ptr<stream::Runner> runner(bool into_table) {
    stream::Runner::Parts parts;
    parts.source = std::make_unique<connect::embedded::TopicSource>(topic);
    if (into_table) {
      parts.sink = must(connect::embedded::TableSink::create(table, query.output, data->store(), env.clock));
    } else {
      parts.sink = std::make_unique<NullSink>();
    }
    stream::Position position;
    position.topic_id = topic->id();
    position.partitions.push_back({topic->partition(model::Partition(0)).start_offset(), 0});
    stream::PipelineSpec spec = query.spec;
    spec.query = into_table ? "table" : "null";
    parts.pipeline = must(stream::Pipeline::create(spec, {*engine, *parts.sink, data->store()}, position));
    return std::make_unique<stream::Runner>(std::move(parts), env.clock, false);
  }

  std::vector<model::Offset> ends() { return {topic->partition(model::Partition(0)).end_offset()}; }
};

void p2(Bench& bench, size_t rows) {
  auto runner = bench.runner(false);
  double begin = wall(), cpu_begin = cpu();
  runner->start();
  runner->wait_for(bench.ends(), std::chrono::hours(1), [] { return false; });
  report("P2 log -> project -> null", rows, wall() - begin, cpu() - cpu_begin);
}

void p1(Bench& bench, size_t rows) {
  auto runner = bench.runner(true);
  double begin = wall(), cpu_begin = cpu();
  runner->start();
  runner->wait_for(bench.ends(), std::chrono::hours(1), [] { return false; });
  report("P1 log -> table, ingested", rows, wall() - begin, cpu() - cpu_begin);
  must(bench.data->store().settle());
  report(
      "P1 log -> table, settled", rows, wall() - begin, cpu() - cpu_begin,
      fmt::format("{:.0f} B/row on disk", static_cast<double>(bench.data->store().bytes_on_disk()) / static_cast<double>(rows)));
}

/// Open loop: a record is due every millisecond, whether the last one is visible yet or not; its time counts from when it was
/// due.
void p6(const std::string& dir, double seconds) {
  Bench bench(dir);
  auto runner = bench.runner(true);
  auto count = static_cast<size_t>(seconds * 1000);
  std::vector<double> due(count), visible(count);
  std::atomic<size_t> seen{0};
  runner->on_commit = [&](const stream::Position& position) {
    double now = wall();
    for (size_t next = static_cast<size_t>(position.partitions[0].next.value); seen < next && seen < count; ++seen)
      visible[seen] = now;
  };
  runner->start();
  double begin = wall(), cpu_begin = cpu();
  for (size_t i = 0; i < count; ++i) {
    due[i] = begin + static_cast<double>(i) / 1000;
    while (wall() < due[i]) std::this_thread::sleep_for(std::chrono::microseconds(50));
    std::vector<model::Record> one(1);
    one[0].value = serve::randomuser::flat_user_json(7, i);
    // Not waited for: a slow sync must not slow down what is due next.
    must(bench.topic->partition(model::Partition(0)).append_async(one));
  }
  must(bench.topic->partition(model::Partition(0)).flush());
  runner->wait_for(bench.ends(), std::chrono::hours(1), [] { return false; });
  double took = wall() - begin, cpu_took = cpu() - cpu_begin;
  runner->stop();
  std::vector<double> latency;
  for (size_t i = 0; i < count; ++i) latency.push_back((visible[i] - due[i]) * 1000);
  std::sort(latency.begin(), latency.end());
  auto at = [&](double share) { return latency[static_cast<size_t>(share * static_cast<double>(count - 1))]; };
  report("P6 produce -> visible, 1,000/s", count, took, cpu_took,
         fmt::format("p50 {:.2f} ms, p99 {:.2f} ms, max {:.2f} ms", at(0.5), at(0.99), at(1.0)));
}

}  // namespace

int main(int argc, char** argv) {
  size_t rows = 1'000'000;
  double seconds = 5;
  std::string dir = (std::filesystem::temp_directory_path() / "millrace_pipeline_bench").string(), only;
  for (int i = 1; i + 1 < argc; i += 2) {
    std::string_view name = argv[i];
    if (name == "--rows") rows = std::strtoull(argv[i + 1], nullptr, 10);
    if (name == "--seconds") seconds = std::strtod(argv[i + 1], nullptr);
    if (name == "--dir") dir = argv[i + 1];
    if (name == "--case") only = argv[i + 1];
  }
  auto wanted = [&](std::string_view name) { return only.empty() || only == name; };
  if (wanted("p1") || wanted("p2")) {
    Bench bench(dir);
    bench.fill(rows, 1);
    if (wanted("p2")) p2(bench, rows);
    if (wanted("p1")) p1(bench, rows);
  }
  if (wanted("p6")) p6(dir, seconds);
  fmt::print("]\n");
  std::filesystem::remove_all(dir);
  return 0;
}
