#include "connect/postgres/tables.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "connect/postgres/sink_bed.h"
#include "format/json_write.h"

namespace millrace::connect::postgres {
namespace {

using model::Type;
using model::TypeId;

Type list_of(Type element) { return {.id = TypeId::kList, .fields = {{"element", std::move(element)}}}; }

class PostgresTablesTest : public RealPostgres {
 protected:
  std::unique_ptr<PostgresTables> open() {
    auto tables = PostgresTables::open({database_->url(), {}}, env::real_env());
    EXPECT_TRUE(tables) << tables.error().message;
    return std::move(*tables);
  }
  void put(const model::TableDef& def, const std::vector<Staged>& rows) {
    auto sink = sink_of(database_->url(), def);
    ASSERT_TRUE(sink->recover());
    auto report = stage(*sink, rows, def);
    ASSERT_TRUE(report) << report.error().message;
    for (const auto& fault : report->faults) ADD_FAILURE() << fault.row << ": " << fault.message;
    ASSERT_TRUE(commit(*sink, ++epoch_));
  }
  /// The rows as JSON, in the order of the scan.
  std::vector<std::string> read(const model::TableDef& def, const port::ScanRequest& request) {
    auto tables = open();
    auto relation = tables->relation(def);
    EXPECT_TRUE(relation) << relation.error().message;
    auto scan = (*relation)->scan(request);
    EXPECT_TRUE(scan) << scan.error().message;
    std::vector<std::string> out;
    while (true) {
      auto batch = (*scan)->next();
      EXPECT_TRUE(batch) << batch.error().message;
      if (!batch || batch->rows == 0) return out;
      EXPECT_LE(batch->rows, port::kScanRowsMax);
      for (size_t row = 0; row < batch->rows; ++row) format::append_row_json(out.emplace_back(), *batch, row);
    }
  }
  std::vector<std::string> read_all(const model::TableDef& def) {
    port::ScanRequest request;
    for (size_t i = 0; i < def.schema.fields.size(); ++i) request.columns.push_back(i);
    return read(def, request);
  }
  uint64_t epoch_ = 0;
};

/// Every type, and lists of every scalar.
model::TableDef every_type() {
  model::TableDef def;
  def.name = "types.every";
  def.partition_key = {0};
  def.schema.fields = {{"id", {.id = TypeId::kInteger}}};
  const std::pair<const char*, Type> types[] = {{"bool", {.id = TypeId::kBoolean}},
                                                {"i8", {.id = TypeId::kTinyint}},
                                                {"i16", {.id = TypeId::kSmallint}},
                                                {"i32", {.id = TypeId::kInteger}},
                                                {"i64", {.id = TypeId::kBigint}},
                                                {"i128", {.id = TypeId::kHugeint}},
                                                {"u8", {.id = TypeId::kUtinyint}},
                                                {"u16", {.id = TypeId::kUsmallint}},
                                                {"u32", {.id = TypeId::kUinteger}},
                                                {"u64", {.id = TypeId::kUbigint}},
                                                {"f32", {.id = TypeId::kFloat}},
                                                {"f64", {.id = TypeId::kDouble}},
                                                {"d4", {.id = TypeId::kDecimal, .width = 4, .scale = 2}},
                                                {"d9", {.id = TypeId::kDecimal, .width = 9, .scale = 9}},
                                                {"d18", {.id = TypeId::kDecimal, .width = 18, .scale = 0}},
                                                {"d38", {.id = TypeId::kDecimal, .width = 38, .scale = 19}},
                                                {"text", {.id = TypeId::kText}},
                                                {"blob", {.id = TypeId::kBlob}},
                                                {"uuid", {.id = TypeId::kUuid}},
                                                {"date", {.id = TypeId::kDate}},
                                                {"time", {.id = TypeId::kTime}},
                                                {"ts", {.id = TypeId::kTimestamp}},
                                                {"tstz", {.id = TypeId::kTimestampTz}}};
  for (const auto& [name, type] : types) def.schema.fields.push_back({name, type});
  for (const auto& [name, type] : types) def.schema.fields.push_back({fmt::format("{}s", name), list_of(type)});
  Type person{.id = TypeId::kStruct, .fields = {{"name", {.id = TypeId::kText}}, {"big", {.id = TypeId::kHugeint}}}};
  def.schema.fields.push_back({"person", person});
  def.schema.fields.push_back({"people", list_of(person)});
  def.schema.fields.push_back({"matrix", list_of(list_of({.id = TypeId::kInteger}))});
  return def;
}

/// A row whose lists hold the value, a NULL and the value again.
std::string row_of(int id, const std::vector<std::string>& values) {
  model::TableDef def = every_type();
  std::string json = fmt::format(R"({{"id":{})", id);
  for (size_t i = 0; i < values.size(); ++i) {
    const std::string& name = def.schema.fields[i + 1].name;
    json += fmt::format(R"(,"{}":{},"{}s":[{},null,{}])", name, values[i], name, values[i], values[i]);
  }
  return json +
         R"(,"person":{"name":"Zoë \"x\" \\ \t","big":170141183460469231731687303715884105727},"people":[{"name":"a"},null],)" +
         R"("matrix":[[1,2],[],null,[3]]})";
}

TEST_F(PostgresTablesTest, every_type_comes_back_as_it_was_written) {
  model::TableDef def = every_type();
  std::vector<Staged> rows = {
      {row_of(1, {"true",
                  "-128",
                  "-32768",
                  "-2147483648",
                  "-9223372036854775808",
                  "-170141183460469231731687303715884105728",
                  "0",
                  "0",
                  "0",
                  "0",
                  "-3.4028234663852886e38",
                  "-1.7976931348623157e308",
                  "-99.99",
                  "-0.999999999",
                  "-999999999999999999",
                  "-9999999999999999999.9999999999999999999",
                  R"("")",
                  R"("")",
                  R"("00000000-0000-0000-0000-000000000000")",
                  R"("-4712-01-01")",
                  R"("00:00:00")",
                  R"("-4712-01-01 00:00:00")",
                  R"("0000-12-31T23:59:59.999999Z")"})},
      {row_of(2, {"false",
                  "127",
                  "32767",
                  "2147483647",
                  "9223372036854775807",
                  "170141183460469231731687303715884105727",
                  "255",
                  "65535",
                  "4294967295",
                  "18446744073709551615",
                  "1.401298464324817e-45",
                  "5e-324",
                  "99.99",
                  "0.000000001",
                  "999999999999999999",
                  "0.0000000000000000001",
                  R"("Zürich 🦆 \" \\ {} , NULL \n")",
                  R"("AP8KXAk=")",
                  R"("ffffffff-ffff-ffff-ffff-ffffffffffff")",
                  R"("+20000-12-31")",
                  R"("24:00:00")",
                  R"("+20000-12-31 23:59:59.999999")",
                  R"("2026-03-29T02:30:00.5+02:00")"})},
      {row_of(3, {"true",
                  "1",
                  "1",
                  "1",
                  "1",
                  "10000",
                  "1",
                  "1",
                  "1",
                  "10000",
                  R"("NaN")",
                  R"("-Infinity")",
                  "0",
                  "0",
                  "0",
                  "10000.0001",
                  R"("null")",
                  R"("AA==")",
                  R"("018f4e9e-7b1c-7a3d-8e6f-0123456789ab")",
                  R"("infinity")",
                  R"("23:59:59.000001")",
                  R"("infinity")",
                  R"("-infinity")"})},
      {R"({"id":4,"i32s":[],"texts":[],"people":[],"matrix":[],"person":{}})"},
      {R"({"id":5})"},
  };
  put(def, rows);
  model::ColumnBatch written = batch_of(std::make_shared<model::Schema>(def.schema), rows);
  std::vector<std::string> back = read_all(def);
  ASSERT_EQ(back.size(), rows.size());
  for (size_t row = 0; row < rows.size(); ++row) {
    std::string expected;
    format::append_row_json(expected, written, row);
    EXPECT_EQ(back[row], expected);
  }
  EXPECT_EQ(database_->ask("SELECT d4, i16, u64, tstz, i32s[1], i32s[2] IS NULL, person->>'name' FROM types.every WHERE id=2"),
            "99.99|32767|18446744073709551615|2026-03-29 00:30:00.5+00|2147483647|t|Zoë \"x\" \\ \t");
  EXPECT_TRUE(open()->declare(def)) << "what was created fits";
}

TEST_F(PostgresTablesTest, a_table_keeps_its_identity_until_it_is_made_again) {
  auto tables = open();
  auto first = tables->declare(small_def());
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_EQ(*tables->declare(small_def()), *first);
  database_->ask("DROP TABLE app.t");
  EXPECT_NE(*tables->declare(small_def()), *first);
}

TEST_F(PostgresTablesTest, a_table_that_differs_is_refused_with_the_remedy) {
  database_->ask("CREATE SCHEMA app; CREATE TABLE app.t(id bigint, postcode text, tenant text NOT NULL)");
  model::TableDef def = small_def();
  def.schema.fields[1].name = "post_code";
  auto declared = open()->declare(def);
  ASSERT_FALSE(declared);
  EXPECT_EQ(declared.error().code, Errc::kFailedPrecondition);
  EXPECT_NE(declared.error().message.find("did you mean 'postcode'"), std::string::npos) << declared.error().message;
  // The remedies are SQL that does it.
  EXPECT_EQ(database_->ask(declared.error().hint), "");
  EXPECT_TRUE(open()->declare(def)) << open()->declare(def).error().message;
}

TEST_F(PostgresTablesTest, what_cannot_be) {
  model::TableDef def = small_def();
  def.ttl = std::chrono::hours(1);
  EXPECT_EQ(open()->declare(def).error().code, Errc::kInvalidArgument);
  database_->ask("CREATE SCHEMA app; CREATE VIEW app.t AS SELECT 1::bigint AS id, 'x' AS v");
  EXPECT_EQ(open()->declare(small_def()).error().message, "table app.t: it is a view");
  auto refused = PostgresTables::open({with_database(server_url(), "no_such_database"), {}}, env::real_env());
  EXPECT_EQ((*refused)->declare(small_def()).error().code, Errc::kNotFound);
}

TEST_F(PostgresTablesTest, raw_records_land_as_jsonb) {
  model::TableDef def;
  def.name = "raw_users";
  def.schema.fields = {{"source", {.id = TypeId::kText}},       {"topic", {.id = TypeId::kText}},
                       {"partition", {.id = TypeId::kInteger}}, {"offset", {.id = TypeId::kBigint}},
                       {"ts", {.id = TypeId::kTimestampTz}},    {"key", {.id = TypeId::kText}},
                       {"record", {.id = TypeId::kText}}};
  def.partition_key = {1, 2, 3};
  auto tables = open();
  tables->create_as_jsonb("raw_users", "record");
  ASSERT_TRUE(tables->declare(def));
  put(def,
      {{R"({"source":"s","topic":"t","partition":0,"offset":1,"ts":"2026-01-01T00:00:00Z","record":"{\"a\": [1.10, \"é\"]}"})"}});
  EXPECT_EQ(database_->ask("SELECT pg_typeof(record), record->'a'->>0 FROM public.raw_users"), "jsonb|1.10");
  EXPECT_EQ(read(def, {{6}, {}}), std::vector<std::string>{R"({"record":"{\"a\": [1.10, \"é\"]}"})"});
}

TEST_F(PostgresTablesTest, a_scan_reads_what_is_wanted_batch_by_batch) {
  database_->ask(
      "CREATE SCHEMA app; CREATE TABLE app.t(id bigint PRIMARY KEY, v text); INSERT INTO app.t SELECT i, 'v'||i FROM "
      "generate_series(1,5000) i");
  model::TableDef def = small_def();
  using Op = port::KeyPredicate::Op;
  EXPECT_EQ(read_all(def).size(), 5000u);
  EXPECT_EQ(read(def, {{1}, {{"id", Op::kEq, "17"}}}), std::vector<std::string>{R"({"v":"v17"})"});
  EXPECT_EQ(read(def, {{0}, {{"ID", Op::kGe, "4999"}, {"id", Op::kLt, "5000"}}}), std::vector<std::string>{R"({"id":4999})"});
  EXPECT_EQ(read(def, {{0}, {{"v", Op::kEq, "v17"}}}), std::vector<std::string>{R"({"id":17})"});
  EXPECT_EQ(read(def, {{}, {{"id", Op::kGt, "2"}}}).size(), 4998u) << "rows without columns";
  EXPECT_EQ(read(def, {{0}, {{"id", Op::kEq, "no number"}}}).size(), 5000u) << "the engine filters again";
}

TEST_F(PostgresTablesTest, a_login_that_fails_says_so) {
  // The server of the tests may trust everybody on this machine: a role that may not log in is refused in any case.
  database_->ask("DROP ROLE IF EXISTS millrace_nologin; CREATE ROLE millrace_nologin NOLOGIN PASSWORD 'secret'");
  std::string url = database_->url();
  url = "postgresql://millrace_nologin:secret@" + url.substr(url.find('@') + 1);
  auto tables = PostgresTables::open({url, {}}, env::real_env());
  auto declared = (*tables)->declare(small_def());
  database_->ask("DROP ROLE millrace_nologin");
  ASSERT_FALSE(declared);
  EXPECT_EQ(declared.error().code, Errc::kPermissionDenied) << declared.error().message;
  EXPECT_EQ(declared.error().message.find("secret"), std::string::npos);
}

TEST(PostgresConnection, nobody_answers) {
  auto target = read_options({"postgresql://u:secret@127.0.0.1:1/d", {}});
  ASSERT_TRUE(target);
  auto opened = Connection::open(*target, "test", std::make_shared<Interrupt>(), env::real_clock());
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Errc::kUnavailable);
  EXPECT_EQ(opened.error().message.find("secret"), std::string::npos) << opened.error().message;
}

}  // namespace
}  // namespace millrace::connect::postgres
