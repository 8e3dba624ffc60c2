// DuckDB under the pipeline: what one run of a prepared query costs, and the rate of rows through it. The best of the rounds
// counts, because other programs share the machine.
//
//   sql_bench [rows of the large batch]
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "bench/report.h"
#include "model/column_builder.h"
#include "sql/duck_engine.h"

namespace {

using namespace millrace;
using bench::Measure;
using bench::must;

constexpr int kRounds = 7;
constexpr int kRunsOfOne = 500;
constexpr const char* kColumns =
    "id text, first text, last text, gender text, address text, post_code text, email text, username text, dob text, phone text, "
    "picture text";

struct Case {
  const char* name;
  const char* sql;
};
constexpr Case kCases[] = {
    {"one column as it is", "SELECT id, __row FROM t"},
    {"11 text columns as they are", "SELECT *, __row FROM t"},
    {"the users query",
     "SELECT id::uuid AS id, first AS first_name, last AS last_name, gender, address || ', ' || post_code AS address, post_code, "
     "email, username, "
     "dob::timestamptz AS dob, phone, picture, __row FROM t WHERE email LIKE '%_@_%'"},
};

model::ColumnBatch users(std::shared_ptr<const model::Schema> schema, size_t rows) {
  model::BatchBuilder builder(std::move(schema));
  for (size_t i = 0; i < rows; ++i) {
    std::string n = std::to_string(100'000'000 + i);
    const std::string values[] = {"00112233-4455-6677-8899-aab" + n,
                                  "Ada",
                                  "Lovelace" + n,
                                  "female",
                                  n + " St James Square, London",
                                  "SW1 " + n,
                                  "ada." + n + "@example.com",
                                  "ada" + n,
                                  "1815-12-10T08:00:00Z",
                                  "+44 " + n,
                                  "https://example.com/portraits/" + n + ".jpg"};
    for (size_t column = 0; column < std::size(values); ++column) builder.column(column).append_text(values[column]);
  }
  return std::move(builder).finish();
}

template <class Work>
Measure best(const Work& work) {
  Measure least;
  for (int round = 0; round < kRounds; ++round) {
    Measure measure;
    work();
    if (measure.stop().wall < least.wall || round == 0) least = measure;
  }
  return least;
}

}  // namespace

int main(int argc, char** argv) {
  size_t rows = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 100'000;
  auto engine = must(sql::DuckEngine::open({}));
  auto schema = std::make_shared<const model::Schema>(must(engine->parse_columns(kColumns)));
  model::ColumnBatch batch = users(schema, rows);
  bench::Report report;
  for (const Case& one : kCases) {
    auto query = must(engine->compile(one.sql, {"t", schema}));
    report.line(fmt::format("{}, row by row", one.name), kRunsOfOne, best([&] {
                  for (int i = 0; i < kRunsOfOne; ++i) must(query->run(batch, 0, 1));
                }));
    report.line(one.name, rows, best([&] { must(query->run(batch, 0, rows)); }));
  }
  constexpr int kCompiles = 50;
  report.line("compile the users query", kCompiles, best([&] {
                for (int i = 0; i < kCompiles; ++i) must(engine->compile(kCases[2].sql, {"t", schema}));
              }));
}
