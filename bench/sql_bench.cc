// DuckDB under the pipeline: what one run of a prepared query costs, and the rate of rows through it. One line a case; the best
// of the rounds counts, because other programs share the machine.
//
//   sql_bench [rows of the large batch]
#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>
#include <memory>
#include <string>
#include <vector>

#include "model/column_builder.h"
#include "sql/duck_engine.h"

namespace {

using namespace millrace;
using Clock = std::chrono::steady_clock;

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

/// Seconds of the best round.
template <class Work>
double best(const Work& work) {
  double least = 1e9;
  for (int round = 0; round < kRounds; ++round) {
    auto begin = Clock::now();
    work();
    least = std::min(least, std::chrono::duration<double>(Clock::now() - begin).count());
  }
  return least;
}

void run(port::CompiledQuery& query, const model::ColumnBatch& batch, size_t rows) {
  auto out = query.run(batch, 0, rows);
  if (!out) {
    std::fprintf(stderr, "%s\n", out.error().message.c_str());
    std::exit(1);
  }
}

}  // namespace

int main(int argc, char** argv) {
  size_t rows = argc > 1 ? std::strtoull(argv[1], nullptr, 10) : 100'000;
  auto engine = std::move(sql::DuckEngine::open({}).value());
  auto schema = std::make_shared<const model::Schema>(engine->parse_columns(kColumns).value());
  model::ColumnBatch batch = users(schema, rows);
  for (const Case& one : kCases) {
    auto query = std::move(engine->compile(one.sql, {"t", schema}).value());
    double single = best([&] {
      for (int i = 0; i < kRunsOfOne; ++i) run(*query, batch, 1);
    });
    double all = best([&] { run(*query, batch, rows); });
    std::printf("sql %-28s %7.1f us for 1 row  %9.0f rows/s of %zu\n", one.name, single / kRunsOfOne * 1e6,
                static_cast<double>(rows) / all, rows);
  }
  double compile = best([&] {
    for (int i = 0; i < 50; ++i) static_cast<void>(engine->compile(kCases[2].sql, {"t", schema}));
  });
  std::printf("sql %-28s %7.1f us\n", "compile the users query", compile / 50 * 1e6);
}
