#include <gtest/gtest.h>

#include <map>

#include "format/json_write.h"
#include "model/column_builder.h"
#include "sql/duck_engine.h"

namespace millrace::sql {
namespace {

using model::BatchBuilder;
using model::ColumnBatch;
using model::Schema;
using port::KeyPredicate;

/// A relation over made-up rows that writes down what it is asked for.
class FakeRelation : public port::Relation {
 public:
  FakeRelation(Schema schema, size_t rows) : schema_(std::move(schema)), rows_(rows) {}
  const Schema& schema() const override { return schema_; }

  Result<std::unique_ptr<port::RelationScan>> scan(const port::ScanRequest& request) override {
    asked_columns.clear();
    for (size_t column : request.columns) asked_columns += (asked_columns.empty() ? "" : ",") + schema_.fields[column].name;
    asked_predicates.clear();
    for (const KeyPredicate& one : request.predicates) {
      constexpr const char* kOps[] = {"=", "<", "<=", ">", ">="};
      asked_predicates += (asked_predicates.empty() ? "" : ",") + one.column + kOps[static_cast<int>(one.op)] + one.constant;
    }
    auto columns = std::make_shared<Schema>();
    for (size_t column : request.columns) columns->fields.push_back(schema_.fields[column]);
    return std::make_unique<Scan>(*this, columns);
  }

  std::string asked_columns;
  std::string asked_predicates;
  size_t fail_at = SIZE_MAX;

 private:
  struct Scan : port::RelationScan {
    Scan(FakeRelation& of, std::shared_ptr<const Schema> columns) : relation(of), schema(std::move(columns)) {}
    Result<ColumnBatch> next() override {
      BatchBuilder builder(schema);
      size_t end = std::min(relation.rows_, at + port::kScanRowsMax);
      for (; at < end; ++at) {
        if (at >= relation.fail_at) return fail(Errc::kDataLoss, "offset 7 is gone", "read from a later one");
        for (size_t i = 0; i < schema->fields.size(); ++i) {
          if (schema->fields[i].type.id == model::TypeId::kText) {
            builder.column(i).append_text(schema->fields[i].name + " of the row number " + std::to_string(at));
          } else {
            builder.column(i).append(static_cast<int64_t>(at));
          }
        }
        if (schema->fields.empty()) builder.add_row_without_columns();
      }
      return std::move(builder).finish();
    }
    FakeRelation& relation;
    std::shared_ptr<const Schema> schema;
    size_t at = 0;
  };

  Schema schema_;
  size_t rows_;
};

class FakeCatalog : public port::Catalog {
 public:
  std::map<std::string, std::unique_ptr<FakeRelation>> relations;
  int snapshots = 0;

  std::unique_ptr<port::CatalogSnapshot> snapshot() override {
    ++snapshots;
    return std::make_unique<Snapshot>(*this);
  }

 private:
  struct Snapshot : port::CatalogSnapshot {
    explicit Snapshot(FakeCatalog& of) : catalog(of) {}
    port::Relation* find(std::string_view schema_name, std::string_view name) override {
      std::string full = schema_name.empty() ? std::string(name) : std::string(schema_name) + "." + std::string(name);
      for (auto& [known, relation] : catalog.relations) {
        if (model::same_name(known, full)) return relation.get();
      }
      return nullptr;
    }
    std::vector<std::string> names() override {
      std::vector<std::string> out;
      for (auto& [known, relation] : catalog.relations) out.push_back(known);
      return out;
    }
    FakeCatalog& catalog;
  };
};

class ShellTest : public testing::Test {
 protected:
  ShellTest() {
    add("users", "id bigint, name text, _offset bigint, _key text", 5000);
    add("spark_streams.created_users", "id bigint, email text", 3);
    add("main.t", "id bigint", 2);
    add("temp.t", "id bigint", 4);
    add("keys", "u uuid, d date, ts timestamp, z timestamptz, s text, n int, m decimal(5,1), b boolean, f double", 0);
    add("raw", "_key text, _offset bigint", 1);
  }
  void add(const std::string& name, const std::string& columns, size_t rows) {
    catalog_.relations[name] = std::make_unique<FakeRelation>(engine_->parse_columns(columns).value(), rows);
  }
  FakeRelation& relation(const std::string& name) { return *catalog_.relations.at(name); }

  /// The rows as JSON, or "CODE: message (hint)".
  std::string run(const std::string& sql, Duration time = std::chrono::seconds(60)) {
    std::string out;
    auto on_batch = [&](const ColumnBatch& batch) -> Status {
      for (size_t i = 0; i < batch.rows; ++i) format::append_row_json(out, batch, i);
      return {};
    };
    Status done = engine_->execute(sql, catalog_, {time}, on_batch);
    if (done) return out;
    return std::string(errc_name(done.error().code)) + ": " + done.error().message +
           (done.error().hint.empty() ? "" : " (" + done.error().hint + ")");
  }

  std::unique_ptr<DuckEngine> engine_ = std::move(DuckEngine::open({.memory_bytes_max = 64 << 20}).value());
  FakeCatalog catalog_;
};

TEST_F(ShellTest, ReadsRelationsByOneAndTwoPartNames) {
  const std::pair<const char*, const char*> cases[] = {
      {"SELECT count(*) AS n FROM users", R"({"n":5000})"},
      {"select count(*) as n from Users;", R"({"n":5000})"},
      {"SELECT sum(id) AS s FROM users WHERE id % 2 = 0", R"({"s":6247500})"},
      {"FROM main.t", R"({"id":0}{"id":1})"},
      {"SELECT count(*) AS n FROM temp.t", R"({"n":4})"},
      {"SELECT main.t.id AS a FROM main.t WHERE t.id = 1", R"({"a":1})"},
      {"SELECT max(spark_streams.created_users.email) AS e FROM spark_streams.created_users",
       R"({"e":"email of the row number 2"})"},
      {"SELECT created_users.id AS a, u.name AS b FROM \"spark_streams\".\"created_users\" JOIN users u USING (id) ORDER BY 1 "
       "DESC LIMIT 1",
       R"({"a":2,"b":"name of the row number 2"})"},
      {"SELECT a.id FROM main.t AS a, temp.t AS b WHERE a.id = b.id ORDER BY 1", R"({"id":0}{"id":1})"},
      {"WITH users AS (SELECT 7 AS x) SELECT * FROM users", R"({"x":7})"},
      {"WITH c AS (FROM main.t) SELECT count(*) AS n FROM c", R"({"n":2})"},
      {"WITH RECURSIVE r AS (SELECT 1 AS i UNION ALL SELECT i + 1 FROM r WHERE i < 3) SELECT max(i) AS m FROM r", R"({"m":3})"},
      {"SELECT (SELECT max(id) FROM temp.t) AS m WHERE EXISTS (FROM main.t)", R"({"m":3})"},
      {"FROM main.t UNION ALL FROM main.t ORDER BY id LIMIT 3", R"({"id":0}{"id":0}{"id":1})"},
      {"TABLE raw", R"({"_key":"_key of the row number 0","_offset":0})"},
      {"VALUES (1, 'a')", R"({"col0":1,"col1":"a"})"},
      {"SELECT i FROM range(2) AS r(i)", R"({"i":0}{"i":1})"},
      {"SELECT 1 AS a -- ; the end", R"({"a":1})"},
      {"SELECT ';' AS a /* ; */ ;;", R"({"a":";"})"},
      {"DESCRIBE SELECT id FROM main.t",
       R"({"column_name":"id","column_type":"BIGINT","null":"YES","key":null,"default":null,"extra":null})"},
      {"DESCRIBE main.t", R"({"column_name":"id","column_type":"BIGINT","null":"YES","key":null,"default":null,"extra":null})"},
      {"SELECT column_name FROM (SUMMARIZE main.t)", R"({"column_name":"id"})"},
      {"SELECT id FROM users WHERE id = -1", ""},
  };
  for (const auto& [sql, expected] : cases) EXPECT_EQ(run(sql), expected) << sql;
}

TEST_F(ShellTest, ShowTablesNamesTheCatalog) {
  EXPECT_EQ(
      run("SHOW TABLES"),
      R"({"name":"keys"}{"name":"main.t"}{"name":"raw"}{"name":"spark_streams.created_users"}{"name":"temp.t"}{"name":"users"})");
  EXPECT_TRUE(run("SHOW DATABASES").starts_with("permission_denied: SHOW takes TABLES"));
}

TEST_F(ShellTest, MetadataColumnsComeWhenTheyAreNamed) {
  EXPECT_EQ(run("SELECT * FROM users WHERE id = 1"), R"({"id":1,"name":"name of the row number 1"})");
  EXPECT_EQ(relation("users").asked_columns, "id,name");
  EXPECT_EQ(run("SELECT *, _offset FROM users WHERE _offset = 1"), R"({"id":1,"name":"name of the row number 1","_offset":1})");
  EXPECT_EQ(run("SELECT u.*, u._key FROM users AS u WHERE id = 1"),
            R"({"id":1,"name":"name of the row number 1","_key":"_key of the row number 1"})");
  EXPECT_EQ(run("SELECT * EXCLUDE (id, _offset) FROM users WHERE _offset = 1"), R"({"name":"name of the row number 1"})");
}

TEST_F(ShellTest, OnlyWhatIsNeededIsScanned) {
  run("SELECT name FROM users WHERE id > 4998");
  EXPECT_EQ(relation("users").asked_columns, "id,name");
  run("SELECT count(*) FROM users");
  EXPECT_EQ(relation("users").asked_columns, "");
  EXPECT_EQ(run("SELECT count(users) AS n FROM users"), R"({"n":5000})");
  EXPECT_EQ(run("SELECT count(*) AS n FROM users JOIN main.t USING (id)"), R"({"n":2})");
  EXPECT_EQ(run("SELECT count(*) AS n FROM users NATURAL JOIN main.t"), R"({"n":2})");
  EXPECT_EQ(run("SELECT count(COLUMNS(*)) FROM main.t"), R"({"id":2})");
}

TEST_F(ShellTest, OneStatementReadsOneSnapshot) {
  run("SELECT count(*) FROM users AS a, main.t AS b");
  EXPECT_EQ(catalog_.snapshots, 1);
}

TEST_F(ShellTest, ConjunctsWithConstantsReachTheScan) {
  const std::pair<const char*, const char*> cases[] = {
      {"s = 'x'", "s=x"},
      {"'x' = s AND 3 < n", "s=x,n>3"},
      {"n BETWEEN 1 AND 5", "n>=1,n<=5"},
      {"keys.n >= -2 AND (n < 10 AND b)", "n>=-2,n<10"},
      {"u = '00112233-4455-6677-8899-aabbccddeeff'::uuid", "u=00112233-4455-6677-8899-aabbccddeeff"},
      {"u = '00112233-4455-6677-8899-aabbccddeeff'", "u=00112233-4455-6677-8899-aabbccddeeff"},
      {"d >= DATE '2026-01-01' AND ts < '2026-01-02'", "d>=2026-01-01,ts<2026-01-02"},
      {"z > TIMESTAMPTZ '2026-01-01 00:00:00Z'", "z>2026-01-01 00:00:00Z"},
      {"m = 3", "m=3"},
      // Not the same when the text is read as the column's type, or not a conjunct.
      {"s = 5", ""},
      {"n = 1.5", ""},
      {"n = '5' OR s = 'x'", ""},
      {"f = 1", ""},
      {"NOT (n = 1)", ""},
      {"n <> 1", ""},
      {"n IS NOT DISTINCT FROM 1", ""},
      {"n = NULL", ""},
      {"n + 1 = 2", ""},
      {"TRY_CAST('x' AS int) = n", ""},
      {"lower(s) = 'x'", ""},
  };
  for (const auto& [where, expected] : cases) {
    relation("keys").asked_predicates = "not asked";
    std::string out = run(std::string("SELECT s FROM keys WHERE ") + where);
    EXPECT_EQ(out, "") << where;
    if (relation("keys").asked_predicates == "not asked") continue;  // DuckDB saw that there can be no row
    EXPECT_EQ(relation("keys").asked_predicates, expected) << where;
  }
  run("SELECT * FROM (SELECT * FROM main.t WHERE id = 1) AS a LEFT JOIN users AS b ON b.id = 3 WHERE a.id = 1");
  EXPECT_EQ(relation("main.t").asked_predicates, "id=1");
  EXPECT_EQ(relation("users").asked_predicates, "");
}

TEST_F(ShellTest, ForeignTypesArriveAsText) {
  EXPECT_EQ(run("SELECT MAP {'a': 1} AS m, 1 AS n, '12:00:00+02'::TIMETZ AS t, 1 AS n"),
            R"({"m":"{a=1}","n":1,"t":"12:00:00+02","n_1":1})");
  EXPECT_EQ(run("SELECT [1, 2]::int[2] AS a FROM range(2) ORDER BY 1; -- end"), R"({"a":"[1, 2]"}{"a":"[1, 2]"})");
  EXPECT_EQ(run("SELECT '101'::BIT AS b, 'x'::ENUM('x', 'y') AS e"), R"({"b":"101","e":"x"})");
}

TEST_F(ShellTest, ExplainShowsThePlan) {
  EXPECT_NE(run("EXPLAIN SELECT id FROM users").find("MILLRACE_SCAN"), std::string::npos) << run("EXPLAIN SELECT id FROM users");
  EXPECT_NE(run("explain analyze SELECT count(*) FROM main.t").find("Total Time"), std::string::npos);
  EXPECT_TRUE(run("EXPLAIN").starts_with("invalid_argument"));
  EXPECT_TRUE(run("EXPLAIN DROP TABLE x").starts_with("permission_denied"));
  EXPECT_EQ(run("EXPLAIN SELECT nope FROM users").substr(0, 28), "invalid_argument: LINE 1:16:");
}

TEST_F(ShellTest, OnlyReadingStatementsRun) {
  for (const char* sql : {"INSERT INTO users VALUES (1)",
                          "UPDATE users SET id = 1",
                          "DELETE FROM users",
                          "CREATE TABLE x (a int)",
                          "CREATE TEMP VIEW x AS SELECT 1",
                          "DROP TABLE users",
                          "COPY users TO '/tmp/x.csv'",
                          "COPY (SELECT 1) TO '/tmp/x'",
                          "ATTACH '/tmp/x.db'",
                          "ATTACH ':memory:' AS x",
                          "DETACH x",
                          "USE memory",
                          "INSTALL httpfs",
                          "LOAD httpfs",
                          "PRAGMA database_list",
                          "SET threads = 4",
                          "RESET threads",
                          "CALL pragma_version()",
                          "CHECKPOINT",
                          "VACUUM",
                          "ANALYZE",
                          "BEGIN",
                          "COMMIT",
                          "PREPARE p AS SELECT 1",
                          "EXECUTE p",
                          "DEALLOCATE p",
                          "EXPORT DATABASE 'x'",
                          "IMPORT DATABASE 'x'",
                          "ALTER TABLE users ADD COLUMN x int",
                          "PIVOT users ON id",
                          "WITH a AS (SELECT 1) INSERT INTO users FROM a",
                          "MERGE INTO users USING raw ON true WHEN MATCHED THEN DELETE",
                          "/* x */ dRoP TABLE users",
                          "SELECT * FROM read_csv('/etc/passwd')",
                          "SELECT * FROM read_text('/etc/passwd')",
                          "SELECT * FROM glob('/*')",
                          "SELECT * FROM duckdb_settings()",
                          "SELECT * FROM query('SELECT 1')",
                          "SELECT * FROM query_table(['users'])",
                          "SELECT * FROM millrace_scan(1)",
                          "SELECT * FROM pragma_version()",
                          "SELECT * FROM sniff_csv('/etc/passwd')",
                          "SELECT * FROM parquet_scan('/x')",
                          "FROM duckdb_functions()"}) {
    EXPECT_TRUE(run(sql).starts_with("permission_denied: ")) << sql << ": " << run(sql);
  }
  for (const char* sql : {"SELECT * FROM '/etc/passwd'", "SELECT * FROM \"x.csv\"", "SELECT * FROM information_schema.tables",
                          "SELECT * FROM duckdb_tables", "SELECT * FROM sqlite_master", "FROM pg_catalog.pg_class",
                          "SELECT * FROM memory.main.users"}) {
    EXPECT_TRUE(run(sql).starts_with("not_found: LINE 1:")) << sql << ": " << run(sql);
  }
  EXPECT_TRUE(run("SELECT getenv('HOME')").starts_with("invalid_argument: LINE 1:8")) << run("SELECT getenv('HOME')");
  EXPECT_EQ(
      run("DROP TABLE users"),
      "permission_denied: LINE 1:1: DROP is refused: only statements that read run here: SELECT, WITH, VALUES, FROM, DESCRIBE, "
      "SUMMARIZE, SHOW TABLES, EXPLAIN (take it out of the pipeline file, or use `millrace topic delete`)");
}

TEST_F(ShellTest, ExactlyOneStatement) {
  EXPECT_EQ(run(""), "invalid_argument: the statement is empty");
  EXPECT_EQ(run(" ; -- nothing"), "invalid_argument: the statement is empty");
  EXPECT_EQ(run("SELECT 1;\nSELECT 2"), "invalid_argument: LINE 1:9: several statements at once (run them one by one)");
  EXPECT_TRUE(run("SELECT 1; DROP TABLE users").starts_with("invalid_argument"));
  EXPECT_EQ(run("SELECT $1"), "invalid_argument: the statement has parameters ($1 or ?) (write the values themselves)");
}

TEST_F(ShellTest, ErrorsSayWhereInTheTextAsWritten) {
  EXPECT_EQ(run("SELEC 1"), "invalid_argument: LINE 1:1: syntax error at or near \"SELEC\"");
  EXPECT_EQ(run("SELECT id\nFROM user"), "not_found: LINE 2:6: there is no topic or table 'user' (did you mean 'users'?)");
  EXPECT_EQ(run("FROM created_users"),
            "not_found: LINE 1:6: there is no topic or table 'created_users' (did you mean 'spark_streams.created_users'?)");
  EXPECT_EQ(run("SELECT 1 FROM\n spark_streams.created_users, users\n WHERE nope = 1").substr(0, 35),
            "invalid_argument: LINE 3:8: Referen");
  EXPECT_EQ(run("SELECT a.id, created_users.nope FROM users a, spark_streams.created_users").substr(0, 28),
            "invalid_argument: LINE 1:14:");
  EXPECT_TRUE(run("SELECT name::int FROM users").starts_with("invalid_argument: Could not convert string") ||
              run("SELECT name::int FROM users").starts_with("invalid_argument: LINE 1:"))
      << run("SELECT name::int FROM users");
}

TEST_F(ShellTest, ARelationsOwnErrorComesThrough) {
  relation("users").fail_at = 3000;
  EXPECT_EQ(run("SELECT max(name) FROM users"), "data_loss: offset 7 is gone (read from a later one)");
  EXPECT_EQ(run("SELECT max(email) AS e FROM spark_streams.created_users"), R"({"e":"email of the row number 2"})");
}

TEST_F(ShellTest, ALateStatementIsInterrupted) {
  EXPECT_TRUE(run("SELECT sum(sqrt(a.i * b.i)) FROM range(1000000) a(i), range(1000000) b(i)", std::chrono::milliseconds(30))
                  .starts_with("deadline_exceeded: "));
  EXPECT_TRUE(run("SELECT sum(sqrt(a.i * b.i)) FROM range(1000000) a(i), range(1000000) b(i)", Duration(0))
                  .starts_with("deadline_exceeded: "));
  EXPECT_EQ(run("SELECT 1 AS a"), R"({"a":1})");
}

TEST_F(ShellTest, TooMuchMemoryIsAnErrorAndTheNextStatementRuns) {
  std::string out = run("SELECT list(a.id || repeat('x', 1000)) FROM range(100000) AS a(id)");
  EXPECT_TRUE(out.starts_with("resource_exhausted: the statement needs more memory than ")) << out;
  EXPECT_EQ(run("SELECT 1 AS a"), R"({"a":1})");
}

TEST_F(ShellTest, ALargeResultComesPieceByPieceAndCanBeStopped) {
  size_t batches = 0;
  auto stop = [&](const ColumnBatch&) -> Status {
    if (++batches == 3) return fail(Errc::kCancelled, "the reader went away");
    return {};
  };
  Status done = engine_->execute("SELECT i, repeat('x', 1000) FROM range(100000000) AS r(i)", catalog_, {}, stop);
  ASSERT_FALSE(done);
  EXPECT_EQ(done.error().message, "the reader went away");
  EXPECT_EQ(batches, 3u);
}

TEST_F(ShellTest, WhatEndsTheProcessIsRefused) {
  EXPECT_EQ(
      run("SELECT 1,\n \"JSON_Structure\"(name) FROM users"),
      "permission_denied: LINE 2:2: json_structure can end the process on deeply nested values, so it is not available here "
      "(use ->> or a cast)");
  for (const char* sql :
       {"EXPLAIN SELECT json_merge_patch('1', '2')", "SELECT name::json::VARIANT FROM users",
        "SELECT TRY_CAST(name AS VARIANT[]) FROM users", "SELECT name FROM users ORDER BY from_json(name, '{}')",
        "SELECT 1 FROM range(json_contains('1', '1')::int)", "DESCRIBE SELECT name.json_group_structure() FROM users",
        "WITH a AS (SELECT json_transform(name, '1') FROM users) SELECT 1"}) {
    EXPECT_TRUE(run(sql).starts_with("permission_denied: LINE 1:")) << sql << ": " << run(sql);
  }
  EXPECT_EQ(run("SELECT 1 AS variant, 'json_structure(1) x' AS j"), R"({"variant":1,"j":"json_structure(1) x"})");
}

TEST_F(ShellTest, ConstantsThatAskForEnormousValuesAreRefused) {
  for (const char* sql : {"SELECT repeat('x', 100000000000)", "SELECT lpad('a', 2000000000, 'b')", "SELECT len(range(10000001))"})
    EXPECT_TRUE(run(sql).starts_with("invalid_argument: LINE 1:")) << sql << ": " << run(sql);
  EXPECT_EQ(run("SELECT i FROM range(20000000) AS r(i) LIMIT 1"), R"({"i":0})");
}

TEST_F(ShellTest, AliasesAndQueriesThatDoubleAreRefused) {
  std::string sums = "SELECT 1 AS a0", lists = sums, ones = sums, with = "WITH c0 AS (SELECT 1 AS x)";
  for (int i = 1; i <= 40; ++i) {
    std::string before = "a" + std::to_string(i - 1), here = " AS a" + std::to_string(i);
    sums += ", " + before + " + " + before + here;
    lists += ", [" + before + ", A" + before.substr(1) + "]" + here;
    ones += ", " + before + " + 1" + here;
    std::string query = "c" + std::to_string(i - 1);
    with += ", c" + std::to_string(i) + " AS NOT MATERIALIZED (SELECT a.x FROM " + query + " a, " + query + " b)";
  }
  std::string words = "resource_exhausted: with aliases and WITH queries put in their places ";
  EXPECT_TRUE(run(sums).starts_with(words));
  EXPECT_TRUE(run(lists).starts_with(words));
  EXPECT_TRUE(run(with + " SELECT x FROM c40").starts_with(words));
  EXPECT_TRUE(run("SELECT count(*) AS n FROM (" + sums + ")").starts_with(words));
  EXPECT_TRUE(run(ones).starts_with("{\"a0\":1,"));
}

TEST_F(ShellTest, ColumnsOfOneNameAreTold) {
  EXPECT_EQ(run("SELECT 1 a, 2 a, 3 a_1, 4 a"), R"({"a":1,"a_1":2,"a_1_1":3,"a_2":4})");
}

TEST_F(ShellTest, ErrorsAreInOurWords) {
  EXPECT_EQ(run("SELECT 1e400"),
            "invalid_argument: a number in the statement is too large for DOUBLE, which ends at about 1.8e308");
  std::string deep = "SELECT ";
  for (int i = 0; i < 2000; ++i) deep += "NOT ";
  EXPECT_EQ(run(deep + "true").find("SET "), std::string::npos) << run(deep + "true");
  EXPECT_EQ(run("SELECT list(a.id || repeat('x', 1000)) FROM range(100000) AS a(id)").find("SET "), std::string::npos);
}

TEST_F(ShellTest, AResultWithoutRowsHasColumns) {
  std::string columns;
  auto note = [&](const ColumnBatch& batch) -> Status {
    columns += to_sql(*batch.schema);
    return {};
  };
  ASSERT_TRUE(engine_->execute("SELECT id, {'a': name} AS s FROM users WHERE id < 0", catalog_, {}, note));
  EXPECT_EQ(columns, "\"id\" BIGINT, \"s\" STRUCT(\"a\" VARCHAR)");
}

}  // namespace
}  // namespace millrace::sql
