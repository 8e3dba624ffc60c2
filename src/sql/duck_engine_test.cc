#include "sql/duck_engine.h"

#include <gtest/gtest.h>

#include <numeric>

#include "model/column_builder.h"

namespace millrace::sql {
namespace {

using model::BatchBuilder;
using model::ColumnBatch;
using model::Schema;
using model::TypeId;

class DuckEngineTest : public testing::Test {
 protected:
  std::unique_ptr<DuckEngine> engine_ = std::move(DuckEngine::open({}).value());

  std::shared_ptr<const Schema> schema(const std::string& columns) {
    auto parsed = engine_->parse_columns(columns);
    EXPECT_TRUE(parsed) << columns << ": " << parsed.error().message;
    return std::make_shared<const Schema>(parsed.value());
  }
  std::unique_ptr<port::CompiledQuery> compile(const std::string& sql, std::shared_ptr<const Schema> input) {
    auto query = engine_->compile(sql, {"t", std::move(input)});
    EXPECT_TRUE(query) << sql << ": " << query.error().message;
    return std::move(query.value());
  }
  std::string error_of(const std::string& sql, const std::string& columns = "a int, b text") {
    auto query = engine_->compile(sql, {"t", schema(columns)});
    return query ? "compiles" : query.error().message;
  }
};

ColumnBatch numbers(std::shared_ptr<const Schema> schema, size_t rows) {
  BatchBuilder builder(std::move(schema));
  for (size_t i = 0; i < rows; ++i) {
    if (i % 7 == 3) {
      builder.column(0).append_null();
    } else {
      builder.column(0).append(static_cast<int32_t>(i));
    }
    builder.column(1).append_text(i % 2 == 0 ? "short" : "a text that is longer than what stands inside " + std::to_string(i));
  }
  return std::move(builder).finish();
}

TEST_F(DuckEngineTest, RowsGoThroughInOrderWithTheirNumbersWhereverTheSliceBegins) {
  auto input = schema("a int, b text");
  ColumnBatch batch = numbers(input, 10'000);
  auto query = compile("SELECT b, a, __row FROM t WHERE a IS NULL OR a % 2 = 1", input);
  for (auto [first, count] : {std::pair<size_t, size_t>{0, 10'000},
                              {1, 1},
                              {3, 1},
                              {63, 65},
                              {64, 64},
                              {2047, 2},
                              {2048, 4096},
                              {77, 5001},
                              {9999, 1},
                              {5, 0}}) {
    auto out = query->run(batch, first, count);
    ASSERT_TRUE(out) << out.error().message;
    std::vector<int64_t> rows;
    for (const ColumnBatch& one : *out) {
      for (size_t i = 0; i < one.rows; ++i) {
        auto row = static_cast<size_t>(one.columns[2].at<int64_t>(i));
        rows.push_back(static_cast<int64_t>(row));
        EXPECT_EQ(one.columns[0].text(i), batch.columns[1].text(row));
        ASSERT_EQ(one.columns[1].is_null(i), batch.columns[0].is_null(row)) << row;
        if (!one.columns[1].is_null(i)) EXPECT_EQ(one.columns[1].at<int32_t>(i), static_cast<int32_t>(row));
      }
    }
    std::vector<int64_t> expected;
    for (size_t i = first; i < first + count; ++i) {
      if (i % 7 == 3 || i % 2 == 1) expected.push_back(static_cast<int64_t>(i));
    }
    EXPECT_EQ(rows, expected) << first << "+" << count;
  }
}

TEST_F(DuckEngineTest, EveryTypeGoesInAndOut) {
  struct Case {
    const char* type;
    const char* values;  // of a SELECT that makes the column
  };
  const Case cases[] = {
      {"BOOLEAN", "(true), (NULL), (false)"},
      {"TINYINT", "(-128), (NULL), (127)"},
      {"SMALLINT", "(-32768), (NULL), (32767)"},
      {"INTEGER", "(-2147483648), (NULL), (7)"},
      {"BIGINT", "(-9223372036854775808), (NULL), (7)"},
      {"HUGEINT", "(-170141183460469231731687303715884105727), (NULL), (1)"},
      {"UTINYINT", "(255), (NULL), (0)"},
      {"USMALLINT", "(65535), (NULL), (0)"},
      {"UINTEGER", "(4294967295), (NULL), (0)"},
      {"UBIGINT", "(18446744073709551615), (NULL), (0)"},
      {"FLOAT", "('1.5'), (NULL), ('-inf')"},
      {"DOUBLE", "('1e300'), (NULL), ('nan')"},
      {"DECIMAL(4,1)", "(-999.9), (NULL), (0)"},
      {"DECIMAL(9,2)", "(-9999999.99), (NULL), (0)"},
      {"DECIMAL(18,3)", "(123456789012345.678), (NULL), (0)"},
      {"DECIMAL(38,10)", "(1234567890123456789012345678.0123456789), (NULL), (0)"},
      {"VARCHAR", "(''), (NULL), ('exactly12ch.'), ('thirteen char'), ('ünïcödé text of some length')"},
      {"BLOB", "('\\x00\\xFF'), (NULL), ('\\x00 a blob that is longer than twelve \\xFE')"},
      {"UUID", "('00112233-4455-6677-8899-aabbccddeeff'), (NULL), ('ffffffff-ffff-ffff-ffff-ffffffffffff')"},
      {"DATE", "('0001-01-01'), (NULL), ('9999-12-31')"},
      {"TIME", "('00:00:00'), (NULL), ('23:59:59.999999')"},
      {"TIMESTAMP", "('1969-12-31 23:59:59.999999'), (NULL), ('2026-01-01')"},
      {"TIMESTAMP WITH TIME ZONE", "('2026-01-01 00:00:00+02'), (NULL), ('1900-01-01')"},
      {"INTERVAL", "(INTERVAL '1 month 2 days 3 seconds'), (NULL)"},
      {"INTEGER[]", "([1, NULL, 3]), (NULL), ([]), ([4])"},
      {"VARCHAR[][]", "([['a text of more than twelve', NULL], NULL, []]), (NULL), ([['b']])"},
      {"STRUCT(\"a\" INTEGER, \"b c\" STRUCT(\"d\" VARCHAR, \"e\" UUID))",
       "({'a': 1, 'b c': {'d': 'x', 'e': NULL}}), (NULL), ({'a': NULL, 'b c': NULL})"},
      {"STRUCT(\"a\" INTEGER[])[]", "([{'a': [1, 2]}, NULL, {'a': NULL}]), (NULL), ([]), ([{'a': []}])"},
  };
  for (const Case& one : cases) {
    // Out of DuckDB, into DuckDB again, and DuckDB compares: the second statement gives the rows that changed.
    std::string type(one.type);
    auto none = schema("x int");
    BatchBuilder row(none);
    row.column(0).append(int32_t{1});
    auto make =
        compile("SELECT v::" + type + " AS v, row_number() OVER () AS i FROM (VALUES " + one.values + ") AS data(v)", none);
    ASSERT_EQ(to_sql(make->output()->fields[0].type), type);
    auto made = make->run(std::move(row).finish(), 0, 1);
    ASSERT_TRUE(made) << type << ": " << made.error().message;
    ASSERT_EQ(made->size(), 1u);

    auto compare = compile("SELECT v, i FROM t WHERE v IS DISTINCT FROM (SELECT w::" + type +
                               " FROM (SELECT w, row_number() OVER () AS j FROM (VALUES " + std::string(one.values) +
                               ") AS data(w)) WHERE j = i)",
                           make->output());
    auto changed = compare->run((*made)[0], 0, (*made)[0].rows);
    ASSERT_TRUE(changed) << type << ": " << changed.error().message;
    EXPECT_TRUE(changed->empty()) << type;

    auto through = compile("SELECT v, __row FROM t", make->output());
    auto last = through->run((*made)[0], 1, (*made)[0].rows - 1);
    ASSERT_TRUE(last) << type << ": " << last.error().message;
    EXPECT_TRUE((*last)[0].columns[0].is_null(0)) << type;
    EXPECT_EQ((*last)[0].columns[1].at<int64_t>(0), 1);
  }
}

TEST_F(DuckEngineTest, ResultsOutliveTheQueryAndTheEngine) {
  auto input = schema("a int, b text");
  std::vector<ColumnBatch> out;
  {
    auto batch = numbers(input, 3);
    auto query = compile("SELECT b || '!' AS b, [b, b] AS l FROM t", input);
    out = std::move(query->run(batch, 0, 3).value());
  }
  engine_.reset();
  EXPECT_EQ(out.at(0).columns[0].text(1), "a text that is longer than what stands inside 1!");
  EXPECT_EQ(out.at(0).columns[1].children[0].text(3), "a text that is longer than what stands inside 1");
}

TEST_F(DuckEngineTest, ConstantAndRepeatedValuesAreFlat) {
  auto input = schema("a int, b text");
  auto batch = numbers(input, 5000);
  auto out = compile("SELECT 'the same text for all' AS c, 42 AS n, NULL::int AS z, {'k': 1} AS s FROM t", input)
                 ->run(batch, 0, 5000)
                 .value();
  size_t rows = 0;
  for (const ColumnBatch& one : out) {
    for (size_t i = 0; i < one.rows; ++i, ++rows) {
      ASSERT_EQ(one.columns[0].text(i), "the same text for all");
      ASSERT_EQ(one.columns[1].at<int32_t>(i), 42);
      ASSERT_TRUE(one.columns[2].is_null(i));
      ASSERT_EQ(one.columns[3].children[0].at<int32_t>(i), 1);
    }
  }
  EXPECT_EQ(rows, 5000u);
}

TEST_F(DuckEngineTest, UnnestGivesSeveralRowsOfOneNumber) {
  auto input = schema("l text[]");
  BatchBuilder builder(input);
  for (size_t length : {2u, 0u, 3u}) {
    for (size_t i = 0; i < length; ++i) builder.column(0).child().append_text("element " + std::to_string(i) + " of the list");
    builder.column(0).finish_list(length);
  }
  ColumnBatch batch = std::move(builder).finish();
  auto query = compile("SELECT unnest(l) AS e, __row FROM t", input);
  auto out = query->run(batch, 1, 2).value();
  ASSERT_EQ(out.at(0).rows, 3u);
  EXPECT_EQ(out[0].columns[1].at<int64_t>(0), 2);
  EXPECT_EQ(out[0].columns[0].text(2), "element 2 of the list");
}

TEST_F(DuckEngineTest, SeededFunctionsFollowFromTheSeedAlone) {
  auto input = schema("p int, o bigint");
  BatchBuilder builder(input);
  for (int64_t i = 0; i < 3000; ++i) {
    builder.column(0).append(static_cast<int32_t>(i % 3));
    builder.column(1).append(i / 3);
  }
  ColumnBatch batch = std::move(builder).finish();
  auto query = compile(
      "SELECT count(DISTINCT u) AS u, count(DISTINCT r) AS r, min(r) >= 0 AND max(r) < 1 AND avg(r) BETWEEN 0.45 AND 0.55 AS "
      "fair, "
      "min(substr(u::text, 15, 1) || (substr(u::text, 20, 1) IN ('8', '9', 'a', 'b'))::text) AS form, min(u)::text AS least FROM "
      "(SELECT "
      "millrace_uuid('00112233-4455-6677-8899-aabbccddeeff'::uuid, p, o, 0, 0) AS u, "
      "millrace_random('00112233-4455-6677-8899-aabbccddeeff'::uuid, p, o, 1, 0) AS r FROM t)",
      input);
  auto out = query->run(batch, 0, 3000).value();
  EXPECT_EQ(out[0].columns[0].at<int64_t>(0), 3000);
  EXPECT_EQ(out[0].columns[1].at<int64_t>(0), 3000);
  EXPECT_TRUE(out[0].columns[2].at<bool>(0));
  EXPECT_EQ(out[0].columns[3].text(0), "4true");
  // Stored rows hold these values: they must never change.
  EXPECT_EQ(out[0].columns[4].text(0), "0046026b-aa0f-4ca1-89d1-93547bcdd349");
}

TEST_F(DuckEngineTest, AnExpressionThatFailsFailsTheRunAndTheNextOneWorks) {
  auto input = schema("a int, b text");
  BatchBuilder builder(input);
  for (const char* text : {"1", "x", "3"}) {
    builder.column(0).append(int32_t{0});
    builder.column(1).append_text(text);
  }
  ColumnBatch batch = std::move(builder).finish();
  auto query = compile("SELECT b::int AS n, __row FROM t", input);
  auto failed = query->run(batch, 0, 3);
  ASSERT_FALSE(failed);
  EXPECT_EQ(failed.error().code, Errc::kInvalidArgument);
  EXPECT_NE(failed.error().message.find("Could not convert string 'x' to INT32"), std::string::npos) << failed.error().message;
  EXPECT_EQ(failed.error().message.find('\n'), std::string::npos);
  auto good = query->run(batch, 2, 1);
  ASSERT_TRUE(good) << good.error().message;
  EXPECT_EQ((*good)[0].columns[0].at<int32_t>(0), 3);
}

TEST_F(DuckEngineTest, CompileSaysWhatIsWrongAndWhere) {
  EXPECT_EQ(error_of("SELECT a,\n  nope FROM t").substr(0, 12), "LINE 2:3: Re");
  EXPECT_EQ(error_of("SELECT a FROM").substr(0, 11), "LINE 1:14: ") << error_of("SELECT a FROM");
  EXPECT_EQ(error_of("SELECT 'ü' AS ü, nope(a) FROM t").substr(0, 11), "LINE 1:18: ")
      << error_of("SELECT 'ü' AS ü, nope(a) FROM t");
  std::string long_line = "SELECT " + std::string(300, ' ') + "a, nope, " + std::string(300, ' ') + "b FROM t";
  EXPECT_EQ(error_of(long_line).substr(0, 12), "LINE 1:311: ") << error_of(long_line);
  EXPECT_EQ(error_of("SELECT a FROM other").substr(0, 10), "LINE 1:15:") << error_of("SELECT a FROM other");
  EXPECT_EQ(error_of("SELECT MAP {a: b} AS m FROM t"),
            "column \"m\": the type MAP is not supported; the nearest is STRUCT(key …, value …)[]");
  EXPECT_EQ(error_of("CREATE TABLE x (a int)"), "a query is a SELECT; this is another statement");
  EXPECT_EQ(error_of("SELECT $1 + a AS x FROM t"), "a query has no parameters ($1 or ?): write the value itself");
  EXPECT_NE(error_of("SELECT a FROM t; SELECT b FROM t"), "compiles");
  EXPECT_NE(error_of(""), "compiles");
  EXPECT_NE(error_of("SELECT * FROM read_csv('/etc/passwd')"), "compiles");
  EXPECT_NE(error_of("COPY t TO '/tmp/x'"), "compiles");
  EXPECT_NE(error_of("SET memory_limit = '1GB'"), "compiles");
}

TEST_F(DuckEngineTest, TextBeyondTheLimitsIsRefusedBeforeItIsParsed) {
  auto repeat = [](const std::string& one, int times) {
    std::string out;
    for (int i = 0; i < times; ++i) out += one;
    return out;
  };
  EXPECT_NE(
      error_of("SELECT " + repeat("(", 10'000) + "a" + repeat(")", 10'000) + " FROM t").find("brackets nest deeper than 200"),
      std::string::npos);
  EXPECT_NE(
      error_of("SELECT " + repeat("abs(", 10'000) + "a" + repeat(")", 10'000) + " FROM t").find("brackets nest deeper than 200"),
      std::string::npos);
  EXPECT_NE(error_of("SELECT '" + std::string(10 << 20, 'x') + "' FROM t").find("bytes; at most"), std::string::npos);
  EXPECT_EQ(error_of("SELECT '\xff' FROM t"), "the statement is not UTF-8");
  EXPECT_EQ(error_of(std::string("SELECT 'a\0b' FROM t", 19)), "the statement has a NUL character");
  EXPECT_NE(error_of("SELECT a" + repeat(".a", 50'000) + " FROM t").find("a dotted name has more parts than 100"),
            std::string::npos);
  EXPECT_NE(error_of("WITH a AS (SELECT 1)" + repeat(", a AS (SELECT 1)", 20'000) + " SELECT a FROM t")
                .find("more common table expressions than 500"),
            std::string::npos);
  // Depth without brackets: DuckDB has a limit of its own.
  for (std::string deep :
       {"SELECT " + repeat("NOT ", 10'000) + "true AS x FROM t", "SELECT " + repeat("- ", 10'000) + "a AS x FROM t",
        "SELECT a" + repeat(" + a", 50'000) + " AS x FROM t", "SELECT a" + repeat("::int", 10'000) + " AS x FROM t",
        "SELECT " + repeat("CASE WHEN true THEN ", 5'000) + "a" + repeat(" END", 5'000) + " AS x FROM t",
        "SELECT a FROM t" + repeat(" UNION ALL SELECT a FROM t", 20'000), "SELECT a" + repeat(".a", 100) + " FROM t",
        "SELECT a FROM t" + repeat(", t", 5'000), "SELECT a FROM t WHERE a = 1" + repeat(" OR a = 1", 2'000)}) {
    error_of(deep);
    auto tree = engine_->syntax_tree(deep);
  }
  EXPECT_EQ(error_of("SELECT a FROM t"), "compiles");
}

TEST_F(DuckEngineTest, WhatEndsTheProcessIsRefusedBeforeItIsPrepared) {
  std::string deep = "'" + std::string(200'000, '[') + std::string(200'000, ']') + "'";
  EXPECT_EQ(error_of("SELECT json_structure(" + deep + ") AS x FROM t"),
            "LINE 1:8: json_structure can end the process on deeply nested values, so it is not available here");
  EXPECT_EQ(engine_->syntax_tree("SELECT b::VARIANT AS x FROM t").error().code, Errc::kPermissionDenied);
  EXPECT_EQ(error_of("EXPLAIN SELECT json_structure(" + deep + ")"), "a query is a SELECT; this is another statement");
}

TEST_F(DuckEngineTest, ParseColumnsReadsAColumnList) {
  EXPECT_EQ(to_sql(*schema("a text, \"B c\" decimal(10,2) -- note")), "\"a\" VARCHAR, \"B c\" DECIMAL(10,2)");
  EXPECT_EQ(to_sql(*schema("d STRUCT(\"first\" text, l int[]), z timestamptz")),
            "\"d\" STRUCT(\"first\" VARCHAR, \"l\" INTEGER[]), \"z\" TIMESTAMP WITH TIME ZONE");
  const std::pair<const char*, const char*> bad[] = {
      {"a map(text, int)", "column \"a\": the type MAP is not supported"},
      {"a int, b enum('x')", "column \"b\": the type ENUM is not supported"},
      {"a int[3]", "column \"a\": the type ARRAY is not supported; the nearest is a list without length: T[]"},
      {"a timestamp_ns", "column \"a\": the type TIMESTAMP_NS is not supported; the nearest is TIMESTAMP (microseconds)"},
      {"a union(x int)", "UNION"},
      {"a bit", "BIT"},
      {"a timetz", "TIME WITH TIME ZONE"},
      {"a struct(x map(int, int))", "column \"a\": field \"x\": the type MAP is not supported"},
      {"a int,\n b nope", "Type with name nope does not exist!"},
      {"a int,\n b (", "LINE 2:4: syntax error"},
      {"a int, a int", "already exists"},
      {"a int); DROP TABLE x; --", "LINE 1:6: ')' has no place in a list of columns"},
      {"a int; b int", "LINE 1:6: ';' has no place"},
      {"", "Table must have at least one column!"},
      {"a", "LINE"},
  };
  for (const auto& [columns, message] : bad) {
    auto parsed = engine_->parse_columns(columns);
    ASSERT_FALSE(parsed) << columns;
    EXPECT_NE(parsed.error().message.find(message), std::string::npos) << columns << ": " << parsed.error().message;
  }
}

TEST_F(DuckEngineTest, TreesAndFunctionNames) {
  std::string tree = engine_->syntax_tree("SELECT a FROM t -- end").value();
  EXPECT_EQ(engine_->statement_from_tree(tree).value(), "SELECT a FROM t");
  EXPECT_EQ(engine_->syntax_tree("SELECT a\n FROM FROM").error().message, "LINE 2:7: syntax error at or near \"FROM\"");
  EXPECT_EQ(engine_->syntax_tree("DROP TABLE x").error().code, Errc::kPermissionDenied);
  EXPECT_FALSE(engine_->statement_from_tree("{}"));
  EXPECT_FALSE(engine_->statement_from_tree("not json"));
  EXPECT_FALSE(engine_->statement_from_tree(R"({"error":false,"statements":[{"node":{"type":"SELECT_NODE"}}]})"));
  EXPECT_TRUE(engine_->volatile_functions().contains("random"));
  EXPECT_TRUE(engine_->volatile_functions().contains("now"));
  EXPECT_FALSE(engine_->volatile_functions().contains("upper"));
  EXPECT_TRUE(engine_->aggregate_functions().contains("count_star"));
}

TEST_F(DuckEngineTest, MemoryHasALimit) {
  auto small = DuckEngine::open({.memory_bytes_max = 32 << 20}).value();
  auto input = schema("a int, b text");
  auto query = small->compile("SELECT list(x.i || repeat('x', 1000)) AS l FROM range(1000000) AS x(i)", {"t", input});
  ASSERT_TRUE(query) << query.error().message;
  auto out = (*query)->run(numbers(input, 1), 0, 1);
  ASSERT_FALSE(out);
  EXPECT_EQ(out.error().code, Errc::kResourceExhausted) << out.error().message;
  EXPECT_TRUE(small->compile("SELECT a FROM t", {"t", input}));
}

TEST_F(DuckEngineTest, ZonesAreBuiltIn) {
  auto input = schema("a timestamptz");
  BatchBuilder builder(input);
  builder.column(0).append(int64_t{1'700'000'000'000'000});
  ColumnBatch batch = std::move(builder).finish();
  auto out =
      compile("SELECT (a AT TIME ZONE 'Europe/Berlin')::text AS b, a::text AS c, date_trunc('day', a)::text AS d FROM t", input)
          ->run(batch, 0, 1)
          .value();
  EXPECT_EQ(out[0].columns[0].text(0), "2023-11-14 23:13:20");
  EXPECT_EQ(out[0].columns[1].text(0), "2023-11-14 22:13:20+00");
  EXPECT_EQ(out[0].columns[2].text(0), "2023-11-14 00:00:00+00");
}

}  // namespace
}  // namespace millrace::sql
