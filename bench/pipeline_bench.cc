// The whole data path with the product's own parts: log -> decode -> SQL -> sink -> commit.
//   P1   into a durable table of random uuid keys, ingested and settled
//   P2   into nothing
//   P6   produce -> durable -> visible, 1,000 records/s
//   P12  rate and memory while N records go through, a line for each tenth; only when asked for
// One line a case on stderr, JSON on stdout.   pipeline_bench [--rows N] [--dir DIR] [--case p1|p2|p6|p12|p12-null] [--seconds S]
// For the comparison with others on the same bytes: `--write FILE` writes the N records as lines of JSON and ends; `--input FILE`
// takes them from there.
#include <fmt/format.h>

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <thread>
#include <vector>

#include "bench/pipeline_bed.h"
#include "bench/report.h"
#include "connect/embedded/table_sink.h"
#include "connect/embedded/topic_source.h"
#include "connect/embedded/topic_writer.h"
#include "serve/randomuser/users.h"

namespace {

using namespace millrace;
using bench::must;
using bench::wall_seconds;

/// `begin`: where the case's time starts on the monotonic clock, so that others can say what the machine did meanwhile.
void line(bench::Report& report, std::string_view name, size_t records, bench::Measure& measure, double begin,
          std::string_view more = {}) {
  report.line(name, records, measure.stop(), more, fmt::format("\"begin\":{:.6f}", begin));
}

struct Bench : bench::Bed {
  std::shared_ptr<log::Topic> topic;
  std::shared_ptr<const table::Table> table;

  explicit Bench(const std::string& directory) : Bed(directory) {
    table = must(data->tables().declare(Bed::table));
    log::TopicSettings settings;
    topic = must(data->log().create("users", settings));
  }

  /// `next_line` fills its argument or says that there is no more.
  void fill(const std::function<bool(std::string&)>& next_line) {
    for (bool more = true; more;) {
      std::vector<model::Record> records;
      for (std::string line; records.size() < 2000 && (more = next_line(line));) records.emplace_back().value = std::move(line);
      if (!records.empty()) must(connect::embedded::TopicWriter(topic).append(records, model::Partition(0)));
    }
  }

  std::unique_ptr<stream::Runner> runner(bool into_table) {
    std::unique_ptr<port::Sink> sink = std::make_unique<bench::NullSink>();
    if (into_table) sink = must(connect::embedded::TableSink::create(table, query.output, data->store(), env.clock));
    return Bed::runner(into_table ? "table" : "null", std::make_unique<connect::embedded::TopicSource>(topic), std::move(sink));
  }

  std::vector<port::PartitionEnd> ends() {
    return {{model::Partition(0), topic->partition(model::Partition(0)).end_offset(), 0}};
  }
};

void p2(Bench& bench, bench::Report& report, size_t rows) {
  auto runner = bench.runner(false);
  bench::Measure measure;
  double begin = wall_seconds();
  runner->start();
  runner->wait_for(bench.ends(), std::chrono::hours(1), [] { return false; });
  line(report, "P2 log -> project -> null", rows, measure, begin);
}

void p1(Bench& bench, bench::Report& report, size_t rows) {
  auto runner = bench.runner(true);
  bench::Measure measure;
  double begin = wall_seconds();
  runner->start();
  runner->wait_for(bench.ends(), std::chrono::hours(1), [] { return false; });
  line(report, "P1 log -> table, ingested", rows, measure, begin);
  must(bench.data->store().settle());
  double disk = static_cast<double>(bench.data->store().bytes_on_disk());
  line(report, "P1 log -> table, settled", rows, measure, begin,
       fmt::format("{:.0f} B/row on disk", disk / static_cast<double>(rows)));
}

/// Open loop: a record is due every millisecond, whether the last one is visible yet or not; its time counts from when it was
/// due.
void p6(const std::string& dir, bench::Report& report, double seconds) {
  Bench bench(dir);
  auto runner = bench.runner(true);
  auto count = static_cast<size_t>(seconds * 1000);
  std::vector<double> due(count), visible(count);
  std::atomic<size_t> seen{0};
  runner->on_commit = [&](const stream::Position& position) {
    double now = wall_seconds();
    for (size_t next = static_cast<size_t>(position.partitions[0].next.value); seen < next && seen < count; ++seen)
      visible[seen] = now;
  };
  runner->start();
  bench::Measure measure;
  double begin = wall_seconds();
  for (size_t i = 0; i < count; ++i) {
    due[i] = begin + static_cast<double>(i) / 1000;
    while (wall_seconds() < due[i]) std::this_thread::sleep_for(std::chrono::microseconds(50));
    std::vector<model::Record> one(1);
    one[0].value = serve::randomuser::flat_user_json(7, i);
    // Not waited for: a slow sync must not slow down what is due next.
    must(bench.topic->partition(model::Partition(0)).append_async(one));
  }
  must(bench.topic->partition(model::Partition(0)).flush());
  runner->wait_for(bench.ends(), std::chrono::hours(1), [] { return false; });
  measure.stop();
  runner->stop();
  std::vector<double> latency;
  for (size_t i = 0; i < count; ++i) latency.push_back((visible[i] - due[i]) * 1000);
  std::sort(latency.begin(), latency.end());
  auto at = [&](double share) { return latency[static_cast<size_t>(share * static_cast<double>(count - 1))]; };
  report.line("P6 produce -> visible, 1,000/s", count, measure,
              fmt::format("p50 {:.2f} ms, p99 {:.2f} ms, max {:.2f} ms", at(0.5), at(0.99), at(1.0)),
              fmt::format("\"p50_ms\":{:.3f},\"p99_ms\":{:.3f},\"max_ms\":{:.3f}", at(0.5), at(0.99), at(1.0)));
}

/// Records are made, appended and processed at the same time; the log keeps a gigabyte of what is processed.
void p12(const std::string& dir, bench::Report& report, size_t rows, bool into_table) {
  Bench bench(dir);
  log::TopicSettings settings;
  settings.retention_bytes = uint64_t{1} << 30;
  must(bench.data->log().alter("users", settings));
  auto runner = bench.runner(into_table);
  runner->start();
  constexpr size_t kStep = 500'000;  // by which the appending may run ahead
  size_t made = 0;
  for (size_t tenth = 1; tenth <= 10; ++tenth) {
    size_t first = made, end = rows * tenth / 10;
    bench::Measure measure;
    double begin = wall_seconds();
    while (made < end) {
      size_t step_end = std::min(made + kStep, end);
      bench.fill([&](std::string& line) {
        if (made == step_end) return false;
        line = serve::randomuser::flat_user_json(1, made++);
        return true;
      });
      runner->wait_for(bench.ends(), std::chrono::hours(1), [] { return false; });
      auto floor = [&](const model::TopicId&, model::Partition) { return std::optional(bench.ends()[0].next); };
      must(bench.data->log().enforce_retention(bench.env.clock.now(), floor));
    }
    line(report, fmt::format("P12 {}, up to {} M", into_table ? "into a table" : "into nothing", made / 1'000'000), made - first,
         measure, begin, fmt::format("{:.0f} MiB resident", bench::memory_mib("VmRSS")));
  }
  runner->stop();
}

int write_lines(const std::string& name, const std::function<bool(std::string&)>& next_line) {
  std::ofstream file(name, std::ios::trunc);
  for (std::string line; next_line(line);) file << line << '\n';
  file.close();
  if (!file) fmt::print(stderr, "pipeline_bench: {} cannot be written\n", name);
  return file ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  size_t rows = 1'000'000;
  double seconds = 5;
  std::string dir = (std::filesystem::temp_directory_path() / "millrace_pipeline_bench").string(), only, input, output;
  for (int i = 1; i + 1 < argc; i += 2) {
    std::string_view name = argv[i];
    if (name == "--rows") rows = std::strtoull(argv[i + 1], nullptr, 10);
    if (name == "--seconds") seconds = std::strtod(argv[i + 1], nullptr);
    if (name == "--dir") dir = argv[i + 1];
    if (name == "--case") only = argv[i + 1];
    if (name == "--input") input = argv[i + 1];
    if (name == "--write") output = argv[i + 1];
  }
  size_t made = 0;
  auto made_line = [&](std::string& line) {
    if (made == rows) return false;
    line = serve::randomuser::flat_user_json(1, made++);
    return true;
  };
  if (!output.empty()) return write_lines(output, made_line);
  bench::Report report;
  auto wanted = [&](std::string_view name) { return only.empty() || only == name; };
  if (wanted("p1") || wanted("p2")) {
    Bench bench(dir);
    if (input.empty()) {
      bench.fill(made_line);
    } else {
      std::ifstream file(input);
      bench.fill([&](std::string& line) { return static_cast<bool>(std::getline(file, line)); });
      rows = static_cast<size_t>(bench.ends().at(0).next.value);
    }
    if (wanted("p2")) p2(bench, report, rows);
    if (wanted("p1")) p1(bench, report, rows);
  }
  if (wanted("p6")) p6(dir, report, seconds);
  if (only == "p12") p12(dir, report, rows, true);
  if (only == "p12-null") p12(dir, report, rows, false);
  std::filesystem::remove_all(dir);
  return 0;
}
