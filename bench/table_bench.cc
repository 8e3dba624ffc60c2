// What the table can do (performance.md P8, and settled ingest): one line a case. Usage: table_bench [--rows N] [--dir DIR]
// [--case NAME]
#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <string>
#include <thread>
#include <vector>

#include "bench/report.h"
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

using bench::Measure;
using bench::must;

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
  bench::Report report;
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
  Measure encode;
  for (const auto& batch : batches) must(writer.add(batch, {versions, {}, {}}, Instant()));
  report.line("encode", rows, encode.stop(), fmt::format("{} B/row in memory", writer.bytes() / rows));
  store::Batch out;
  report.measure("sort", rows, [&] { writer.add_to(out); });
}

void Bench::ingest(size_t epoch_rows, bool with_reads) {
  auto store = must(store::Store::open(options("ingest")));
  auto tables = must(table::Tables::open(*store));
  auto table = must(tables->create(users()));
  auto schema = std::make_shared<const model::Schema>(table->def.schema);
  env::SeededRandom random(2);
  std::vector<model::Int128> ids;
  Measure sum;  // without the making of rows; compaction goes on meanwhile, and its CPU is counted in what follows
  double wall = 0, cpu = 0;
  for (size_t done = 0; done < rows; done += epoch_rows) {
    std::vector<model::ColumnBatch> batches;
    for (size_t i = 0; i < epoch_rows; i += 10'000) {
      batches.push_back(people(schema, random, 10'000));
      for (size_t row = 0; row < 10'000; row += 10) ids.push_back(batches.back().columns[0].at<model::Int128>(row));
    }
    std::vector<uint64_t> versions(10'000, done);
    double wall_begin = bench::wall_seconds(), cpu_begin = bench::cpu_seconds();
    table::TableWriter writer(table);
    for (const auto& batch : batches) must(writer.add(batch, {versions, {}, {}}, Instant()));
    store::Batch batch;
    writer.add_to(batch);
    batch.put(store::Space::kMeta, "position", std::to_string(done));
    must(store->commit(std::move(batch), store::Durability::kLog));
    wall += bench::wall_seconds() - wall_begin;
    cpu += bench::cpu_seconds() - cpu_begin;
  }
  double wall_begin = bench::wall_seconds(), cpu_begin = bench::cpu_seconds();
  must(store->settle());
  sum.stop();
  sum.wall = wall + bench::wall_seconds() - wall_begin;
  sum.cpu = cpu + bench::cpu_seconds() - cpu_begin;
  report.line(fmt::format("ingest, {} k-row epochs, settled", epoch_rows / 1000), rows, sum,
              fmt::format("{} B/row on disk", store->bytes_on_disk() / rows),
              fmt::format("\"disk_bytes\":{}", store->bytes_on_disk()));
  if (with_reads) read(*store, table, ids);
}

void Bench::read(store::Store& store, const table::Tables::TablePtr& table, const std::vector<model::Int128>& ids) {
  for (const char* name : {"P8 count, first", "P8 count, again"}) {
    report.measure(name, rows, [&] { must(table::count_rows(store, *table, table::whole_table(*table), Instant())); });
  }
  std::vector<size_t> columns;
  for (size_t i = 0; i < table->def.schema.fields.size(); ++i) columns.push_back(i);
  report.measure("scan of all columns", rows, [&] {
    table::TableScan scan(store, table, table::whole_table(*table), columns, Instant());
    while (must(scan.next()).rows > 0) {
    }
  });
  std::vector<model::Int128> wanted = ids;
  env::SeededRandom random(3);
  for (size_t i = wanted.size(); i > 1; --i) std::swap(wanted[i - 1], wanted[random.next() % i]);
  auto get_all = [&](size_t projected) {
    model::Column key;
    key.type = &table->def.schema.fields[0].type;
    for (const model::Int128& id : wanted) {
      key.data = &id;
      auto row = must(table::get_row(store, *table, {&key, 1}, std::span(columns).first(projected), Instant()));
      if (row.rows != 1) std::abort();
    }
  };
  report.measure("P8 get by key, all columns", wanted.size(), [&] { get_all(columns.size()); });
  report.measure("P8 get by key, 2 columns", wanted.size(), [&] { get_all(2); });
  size_t cores = std::thread::hardware_concurrency();
  report.measure(fmt::format("P8 get by key, 2 columns, {} threads", cores), cores * wanted.size(), [&] {
    std::vector<std::jthread> threads;
    for (size_t i = 0; i < cores; ++i) threads.emplace_back([&] { get_all(2); });
  });
  std::vector<std::string> key_bytes;
  for (const model::Int128& id : wanted) {
    model::Column key;
    key.type = &table->def.schema.fields[0].type;
    key.data = &id;
    key_bytes.push_back(must(table::key_range(*table, {&key, 1})).from);
  }
  report.measure("store get", key_bytes.size(), [&] {
    for (const std::string& key : key_bytes) must(store.get(store::Space::kRows, key));
  });
  std::vector<std::string_view> keys(key_bytes.begin(), key_bytes.end());
  report.measure("store get_many, random order", keys.size(),
                 [&] { must(store.get_many(store::Space::kRows, keys, [](size_t, std::string_view) {})); });
}

void Bench::upserts() {
  auto store = must(store::Store::open(options("upserts")));
  auto tables = must(table::Tables::open(*store));
  auto table = must(tables->create(users()));
  auto schema = std::make_shared<const model::Schema>(table->def.schema);
  env::SeededRandom random(4);
  std::vector<double> times;
  Measure all;
  for (int i = 0; i < 2000; ++i) {
    auto row = people(schema, random, 1);
    uint64_t version = 1;
    double begin = bench::wall_seconds();
    table::TableWriter writer(table);
    must(writer.add(row, {{&version, 1}, {}, {}}, Instant()));
    store::Batch batch;
    writer.add_to(batch);
    must(store->commit(std::move(batch), store::Durability::kSync));
    times.push_back(1e3 * (bench::wall_seconds() - begin));
  }
  std::sort(times.begin(), times.end());
  double p50 = times[times.size() / 2], p99 = times[times.size() * 99 / 100];
  report.line("P8 single durable upsert", times.size(), all.stop(), fmt::format("p50 {:.3f} ms, p99 {:.3f} ms", p50, p99),
              fmt::format("\"p50_ms\":{:.3f},\"p99_ms\":{:.3f}", p50, p99));
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
