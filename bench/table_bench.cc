// What the table can do (performance.md P8, and settled ingest): one line a case. Usage: table_bench [--rows N] [--dir DIR]
// [--case NAME]
#include <sys/resource.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <vector>

#include "env/random.h"
#include "model/column_builder.h"
#include "store/store.h"
#include "table/key_codec.h"
#include "table/table_reader.h"
#include "table/table_writer.h"
#include "table/tables.h"

namespace {

using namespace millrace;
using model::TypeId;

struct Timer {
  std::chrono::steady_clock::time_point begin = std::chrono::steady_clock::now();
  double cpu_begin = cpu();
  static double cpu() {
    rusage usage{};
    getrusage(RUSAGE_SELF, &usage);
    auto seconds = [](const timeval& t) { return static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_usec); };
    return seconds(usage.ru_utime) + seconds(usage.ru_stime);
  }
  double wall() const { return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count(); }
  double used() const { return cpu() - cpu_begin; }
};

void report(const char* name, size_t rows, const Timer& timer, const std::string& more = "") {
  std::printf("%-34s %9zu rows  %8.3f s  %9.0f rows/s  %6.2f CPU-s/M  %s\n", name, rows, timer.wall(),
              static_cast<double>(rows) / timer.wall(), 1e6 * timer.used() / static_cast<double>(rows), more.c_str());
  std::fflush(stdout);
}

template <class T>
T must(Result<T> result) {
  if (!result) {
    std::fprintf(stderr, "%s\n", result.error().message.c_str());
    std::exit(1);
  }
  return std::move(*result);
}
void must(const Status& status) {
  if (status) return;
  std::fprintf(stderr, "%s\n", status.error().message.c_str());
  std::exit(1);
}

table::TableDef users() {
  table::TableDef def;
  def.name = "bench.users";
  def.schema.fields.push_back({"id", {TypeId::kUuid}});
  for (const char* name : {"first_name", "last_name", "gender", "address", "post_code", "email", "username", "dob",
                           "registered_date", "phone", "picture"}) {
    def.schema.fields.push_back({name, {TypeId::kText}});
  }
  def.partition_key = {0};
  return def;
}

struct Words {
  std::vector<std::string> first = {"Emma", "Noah",  "Olivia", "Liam",   "Ava",      "Lucas",
                                    "Mia",  "Elias", "Sofia",  "Arthur", "Josefine", "Maximilian"};
  std::vector<std::string> last = {"Smith",   "Johnson",      "Garcia",   "Nielsen", "Dubois",
                                   "Fischer", "Van der Berg", "Kowalski", "Yilmaz"};
  std::vector<std::string> street = {"Main Street", "Park Avenue",  "Rue de la Gare", "Hauptstrasse",
                                     "Church Road", "Station Lane", "Oak Drive"};
  std::vector<std::string> place = {"Springfield, Ohio, United States", "Lyon, Rhone, France", "Hamburg, Hamburg, Germany",
                                    "Leeds, West Yorkshire, United Kingdom"};
};

model::ColumnBatch people(std::shared_ptr<const model::Schema> schema, env::SeededRandom& random, size_t rows) {
  static const Words words;
  model::BatchBuilder out(std::move(schema));
  auto pick = [&](const std::vector<std::string>& from) -> const std::string& { return from[random.next() % from.size()]; };
  auto number = [&](uint64_t below) { return std::to_string(random.next() % below); };
  for (size_t i = 0; i < rows; ++i) {
    const std::string& first = pick(words.first);
    const std::string& last = pick(words.last);
    out.column(0).append(model::uuid_to_element(env::make_uuid(random)));
    size_t column = 1;
    auto text = [&](const std::string& value) { out.column(column++).append_text(value); };
    text(first);
    text(last);
    text(random.next() % 2 == 0 ? "female" : "male");
    text(number(9000) + " " + pick(words.street) + ", " + pick(words.place));
    text(number(99999));
    text(first + "." + last + number(1000) + "@example.com");
    text("bluebird" + number(1000000));
    text("19" + std::to_string(50 + random.next() % 49) + "-0" + std::to_string(1 + random.next() % 9) + "-17T0" + number(10) +
         ":" + std::to_string(10 + random.next() % 50) + ":33." + number(1000) + "Z");
    text("20" + std::to_string(10 + random.next() % 12) + "-0" + std::to_string(1 + random.next() % 9) + "-11T1" + number(10) +
         ":" + std::to_string(10 + random.next() % 50) + ":07." + number(1000) + "Z");
    text("(" + std::to_string(100 + random.next() % 899) + ") " + std::to_string(100 + random.next() % 899) + "-" +
         number(10000));
    text("https://randomuser.me/api/portraits/med/women/" + number(100) + ".jpg");
  }
  return std::move(out).finish();
}

struct Bench {
  std::string dir;
  size_t rows = 1'000'000;

  store::Options options(const std::string& name) const {
    store::Options options;
    options.path = dir + "/" + name;
    std::filesystem::remove_all(options.path);
    return options;
  }

  void encode_and_sort();
  void ingest(size_t epoch_rows, bool read);
  void read(store::Store& store, const table::Tables::TablePtr& table, const std::vector<model::Int128>& ids);
  void upserts();
};

void Bench::encode_and_sort() {
  auto table = std::make_shared<const table::Table>(1, users());
  env::SeededRandom random(1);
  auto schema = std::make_shared<const model::Schema>(table->def.schema);
  std::vector<model::ColumnBatch> batches;
  for (size_t done = 0; done < rows; done += 10'000) batches.push_back(people(schema, random, 10'000));
  std::vector<uint64_t> versions(10'000, 1);
  table::TableWriter writer(table);
  Timer encode;
  for (const auto& batch : batches) must(writer.add(batch, {versions, {}, {}}, Instant()));
  report("encode", rows, encode, std::to_string(writer.bytes() / rows) + " B/row in memory");
  store::Batch out;
  Timer sort;
  writer.add_to(out);
  report("sort", rows, sort);
}

void Bench::ingest(size_t epoch_rows, bool with_reads) {
  std::string name = "ingest, " + std::to_string(epoch_rows / 1000) + " k-row epochs";
  auto store = must(store::Store::open(options("ingest")));
  auto tables = must(table::Tables::open(*store));
  auto table = must(tables->create(users()));
  auto schema = std::make_shared<const model::Schema>(table->def.schema);
  env::SeededRandom random(2);
  std::vector<model::Int128> ids;
  double wall = 0, cpu = 0;
  for (size_t done = 0; done < rows; done += epoch_rows) {
    std::vector<model::ColumnBatch> batches;
    for (size_t i = 0; i < epoch_rows; i += 10'000) {
      batches.push_back(people(schema, random, 10'000));
      for (size_t row = 0; row < 10'000; row += 10) ids.push_back(batches.back().columns[0].at<model::Int128>(row));
    }
    std::vector<uint64_t> versions(10'000, done);
    Timer timer;  // compaction goes on while rows are made: its CPU is counted in what follows
    table::TableWriter writer(table);
    for (const auto& batch : batches) must(writer.add(batch, {versions, {}, {}}, Instant()));
    store::Batch batch;
    writer.add_to(batch);
    batch.put(store::Space::kMeta, "position", std::to_string(done));
    must(store->commit(std::move(batch), store::Durability::kLog));
    wall += timer.wall();
    cpu += timer.used();
  }
  std::printf("%-34s %9zu rows  %8.3f s  %9.0f rows/s\n", name.c_str(), rows, wall, static_cast<double>(rows) / wall);
  Timer settle;
  must(store->settle());
  wall += settle.wall();
  cpu += settle.used();
  std::printf("%-34s %9zu rows  %8.3f s  %9.0f rows/s  %6.2f CPU-s/M  %zu B/row on disk\n", (name + ", settled").c_str(), rows,
              wall, static_cast<double>(rows) / wall, 1e6 * cpu / static_cast<double>(rows), store->bytes_on_disk() / rows);
  std::fflush(stdout);
  if (!with_reads) return;
  read(*store, table, ids);
  std::printf("the same with a block cache that holds all of it, second pass:\n");
  tables.reset();
  store.reset();
  store::Options cached;
  cached.path = dir + "/ingest";
  cached.block_cache_bytes = size_t{1} << 30;
  store = must(store::Store::open(cached));
  must(table::count_rows(*store, *table, table::whole_table(*table), Instant()));
  read(*store, table, ids);
}

void Bench::read(store::Store& store, const table::Tables::TablePtr& table, const std::vector<model::Int128>& ids) {
  for (int round = 0; round < 2; ++round) {
    Timer count;
    uint64_t counted = must(table::count_rows(store, *table, table::whole_table(*table), Instant()));
    report(round == 0 ? "count, cold" : "count, warm", counted, count);
  }
  Timer scan_time;
  std::vector<size_t> columns;
  for (size_t i = 0; i < table->def.schema.fields.size(); ++i) columns.push_back(i);
  table::TableScan scan(store, table, table::whole_table(*table), columns, Instant());
  size_t scanned = 0;
  while (size_t rows = must(scan.next()).rows) scanned += rows;
  report("scan of all columns", scanned, scan_time);

  std::vector<model::Int128> wanted = ids;
  env::SeededRandom random(3);
  for (size_t i = wanted.size(); i > 1; --i) std::swap(wanted[i - 1], wanted[random.next() % i]);
  for (size_t projected : {columns.size(), size_t{2}}) {
    Timer gets;
    model::Column key;
    key.type = &table->def.schema.fields[0].type;
    for (const model::Int128& id : wanted) {
      key.data = &id;
      auto row = must(table::get_row(store, *table, {&key, 1}, std::span(columns).first(projected), Instant()));
      if (row.rows != 1) std::abort();
    }
    report(projected == 2 ? "get by key, 2 columns" : "get by key, all columns", wanted.size(), gets);
  }
  std::vector<std::string> key_bytes;
  for (const model::Int128& id : wanted) {
    model::Column key;
    key.type = &table->def.schema.fields[0].type;
    key.data = &id;
    key_bytes.push_back(must(table::key_range(*table, {&key, 1})).from);
  }
  Timer gets;
  for (const std::string& key : key_bytes) must(store.get(store::Space::kRows, key));
  report("store get", key_bytes.size(), gets);
  std::vector<std::string_view> keys(key_bytes.begin(), key_bytes.end());
  Timer many;
  must(store.get_many(store::Space::kRows, keys, [](size_t, std::string_view) {}));
  report("store get_many, random order", keys.size(), many);
}

void Bench::upserts() {
  auto store = must(store::Store::open(options("upserts")));
  auto tables = must(table::Tables::open(*store));
  auto table = must(tables->create(users()));
  auto schema = std::make_shared<const model::Schema>(table->def.schema);
  env::SeededRandom random(4);
  std::vector<double> times;
  for (int i = 0; i < 2000; ++i) {
    auto row = people(schema, random, 1);
    uint64_t version = 1;
    Timer timer;
    table::TableWriter writer(table);
    must(writer.add(row, {{&version, 1}, {}, {}}, Instant()));
    store::Batch batch;
    writer.add_to(batch);
    must(store->commit(std::move(batch), store::Durability::kSync));
    times.push_back(timer.wall());
  }
  std::sort(times.begin(), times.end());
  std::printf("%-34s p50 %.3f ms  p99 %.3f ms\n", "single durable upsert", 1e3 * times[times.size() / 2],
              1e3 * times[times.size() * 99 / 100]);
}

}  // namespace

int main(int argc, char** argv) {
  Bench bench;
  bench.dir = std::filesystem::temp_directory_path() / "table_bench";
  std::string only;
  for (int i = 1; i + 1 < argc; i += 2) {
    std::string flag = argv[i];
    if (flag == "--rows") bench.rows = std::strtoull(argv[i + 1], nullptr, 10);
    if (flag == "--dir") bench.dir = argv[i + 1];
    if (flag == "--case") only = argv[i + 1];
  }
  std::filesystem::create_directories(bench.dir);
  if (only.empty() || only == "encode") bench.encode_and_sort();
  if (only.empty() || only == "upserts") bench.upserts();
  if (only.empty() || only == "100k") bench.ingest(100'000, false);
  if (only.empty() || only == "1m") bench.ingest(std::min<size_t>(bench.rows, 1'000'000), true);
  std::filesystem::remove_all(bench.dir);
}
