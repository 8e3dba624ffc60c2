// What a topic costs (P7): durable appends of 400-byte records in batches and from 64 threads one by one, and reading them back.
// One line a case on stderr, JSON on stdout.   log_bench [DIR] [RECORDS]
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "bench/report.h"
#include "log/flusher.h"
#include "log/partition.h"

namespace {

using namespace millrace;
using model::Offset;

constexpr size_t kRecordBytes = 400;

void stop_if(bool wrong, const std::string& what) {
  if (!wrong) return;
  std::fprintf(stderr, "log_bench: %s\n", what.c_str());
  std::exit(1);
}

std::vector<model::Record> make_records(size_t count) {
  std::vector<model::Record> records(count);
  for (size_t i = 0; i < count; ++i) {
    records[i].key = "key-" + std::to_string(i);
    records[i].value = std::string(kRecordBytes, static_cast<char>('a' + i % 26));
  }
  return records;
}

void append_batches(log::PartitionLog& partition, const std::vector<model::Record>& batch, size_t records, size_t in_flight) {
  std::vector<log::Ticket> tickets;
  for (size_t sent = 0; sent < records; sent += batch.size()) {
    auto ticket = partition.append_async(batch);
    stop_if(!ticket, "append failed");
    tickets.push_back(*ticket);
    if (tickets.size() < in_flight) continue;
    stop_if(!log::PartitionLog::wait(tickets.front()), "sync failed");
    tickets.erase(tickets.begin());
  }
  stop_if(!log::PartitionLog::wait_all(tickets), "sync failed");
}

void append_singles(log::PartitionLog& partition, const std::vector<model::Record>& one, size_t records, size_t threads) {
  std::vector<std::thread> appenders;
  for (size_t t = 0; t < threads; ++t) {
    appenders.emplace_back([&] {
      for (size_t i = 0; i < records / threads; ++i) stop_if(!partition.append(one), "append failed");
    });
  }
  for (auto& appender : appenders) appender.join();
}

size_t read_all(log::PartitionLog& partition, size_t chunk_bytes) {
  size_t records = 0;
  for (Offset at = partition.start_offset(); at < partition.end_offset();) {
    auto run = partition.read(at, chunk_bytes, SIZE_MAX);
    stop_if(!run, "read failed");
    records += run->records.size();
    at = run->next;
  }
  return records;
}

}  // namespace

int main(int argc, char** argv) {
  std::string dir = argc > 1 ? argv[1] : (std::filesystem::temp_directory_path() / "millrace_log_bench").string();
  size_t records = argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 2'000'000;
  std::filesystem::remove_all(dir);
  env::Env env = env::real_env();
  log::Flusher flusher(env.clock);
  bench::Report report;
  int32_t number = 0;
  auto partition = [&](log::TopicSettings settings) {
    log::PartitionLog::Place place{dir + "/bench-" + std::to_string(number), "bench", env::make_uuid(env.random),
                                   model::Partition(number)};
    ++number;
    stop_if(!log::PartitionLog::create(env.files, place), "create failed");
    auto opened = log::PartitionLog::open(env, place, settings, {}, flusher, std::nullopt);
    stop_if(!opened, "open failed");
    return *opened;
  };

  auto batched = partition({});
  std::vector<model::Record> batch = make_records(10'000);
  report.measure("append, batches of 10,000", records, [&] { append_batches(*batched, batch, records, 4); });
  auto smaller = partition({});
  std::vector<model::Record> small = make_records(500);
  report.measure("append, batches of 500", records / 2, [&] { append_batches(*smaller, small, records / 2, 64); });
  auto single = partition({});
  std::vector<model::Record> one = make_records(1);
  report.measure("append, 64 threads one by one", records / 20, [&] { append_singles(*single, one, records / 20, 64); });
  report.measure("append, 1 thread one by one", records / 400, [&] { append_singles(*single, one, records / 400, 1); });
  for (size_t chunk : {size_t{1} << 20, size_t{4} << 20, size_t{16} << 20}) {
    std::string name = "read batches of 500, " + std::to_string(chunk >> 20) + " MiB";
    report.measure(name.c_str(), records / 2, [&] { stop_if(read_all(*smaller, chunk) != records / 2, "records are missing"); });
  }
  report.measure("read batches of 10,000, 4 MiB", records,
                 [&] { stop_if(read_all(*batched, 4 << 20) != records, "records are missing"); });
  report.measure("read single records, 4 MiB", records / 20,
                 [&] { stop_if(read_all(*single, 4 << 20) < records / 20, "records are missing"); });
  batched.reset();
  smaller.reset();
  single.reset();
  flusher.stop();
  std::filesystem::remove_all(dir);
}
