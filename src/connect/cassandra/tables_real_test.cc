#include <algorithm>
#include <thread>

#include "connect/cassandra/tables_bed.h"
#include "env/random.h"

/// Against the server that MILLRACE_TEST_CASSANDRA names (host:port, or login@host:port); skipped without it.
namespace millrace::connect::cassandra {
namespace {

using model::TypeId;

class CassandraReal : public testing::TestWithParam<std::map<std::string, std::string>> {
 protected:
  void SetUp() override {
    const char* server = std::getenv("MILLRACE_TEST_CASSANDRA");
    if (server == nullptr) GTEST_SKIP() << "MILLRACE_TEST_CASSANDRA names no server";
    url_ = std::string("cassandra://") + server;
    auto tables = CassandraTables::open({url_, GetParam()}, env::real_env());
    ASSERT_TRUE(tables) << tables.error().message;
    tables_ = std::move(*tables);
    auto session = Session::open(*read_settings(url_, {}), env::real_clock());
    ASSERT_TRUE(session) << session.error().message;
    session_ = std::move(*session);
    char name[64];
    std::snprintf(name, sizeof name, "millrace_test_%016llx", static_cast<unsigned long long>(env::real_random().next()));
    keyspace_ = name;
  }
  void TearDown() override {
    if (session_ != nullptr) EXPECT_TRUE(session_->change_schema("DROP KEYSPACE IF EXISTS " + keyspace_));
  }

  model::TableDef table(std::string name, std::vector<model::Field> fields, std::vector<size_t> key) {
    model::TableDef def;
    def.name = keyspace_ + "." + std::move(name);
    def.schema.fields = std::move(fields);
    def.partition_key = std::move(key);
    return def;
  }
  model::TableDef people() {
    model::TableDef def =
        table("people", {{"id", type_of(TypeId::kText)}, {"n", type_of(TypeId::kBigint)}, {"name", type_of(TypeId::kText)}}, {0});
    def.clustering = {{1, true}};
    return def;
  }
  std::unique_ptr<port::Sink> sink(const model::TableDef& def) {
    auto sink = tables_->sink({def, std::make_shared<model::Schema>(def.schema), "p", "q"});
    EXPECT_TRUE(sink) << sink.error().message;
    return sink ? std::move(*sink) : nullptr;
  }
  /// One epoch; the rows' origins have these versions.
  port::SinkReport write(port::Sink& sink, const model::TableDef& def, const std::vector<Cells>& rows,
                         std::vector<port::RowOrigin> origins = {}) {
    for (size_t i = origins.size(); i < rows.size(); ++i) origins.push_back(origin(++offset_));
    auto report = sink.stage(batch_of(def.schema, rows), origins, false);
    EXPECT_TRUE(report) << report.error().message;
    store::Batch batch;
    Status status = sink.commit({1, {}}, batch);
    EXPECT_TRUE(status) << status.error().message;
    sink.committed();
    return report ? *report : port::SinkReport();
  }
  port::RowOrigin origin(int64_t offset, uint64_t version = 0) {
    int64_t now = to_micros(env::real_clock().now());
    return {0, offset, now / 1000, version == 0 ? static_cast<uint64_t>(now) : version, 0, false};
  }
  std::vector<std::string> rows(const model::TableDef& def, std::vector<port::KeyPredicate> predicates = {}) {
    auto relation = tables_->relation(def);
    EXPECT_TRUE(relation) << relation.error().message;
    if (!relation) return {};
    port::ScanRequest request = all_columns(def.schema);
    request.predicates = std::move(predicates);
    auto read = read_rows(**relation, request);
    EXPECT_TRUE(read) << read.error().message;
    std::vector<std::string> list = read ? *read : std::vector<std::string>();
    std::sort(list.begin(), list.end());
    return list;
  }
  void cql(const std::string& text) {
    Status done = session_->change_schema(text);
    EXPECT_TRUE(done) << done.error().message;
  }
  void make_keyspace() {
    cql("CREATE KEYSPACE " + keyspace_ + " WITH replication = {'class': 'SimpleStrategy', 'replication_factor': 1}");
  }

  std::string url_, keyspace_;
  std::unique_ptr<CassandraTables> tables_;
  std::unique_ptr<Session> session_;  // to look from outside
  int64_t offset_ = 0;
};

TEST_P(CassandraReal, DeclaringMakesTheTableOnceAndTellsItFromItsSuccessor) {
  model::TableDef def = people();
  auto first = tables_->declare(def);
  ASSERT_TRUE(first) << first.error().message;
  EXPECT_EQ(first->size(), 36u);
  EXPECT_EQ(*tables_->declare(def), *first);
  cql("DROP TABLE " + def.name);
  auto second = tables_->declare(def);
  ASSERT_TRUE(second) << second.error().message;
  EXPECT_NE(*second, *first);
}

TEST_P(CassandraReal, EveryTypeComesBackAsItWent) {
  std::vector<model::Field> fields = {
      {"id", type_of(TypeId::kUuid)},
      {"Bool", type_of(TypeId::kBoolean)},
      {"i8", type_of(TypeId::kTinyint)},
      {"i16", type_of(TypeId::kSmallint)},
      {"i32", type_of(TypeId::kInteger)},
      {"i64", type_of(TypeId::kBigint)},
      {"i128", type_of(TypeId::kHugeint)},
      {"u8", type_of(TypeId::kUtinyint)},
      {"u16", type_of(TypeId::kUsmallint)},
      {"u32", type_of(TypeId::kUinteger)},
      {"u64", type_of(TypeId::kUbigint)},
      {"f", type_of(TypeId::kFloat)},
      {"d", type_of(TypeId::kDouble)},
      {"dec", decimal_of(38, 10)},
      {"order", type_of(TypeId::kText)},
      {"b", type_of(TypeId::kBlob)},
      {"day", type_of(TypeId::kDate)},
      {"t", type_of(TypeId::kTime)},
      {"ts", type_of(TypeId::kTimestamp)},
      {"tz", type_of(TypeId::kTimestampTz)},
      {"texts", list_of(type_of(TypeId::kText))},
      {"lists", list_of(list_of(type_of(TypeId::kInteger)))},
      {"who", struct_of({{"first", type_of(TypeId::kText)},
                         {"Born", type_of(TypeId::kDate)},
                         {"tags", list_of(struct_of({{"k", type_of(TypeId::kText)}, {"v", type_of(TypeId::kBigint)}}))}})},
  };
  model::TableDef def = table("every_type", fields, {0});
  auto made = tables_->declare(def);
  ASSERT_TRUE(made) << made.error().message;
  std::vector<Cells> cells = {
      {"00000000-0000-0000-0000-000000000001",
       "true",
       "-128",
       "-32768",
       "-2147483648",
       "-9223372036854775808",
       "-170141183460469231731687303715884105728",
       "0",
       "0",
       "0",
       "0",
       "-1.5",
       "1e-300",
       "-1234567890123456789012345678.0123456789",
       "Grüße 日本語 \xF0\x9F\x90\x98",
       "\\x00\\xFFa",
       "-0001-01-01",
       "00:00:00",
       "1969-12-31 23:59:59.999",
       "2026-03-29T02:30:00+02:00",
       "[]",
       "[[1,2],[],[-3]]",
       R"({"first":"Zoë","Born":"1990-02-28","tags":[{"k":"a","v":1},{"k":null,"v":-5}]})"},
      {"ffffffff-ffff-ffff-ffff-ffffffffffff",
       "false",
       "127",
       "32767",
       "2147483647",
       "9223372036854775807",
       "170141183460469231731687303715884105727",
       "255",
       "65535",
       "4294967295",
       "18446744073709551615",
       "inf",
       "nan",
       "0.0000000001",
       "",
       "",
       "9999-12-31",
       "23:59:59.999999",
       "9999-12-31 23:59:59.999",
       "0001-01-01T00:00:00Z",
       R"(["","ü","a,b"])",
       "[]",
       R"({"first":null,"Born":null,"tags":[]})"},
      {"00000000-0000-0000-0000-000000000002",
       {},
       {},
       {},
       {},
       {},
       {},
       {},
       {},
       {},
       {},
       {},
       {},
       {},
       {},
       {},
       {},
       {},
       {},
       {},
       {},
       {},
       {}},
  };
  auto out = sink(def);
  ASSERT_NE(out, nullptr);
  port::SinkReport report = write(*out, def, cells);
  for (const auto& fault : report.faults) ADD_FAILURE() << fault.message;
  std::vector<std::string> expected = as_json(batch_of(def.schema, cells));
  std::sort(expected.begin(), expected.end());
  EXPECT_EQ(rows(def), expected);
  EXPECT_EQ(rows(def, {{"id", port::KeyPredicate::Op::kEq, "00000000-0000-0000-0000-000000000001"}}).size(), 1u);
}

TEST_P(CassandraReal, RowsReplaceByVersionAndByOrdinal) {
  model::TableDef def = people();
  ASSERT_TRUE(tables_->declare(def));
  auto out = sink(def);
  ASSERT_NE(out, nullptr);
  uint64_t now = origin(1).version;
  write(*out, def, {{"a", "1", "new"}, {"b", "1", "b"}}, {origin(1, now), origin(2, now)});
  write(*out, def, {{"a", "1", "old"}}, {origin(3, now - 1)});
  EXPECT_EQ(rows(def), (std::vector<std::string>{R"({"id":"a","n":1,"name":"new"})", R"({"id":"b","n":1,"name":"b"})"}));
  // Three rows of one record, over two calls of stage: Cassandra alone would keep "z".
  auto one = origin(4, now + 1), two = one, three = one;
  two.ordinal = 1;
  three.ordinal = 2;
  auto stage = [&](const std::vector<Cells>& cells, const std::vector<port::RowOrigin>& origins) {
    auto report = out->stage(batch_of(def.schema, cells), origins, false);
    ASSERT_TRUE(report) << report.error().message;
  };
  stage({{"a", "1", "y"}, {"a", "1", "z"}}, {one, two});
  stage({{"a", "1", "x"}}, {three});
  store::Batch batch;
  ASSERT_TRUE(out->commit({2, {}}, batch));
  out->committed();
  EXPECT_EQ(rows(def)[0], R"({"id":"a","n":1,"name":"x"})");
  // A NULL replaces what was there, and an erased key is gone, also for what is older.
  write(*out, def, {{"a", "1", std::nullopt}}, {origin(5, now + 2)});
  EXPECT_EQ(rows(def)[0], GetParam().contains("nulls") ? R"({"id":"a","n":1,"name":"x"})" : R"({"id":"a","n":1,"name":null})");
  auto erase = origin(6, now + 10);
  erase.erase = true;
  write(*out, def, {{"b", "1", std::nullopt}}, {erase});
  write(*out, def, {{"b", "1", "late"}}, {origin(7, now + 9)});
  EXPECT_EQ(rows(def).size(), 1u);
}

TEST_P(CassandraReal, RowsThatCannotBeWrittenAreFaults) {
  model::TableDef def = people();
  ASSERT_TRUE(tables_->declare(def));
  auto out = sink(def);
  ASSERT_NE(out, nullptr);
  auto far = origin(9);
  far.version += uint64_t{2} * 3600 * 1'000'000;
  port::SinkReport report =
      write(*out, def,
            {{std::nullopt, "1", "x"}, {"", "1", "x"}, {"far", "1", "x"}, {"ok", "1", "x"}, {std::string(70'000, 'k'), "1", "x"}},
            {origin(1), origin(2), far, origin(3), origin(4)});
  std::vector<std::string> codes;
  for (const auto& fault : report.faults) codes.push_back(fault.code);
  EXPECT_EQ(codes, (std::vector<std::string>{"bad_key", "bad_key", "far_future", "bad_key"}));
  EXPECT_EQ(rows(def), (std::vector<std::string>{R"({"id":"ok","n":1,"name":"x"})"}));
}

TEST_P(CassandraReal, TheTtlCountsFromTheRecordsTime) {
  model::TableDef def = people();
  def.ttl = std::chrono::hours(1);
  ASSERT_TRUE(tables_->declare(def));
  auto out = sink(def);
  ASSERT_NE(out, nullptr);
  auto old = origin(1), half = origin(2);
  old.timestamp_ms -= 3'700'000;
  half.timestamp_ms -= 1'800'000;
  port::SinkReport report = write(*out, def, {{"old", "1", "x"}, {"half", "1", "x"}}, {old, half});
  EXPECT_EQ(report.expired, (std::vector<uint32_t>{0}));
  EXPECT_EQ(rows(def), (std::vector<std::string>{R"({"id":"half","n":1,"name":"x"})"}));
  auto left = session_->query_system("SELECT ttl(name) AS left FROM " + def.name);
  ASSERT_TRUE(left) << left.error().message;
  ASSERT_TRUE(for_each_row(*left->rows(), [](const RowView& row) {
    EXPECT_LE(row.integer("left", 0), 1800);
    EXPECT_GT(row.integer("left", 0), 1700);
  }));
}

TEST_P(CassandraReal, EveryDifferenceOfATableIsNamedWithItsRemedy) {
  make_keyspace();
  cql("CREATE TABLE " + keyspace_ +
      ".users (id uuid, day int, first_name text, post_code text, age text, extra blob, PRIMARY KEY (id, day)) "
      "WITH CLUSTERING ORDER BY (day ASC)");
  model::TableDef def = table("users",
                              {{"id", type_of(TypeId::kUuid)},
                               {"day", type_of(TypeId::kInteger)},
                               {"first_name", type_of(TypeId::kText)},
                               {"postcode", type_of(TypeId::kText)},
                               {"age", type_of(TypeId::kBigint)}},
                              {0});
  def.clustering = {{1, true}};
  auto declared = tables_->declare(def);
  ASSERT_FALSE(declared);
  EXPECT_EQ(declared.error().code, Errc::kFailedPrecondition);
  for (std::string_view part : {"column postcode text is missing (did you mean post_code? The table has post_code text)",
                                "column age", "its clustering key is (day), declared is (day desc)"})
    EXPECT_NE(declared.error().message.find(part), std::string::npos) << declared.error().message;
  EXPECT_NE(declared.error().hint.find("ALTER TABLE " + keyspace_ + ".users ADD postcode text"), std::string::npos)
      << declared.error().hint;
  def.clustering = {{1, false}};
  def.schema.fields.erase(def.schema.fields.begin() + 3, def.schema.fields.end());
  EXPECT_TRUE(tables_->declare(def));
}

TEST_P(CassandraReal, ATableThatIsDroppedMeanwhileIsNamed) {
  model::TableDef def = people();
  ASSERT_TRUE(tables_->declare(def));
  auto out = sink(def);
  ASSERT_NE(out, nullptr);
  write(*out, def, {{"a", "1", "x"}});
  cql("DROP TABLE " + def.name);
  auto staged = out->stage(batch_of(def.schema, {{"a", "1", "x"}}), {origin(1)}, false);
  ASSERT_TRUE(staged);
  store::Batch batch;
  Status committed = out->commit({2, {}}, batch);
  ASSERT_FALSE(committed);
  EXPECT_EQ(committed.error().code, Errc::kFailedPrecondition) << committed.error().message;
  EXPECT_NE(committed.error().message.find("table " + def.name + " in Cassandra was dropped or changed while query q writes"),
            std::string::npos)
      << committed.error().message;
  out->abandon();
  // Made again, it is written into again: the statements are prepared anew.
  ASSERT_TRUE(tables_->declare(def));
  auto again = sink(def);
  write(*again, def, {{"a", "1", "x"}});
  EXPECT_EQ(rows(def).size(), 1u);
}

TEST_P(CassandraReal, ManyRowsOfManyPartitionsAreAllThere) {
  model::TableDef def = people();
  ASSERT_TRUE(tables_->declare(def));
  auto out = sink(def);
  ASSERT_NE(out, nullptr);
  constexpr size_t kRows = 20'000;
  for (size_t from = 0; from < kRows; from += 2000) {
    std::vector<Cells> cells;
    for (size_t i = from; i < from + 2000; ++i)
      cells.push_back({"p" + std::to_string(i % 7000), std::to_string(i), "name " + std::to_string(i)});
    write(*out, def, cells);
  }
  std::vector<std::string> all = rows(def);
  EXPECT_EQ(all.size(), kRows);
  EXPECT_EQ(std::unique(all.begin(), all.end()), all.end());
  EXPECT_EQ(rows(def, {{"id", port::KeyPredicate::Op::kEq, "p17"}}),
            (std::vector<std::string>{R"({"id":"p17","n":14017,"name":"name 14017"})", R"({"id":"p17","n":17,"name":"name 17"})",
                                      R"({"id":"p17","n":7017,"name":"name 7017"})"}));
  EXPECT_EQ(rows(def, {{"id", port::KeyPredicate::Op::kEq, "p17"}, {"n", port::KeyPredicate::Op::kEq, "17"}}).size(), 1u);
}

INSTANTIATE_TEST_SUITE_P(Modes, CassandraReal,
                         testing::Values(std::map<std::string, std::string>{},
                                         std::map<std::string, std::string>{{"protocol", "4"}, {"compression", "lz4"}},
                                         std::map<std::string, std::string>{{"compression", "lz4"}, {"nulls", "unset"}}),
                         [](const auto& info) { return "mode" + std::to_string(info.index); });

}  // namespace
}  // namespace millrace::connect::cassandra
