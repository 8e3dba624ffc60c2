// Rows into a table of PostgreSQL with a primary key: the sink of a query against COPY of the same rows, encoded beforehand, into
// the same kind of table (the reference), and against COPY into a temporary table and INSERT … SELECT from it. Every case commits
// epochs of the same size. The best of the rounds counts, because other programs share the machine.
//
//   MILLRACE_TEST_POSTGRES=postgresql://user:password@host/database postgres_bench [rows]
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "bench/report.h"
#include "connect/postgres/connection.h"
#include "connect/postgres/copy_text.h"
#include "connect/postgres/tables.h"
#include "model/column_builder.h"

namespace {

using namespace millrace;
using bench::Measure;
using bench::must;
using connect::postgres::Connection;
using model::TypeId;

constexpr int kRounds = 3;
constexpr size_t kBatchRows = 50'000;
constexpr size_t kBatchesOfEpoch = 4;

model::TableDef definition(const std::string& name) {
  model::TableDef def;
  def.name = name;
  def.schema.fields = {
      {"id", {.id = TypeId::kUuid}},     {"first_name", {.id = TypeId::kText}}, {"last_name", {.id = TypeId::kText}},
      {"gender", {.id = TypeId::kText}}, {"address", {.id = TypeId::kText}},    {"post_code", {.id = TypeId::kText}},
      {"email", {.id = TypeId::kText}},  {"username", {.id = TypeId::kText}},   {"dob", {.id = TypeId::kTimestampTz}},
      {"phone", {.id = TypeId::kText}},  {"picture", {.id = TypeId::kText}}};
  def.partition_key = {0};
  return def;
}

model::ColumnBatch users(std::shared_ptr<const model::Schema> schema, size_t from) {
  model::BatchBuilder builder(std::move(schema));
  for (size_t i = from; i < from + kBatchRows; ++i) {
    std::string n = std::to_string(100'000'000 + i);
    // Random keys, as uuids of an API are.
    uint64_t key = (i + 1) * 0x9e3779b97f4a7c15, more = key ^ key >> 31;
    builder.column(0).append(model::to_int128(static_cast<__int128>(key) << 64 | more * 0xbf58476d1ce4e5b9));
    const std::string texts[] = {"Ada",
                                 "Lovelace" + n,
                                 "female",
                                 n + " St James Square, London",
                                 "SW1 " + n,
                                 "ada." + n + "@example.com",
                                 "ada" + n,
                                 "+44 " + n,
                                 "https://example.com/portraits/" + n + ".jpg"};
    size_t column = 1;
    for (const std::string& text : texts) {
      if (column == 8) builder.column(column++).append(static_cast<int64_t>(i) * 1'000'001);
      builder.column(column++).append_text(text);
    }
  }
  return std::move(builder).finish();
}

struct Bed {
  std::string url;
  std::vector<model::ColumnBatch> batches;
  std::vector<std::string> encoded;  // of each batch, for COPY
  std::vector<port::RowOrigin> origins;
  std::unique_ptr<connect::postgres::PostgresTables> tables;
  std::unique_ptr<Connection> connection;
  size_t rows() const { return batches.size() * kBatchRows; }
};

Bed make_bed(const char* url, size_t rows) {
  Bed bed;
  bed.url = url;
  auto schema = std::make_shared<model::Schema>(definition("").schema);
  for (size_t from = 0; from < rows; from += kBatchRows) {
    bed.batches.push_back(users(schema, from));
    std::string text;
    for (size_t row = 0; row < kBatchRows; ++row) {
      for (size_t column = 0; column < schema->fields.size(); ++column) {
        if (column > 0) text += '\t';
        connect::postgres::append_copy_value(text, bed.batches.back().columns[column], row);
      }
      text += '\n';
    }
    bed.encoded.push_back(std::move(text));
  }
  bed.origins.resize(kBatchRows);
  bed.tables = must(connect::postgres::PostgresTables::open({url, {}}, env::real_env()));
  bed.connection = must(Connection::open(must(connect::postgres::read_options({url, {}})), "bench",
                                         std::make_shared<connect::postgres::Interrupt>(), env::real_clock()));
  must(bed.connection->execute("DROP SCHEMA IF EXISTS millrace_bench CASCADE"));
  return bed;
}

void fresh(Bed& bed, const std::string& table) {
  must(bed.connection->execute(fmt::format("TRUNCATE millrace_bench.{}; CHECKPOINT", table)));
}

/// COPY of the encoded batches into `target`, `then` behind each, a commit every epoch.
void copy_all(Bed& bed, const std::string& target, const std::string& then) {
  for (size_t i = 0; i < bed.encoded.size(); ++i) {
    if (i % kBatchesOfEpoch == 0) must(bed.connection->execute("BEGIN"));
    must(bed.connection->begin_copy(fmt::format("COPY {} FROM STDIN", target)));
    must(bed.connection->put_copy(bed.encoded[i]));
    must(bed.connection->finish_copy());
    if (!then.empty()) must(bed.connection->execute(then));
    if (i % kBatchesOfEpoch == kBatchesOfEpoch - 1 || i + 1 == bed.encoded.size()) must(bed.connection->execute("COMMIT"));
  }
}

void stage_all(Bed& bed, port::Sink& sink, uint64_t& epoch) {
  for (size_t i = 0; i < bed.batches.size(); ++i) {
    for (port::RowOrigin& origin : bed.origins) ++origin.version;
    auto report = must(sink.stage(bed.batches[i], bed.origins, false));
    if (!report.faults.empty()) must<void>(fail(Errc::kInternal, "rows were refused"));
    store::Batch batch;
    if (i % kBatchesOfEpoch == kBatchesOfEpoch - 1 || i + 1 == bed.batches.size()) must(sink.commit({++epoch, {}}, batch));
  }
}

template <class Before, class Work>
Measure best(const Before& before, const Work& work) {
  Measure least;
  for (int round = 0; round < kRounds; ++round) {
    before();
    Measure measure;
    work();
    if (measure.stop().wall < least.wall || round == 0) least = measure;
  }
  return least;
}

}  // namespace

int main(int argc, char** argv) {
  const char* url = std::getenv("MILLRACE_TEST_POSTGRES");
  bench::Report report;
  if (url == nullptr) {
    fmt::print(stderr, "skipped: MILLRACE_TEST_POSTGRES is not set\n");
    return 0;
  }
  Bed bed = make_bed(url, argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 400'000);
  model::TableDef def = definition("millrace_bench.sink"), plain = definition("millrace_bench.plain");
  must(bed.tables->declare(def));
  must(bed.tables->declare(plain));
  must(bed.connection->execute(
      "ALTER TABLE millrace_bench.plain DROP COLUMN _version; CREATE TEMP TABLE held ON COMMIT DELETE ROWS AS "
      "SELECT * FROM millrace_bench.plain WITH NO DATA"));
  auto sink = must(bed.tables->sink({def, std::make_shared<model::Schema>(def.schema), "bench", "users"}));
  uint64_t epoch = must(sink->recover()).value_or(0);

  Measure reference = best([&] { fresh(bed, "plain"); }, [&] { copy_all(bed, "millrace_bench.plain", ""); });
  report.line("COPY into a table with a key", bed.rows(), reference, "the reference");
  auto line = [&](const char* name, const Measure& measure) {
    double share = reference.wall / measure.wall;
    report.line(name, bed.rows(), measure, fmt::format("{:.0f} % of the reference", 100 * share),
                fmt::format("\"of_copy\":{:.3f}", share));
  };
  line("COPY, then INSERT ... SELECT",
       best([&] { fresh(bed, "plain"); },
            [&] {
              copy_all(bed, "pg_temp.held", "INSERT INTO millrace_bench.plain SELECT * FROM pg_temp.held; TRUNCATE pg_temp.held");
            }));
  line("the sink, new keys", best([&] { fresh(bed, "sink"); }, [&] { stage_all(bed, *sink, epoch); }));
  line("the sink, keys that are there", best([] {}, [&] { stage_all(bed, *sink, epoch); }));
  line("the sink, new keys after these", best([&] { fresh(bed, "sink"); }, [&] { stage_all(bed, *sink, epoch); }));
  must(bed.connection->execute("DROP SCHEMA millrace_bench CASCADE; DELETE FROM millrace.epochs WHERE pipeline='bench'"));
}
