#include <fmt/format.h>

#include <algorithm>
#include <cstdlib>
#include <string>
#include <vector>

#include "bench/report.h"
#include "connect/cassandra/session.h"
#include "connect/cassandra/tables.h"
#include "env/random.h"
#include "model/column_builder.h"

/// Rows into a real Cassandra: `cassandra_bench [host:port] [rows]`, a key of a uuid and 12 texts, about 440 bytes a row.
namespace millrace::bench {
namespace {

using namespace connect::cassandra;

constexpr size_t kStageRows = 2048;
constexpr size_t kEpochRows = 50'000;
constexpr const char* kColumns[] = {"first_name", "last_name", "gender",   "address",         "post_code", "email",
                                    "username",   "dob",       "password", "registered_date", "phone",     "picture"};

model::TableDef table(const std::string& keyspace) {
  model::TableDef def;
  def.name = keyspace + ".people";
  def.schema.fields.push_back({"id", {model::TypeId::kUuid}});
  for (const char* name : kColumns) def.schema.fields.push_back({name, {model::TypeId::kText}});
  def.partition_key = {0};
  return def;
}

model::ColumnBatch rows(const std::shared_ptr<const model::Schema>& schema, size_t count, env::Random& random) {
  model::BatchBuilder builder(schema);
  constexpr size_t kSizes[] = {6, 8, 6, 60, 6, 32, 14, 24, 64, 24, 14, 166};
  for (size_t row = 0; row < count; ++row) {
    builder.column(0).append(model::uuid_to_element(env::make_uuid(random)));
    for (size_t i = 0; i < std::size(kColumns); ++i) {
      std::string text;
      while (text.size() < kSizes[i]) text += fmt::format("{:x}", random.next());
      builder.column(i + 1).append_text(std::string_view(text).substr(0, kSizes[i]));
    }
  }
  return std::move(builder).finish();
}

void write(Report& report, port::Sink& sink, std::string_view name, const std::vector<model::ColumnBatch>& batches,
           size_t total) {
  int64_t offset = 0;
  std::vector<double> commits;
  Measure measure;
  for (size_t done = 0, in_epoch = 0, i = 0; done < total; ++i) {
    const model::ColumnBatch& batch = batches[i % batches.size()];
    int64_t now = to_micros(env::real_clock().now());
    std::vector<port::RowOrigin> origins(batch.rows);
    for (port::RowOrigin& origin : origins) origin = {0, ++offset, now / 1000, static_cast<uint64_t>(now), 0, false};
    must(sink.stage(batch, origins, false));
    done += batch.rows;
    in_epoch += batch.rows;
    if (in_epoch < kEpochRows && done < total) continue;
    store::Batch local;
    double begin = wall_seconds();
    must(sink.commit({1, {}}, local));
    commits.push_back(wall_seconds() - begin);
    sink.committed();
    in_epoch = 0;
  }
  measure.stop();
  std::sort(commits.begin(), commits.end());
  report.line(name, total, measure,
              fmt::format("{:.0f} rows/s, commit p50 {:.1f} ms", total / measure.wall, 1e3 * commits[commits.size() / 2]));
}

/// From stage to the acknowledgement of one row, then the row read by its key.
void latency(Report& report, port::Sink& sink, port::Relation& relation, const std::shared_ptr<const model::Schema>& schema) {
  constexpr size_t kRows = 500;
  env::SeededRandom random(7);
  std::vector<double> write_ms, read_ms;
  Measure measure;
  for (size_t i = 0; i < kRows; ++i) {
    model::ColumnBatch row = rows(schema, 1, random);
    int64_t now = to_micros(env::real_clock().now());
    double begin = wall_seconds();
    must(sink.stage(row, {{0, static_cast<int64_t>(i), now / 1000, static_cast<uint64_t>(now), 0, false}}, false));
    store::Batch local;
    must(sink.commit({1, {}}, local));
    sink.committed();
    write_ms.push_back(1e3 * (wall_seconds() - begin));
    port::ScanRequest request{
        {0, 1, 2},
        {{"id", port::KeyPredicate::Op::kEq, format_uuid(model::uuid_from_element(row.columns[0].at<model::Int128>(0)))}}};
    begin = wall_seconds();
    if (must(must(relation.scan(request))->next()).rows != 1) std::exit(1);
    read_ms.push_back(1e3 * (wall_seconds() - begin));
  }
  measure.stop();
  std::sort(write_ms.begin(), write_ms.end());
  std::sort(read_ms.begin(), read_ms.end());
  report.line("cassandra: one row, then read it", kRows, measure,
              fmt::format("write p50 {:.2f} p99 {:.2f} ms, read p50 {:.2f} p99 {:.2f} ms", write_ms[kRows / 2],
                          write_ms[kRows * 99 / 100], read_ms[kRows / 2], read_ms[kRows * 99 / 100]),
              fmt::format("\"write_p50_ms\":{:.3f},\"read_p50_ms\":{:.3f}", write_ms[kRows / 2], read_ms[kRows / 2]));
}

void run(const std::string& server, size_t total) {
  const std::string keyspace = "millrace_bench";
  std::string url = "cassandra://" + server;
  Report report;
  auto session = must(Session::open(must(read_settings(url, {})), env::real_clock()));
  env::SeededRandom random(1);
  for (std::map<std::string, std::string> options :
       {std::map<std::string, std::string>{}, {{"compression", "lz4"}}, {{"protocol", "4"}}}) {
    must(session->change_schema("DROP KEYSPACE IF EXISTS " + keyspace));
    auto tables = must(CassandraTables::open({url, options}, env::real_env()));
    model::TableDef def = table(keyspace);
    must(tables->declare(def));
    auto schema = std::make_shared<model::Schema>(def.schema);
    auto sink = must(tables->sink({def, schema, "bench", "bench"}));
    std::vector<model::ColumnBatch> batches;
    for (size_t made = 0; made < total; made += kStageRows) batches.push_back(rows(schema, kStageRows, random));
    std::string mode;
    for (const auto& [name, value] : options) mode += " " + value;
    write(report, *sink, "cassandra: warm-up" + mode, batches, total / 4);
    write(report, *sink, "cassandra: insert" + mode, batches, total);
    if (options.empty()) latency(report, *sink, *must(tables->relation(def)), schema);
  }
  must(session->change_schema("DROP KEYSPACE IF EXISTS " + keyspace));
}

}  // namespace
}  // namespace millrace::bench

int main(int argc, char** argv) {
  millrace::bench::run(argc > 1 ? argv[1] : "127.0.0.1:9042", argc > 2 ? std::strtoull(argv[2], nullptr, 10) : 400'000);
}
