#include "stream/plan/query_plan.h"

#include <gtest/gtest.h>

#include <memory>

#include "sql/duck_engine.h"

namespace millrace::stream::plan {
namespace {

using format::Json;

class QueryPlanTest : public testing::Test {
 protected:
  static void SetUpTestSuite() { engine_ = std::move(sql::DuckEngine::open({}).value()); }
  static void TearDownTestSuite() { engine_.reset(); }

  static Json tree(const std::string& sql) {
    auto text = engine_->syntax_tree(sql);
    EXPECT_TRUE(text) << sql << ": " << text.error().message;
    return format::parse_json(text.value(), {.depth_max = 1500, .bytes_max = 64 << 20}).value();
  }

  static TopicShape users() {
    TopicShape topic;
    topic.id = parse_uuid("00112233-4455-6677-8899-aabbccddeeff").value();
    topic.name = "users";
    topic.schema = engine_
                       ->parse_columns(
                           "id uuid, email text, name STRUCT(\"first\" text, \"last\" text), "
                           "location STRUCT(street STRUCT(number int, name text), city text), tags text[], n int, ts timestamptz")
                       .value();
    topic.metadata =
        engine_->parse_columns("_key text, _value text, _offset bigint, _partition int, _timestamp timestamptz").value();
    return topic;
  }

  static PlanOptions options() {
    PlanOptions options;
    options.volatile_functions = engine_->volatile_functions();
    options.aggregate_functions = engine_->aggregate_functions();
    return options;
  }

  static Result<QueryPlan> plan(const std::string& sql) { return plan_query(tree(sql), sql, users(), options()); }

  static std::string rewritten(const std::string& sql) {
    auto planned = plan(sql);
    if (!planned) return "error: " + planned.error().message;
    return engine_->statement_from_tree(to_json(planned->tree)).value();
  }

  /// `a, b.c` of what the query reads.
  static std::string needed(const std::string& sql) {
    auto planned = plan(sql);
    if (!planned) return "error: " + planned.error().message;
    std::string out;
    for (const ColumnPath& path : planned->needed) {
      if (!out.empty()) out += ", ";
      for (size_t i = 0; i < path.size(); ++i) out += (i > 0 ? "." : "") + path[i];
    }
    return out;
  }

  static inline std::unique_ptr<sql::DuckEngine> engine_;
};

TEST_F(QueryPlanTest, RefusesWhatNeedsStateOrASecondInputWithItsPlace) {
  const std::pair<const char*, const char*> cases[] = {
      {"SELECT count(*) FROM users", "LINE 1:8: count(*) is an aggregate and needs state, which comes in a later version"},
      {"SELECT\n  max(n) FROM users", "LINE 2:3: max() is an aggregate and needs state, which comes in a later version"},
      {"SELECT upper(string_agg(email)) AS e FROM users",
       "LINE 1:14: string_agg() is an aggregate and needs state, which comes in a later version"},
      {"SELECT n FROM users GROUP BY n", "LINE 1:30: GROUP BY needs state, which comes in a later version"},
      {"SELECT n FROM users GROUP BY ALL", "GROUP BY needs state, which comes in a later version"},
      {"SELECT DISTINCT n FROM users", "DISTINCT needs state, which comes in a later version"},
      {"SELECT n FROM users HAVING n > 1", "HAVING needs aggregates, which come in a later version"},
      {"SELECT n FROM users QUALIFY row_number() OVER () = 1", "QUALIFY needs window functions, which come in a later version"},
      {"SELECT row_number() OVER () AS r FROM users", "LINE 1:8: window functions (OVER) come in a later version"},
      {"SELECT n FROM users ORDER BY n", "ORDER BY has no meaning in a query that never ends"},
      {"SELECT n FROM users LIMIT 1", "LIMIT and OFFSET have no meaning in a query that never ends"},
      {"SELECT n FROM users LIMIT 10%", "LIMIT and OFFSET have no meaning in a query that never ends"},
      {"SELECT n FROM users UNION ALL SELECT n FROM users", "UNION of queries comes in a later version"},
      {"SELECT n FROM users EXCEPT SELECT n FROM users", "EXCEPT of queries comes in a later version"},
      {"WITH a AS (SELECT 1) SELECT n FROM users", "WITH (common table expressions) comes in a later version"},
      {"SELECT n FROM (SELECT n FROM users)", "subqueries in FROM come in a later version"},
      {"SELECT n FROM users WHERE n IN (SELECT 1)", "subqueries come in a later version"},
      {"SELECT (SELECT 1) AS a FROM users", "LINE 1:8: subqueries come in a later version"},
      {"SELECT n FROM users WHERE EXISTS (SELECT 1)", "subqueries come in a later version"},
      {"SELECT n FROM users, users AS b", "joins and lookups come in a later version"},
      {"SELECT n FROM users JOIN t USING (id)", "joins and lookups come in a later version"},
      {"SELECT n FROM read_csv('/etc/passwd')",
       "the table function read_csv() cannot stand in FROM of a query: it reads a topic"},
      {"SELECT n FROM TUMBLE(users, event_time, INTERVAL 1 MINUTE)", "TUMBLE: windowed queries come in a later version"},
      {"SELECT n FROM session(users, event_time, INTERVAL 1 MINUTE)", "SESSION: windowed queries come in a later version"},
      {"SELECT n FROM users TABLESAMPLE 10%", "TABLESAMPLE is not deterministic"},
      {"SELECT n FROM ks.users", "'ks.users' has two parts, and a query reads one topic, not a table"},
      {"SELECT n FROM users AS u(a)", "a topic's columns cannot be renamed in FROM"},
      {"SELECT 1", "the query has no FROM: it must read a topic"},
      {"VALUES (1)", "VALUES is no topic: a query reads FROM one"},
      {"SELECT n FROM users; SELECT n FROM users", "a query is one SELECT, and here are several statements"},
      {"", "the query is empty"},
      {"SELECT COLUMNS(*) FROM users", "COLUMNS(…) comes in a later version"},
      {"SELECT * RENAME (n AS m) FROM users", "`* RENAME` comes in a later version"},
      {"SELECT n FROM users WHERE n = $1", "a query has no parameters ($1 or ?)"},
      {"SELECT nextval('s') AS a FROM users", "LINE 1:8: nextval() gives another result in a replay"},
      {"SELECT uuidv7() AS a FROM users", "uuidv7() gives another result in a replay"},
      {"SELECT age(ts) AS a FROM users", "age() of one argument counts from today, which is another day in a replay"},
      {"SELECT n FROM other", "LINE 1:15: there is no topic 'other'"},
      {"SELECT * EXCLUDE (x) FROM users", "EXCLUDE names 'x', which is no column here"},
      {"SELECT email.* FROM users", "'email.*' names neither the topic nor a column with fields"},
      {"SELECT CAST(uuid() AS text) FROM users", "an expression with uuid(), random(), now() or event_time needs a name"},
      {"SELECT list_transform(tags, lambda t: uuid()) AS a FROM users", "cannot stand in a lambda"},
      {"SELECT row(setseed(0.5)) -> 'x' AS a FROM users", "gives another result in a replay"},
      {"SELECT uuid() AS id, unnest(tags, recursive := true) AS t FROM users", "beside a recursive UNNEST"},
      {"SELECT n FROM users WHERE unnest(tags) = 'a'", "UNNEST can only stand in the select list"},
  };
  for (const auto& [sql, message] : cases) {
    auto planned = plan(sql);
    ASSERT_FALSE(planned) << sql;
    EXPECT_NE(planned.error().message.find(message), std::string::npos) << sql << "\n  said: " << planned.error().message;
  }
}

TEST_F(QueryPlanTest, RewritesToADeterministicStatementWithTheRowNumber) {
  const std::pair<const char*, const char*> cases[] = {
      {"SELECT n FROM users", "SELECT n, __row FROM users"},
      {"SELECT u.n + 1 AS m FROM users AS u WHERE u.n > 2", "SELECT (u.n + 1) AS m, __row FROM users AS u WHERE (u.n > 2)"},
      {"FROM users", "SELECT id, email, \"name\", \"location\", tags, n, ts, __row FROM users"},
      {"SELECT * EXCLUDE (tags, name, location, ts, id) REPLACE (n + 1 AS n) FROM users",
       "SELECT email, (n + 1) AS n, __row FROM users"},
      {"SELECT name.* FROM users", "SELECT \"name\".\"first\", \"name\".\"last\", __row FROM users"},
      {"SELECT now() FROM users", "SELECT _timestamp AS \"now()\", __row FROM users"},
      {"SELECT current_date AS d, current_timestamp FROM users",
       "SELECT CAST(_timestamp AS DATE) AS d, _timestamp AS current_timestamp, __row FROM users"},
      {"SELECT event_time FROM users WHERE event_time > ts",
       "SELECT _timestamp AS event_time, __row FROM users WHERE (_timestamp > ts)"},
      {"SELECT uuid() AS id FROM users",
       "SELECT millrace_uuid(CAST('00112233-4455-6677-8899-aabbccddeeff' AS UUID), _partition, _offset, 0, 0) AS id, __row FROM "
       "users"},
      {"SELECT n, random() AS r FROM users WHERE random() < 0.5",
       "SELECT n, millrace_random(CAST('00112233-4455-6677-8899-aabbccddeeff' AS UUID), _partition, _offset, 0, 0) AS r, __row "
       "FROM users "
       "WHERE (millrace_random(CAST('00112233-4455-6677-8899-aabbccddeeff' AS UUID), _partition, _offset, 1, 0) < 0.5)"},
      {"SELECT unnest(tags) AS t, uuid() AS id FROM users",
       "SELECT unnest(tags) AS t, millrace_uuid(CAST('00112233-4455-6677-8899-aabbccddeeff' AS UUID), _partition, _offset, 0, "
       "unnest(\"range\"(len(tags)))) AS id, __row FROM users"},
      {"SELECT error('bad') AS e FROM users", "SELECT \"error\"('bad') AS e, __row FROM users"},
  };
  for (const auto& [sql, expected] : cases) EXPECT_EQ(rewritten(sql), expected) << sql;
}

TEST_F(QueryPlanTest, NamesWhatIsRead) {
  const std::pair<const char*, const char*> cases[] = {
      {"SELECT 1 AS one FROM users", ""},
      {"SELECT n FROM users", "n"},
      {"SELECT N, USERS.Email FROM users", "email, n"},
      {"SELECT name.first, NAME.\"Last\" FROM users", "name.first, name.last"},
      {"SELECT name, name.first FROM users", "name"},
      {"SELECT location.street.number FROM users WHERE u.x IS NULL AND users.location.city = 'a'",
       "location.street.number, location.city"},
      {"SELECT (location).city FROM users", "location"},
      {"SELECT * FROM users", "id, email, name, location, tags, n, ts"},
      {"SELECT name.* FROM users", "name.first, name.last"},
      {"SELECT _offset, n, _key FROM users", "n, _key, _offset"},
      {"SELECT list_transform(tags, lambda n: n || email) AS x FROM users", "email, tags"},
      {"SELECT [t || id::text FOR t IN tags IF t > email] AS x FROM users", "id, email, tags"},
      {"SELECT list_reduce(tags, lambda n, ts: n || ts) AS x FROM users", "tags"},
      {"SELECT email -> '$.x' AS x FROM users", "email"},
      {"SELECT json(email) -> '$.x' AS x FROM users", "email"},
      {"SELECT n + 1 AS m, m * 2 AS k FROM users", "n"},
      {"SELECT uuid() AS id FROM users", "_offset, _partition"},
      {"SELECT now() AS t FROM users", "_timestamp"},
      {"SELECT CASE WHEN n > 1 THEN email ELSE name.first END AS x FROM users WHERE ts BETWEEN '2020-01-01' AND now()",
       "email, name.first, n, ts, _timestamp"},
      {"SELECT {'a': n, 'b': [email]} AS s, tags[1:2] AS t, TRY_CAST(email AS int) AS i FROM users", "email, tags, n"},
  };
  for (const auto& [sql, expected] : cases) EXPECT_EQ(needed(sql), expected) << sql;
}

TEST_F(QueryPlanTest, EventTimeIsTheTopicsExpression) {
  TopicShape topic = users();
  topic.event_time = tree("SELECT coalesce(ts, _timestamp)");
  std::string sql = "SELECT n, event_time AS t FROM users WHERE event_time > '2020-01-01'";
  auto planned = plan_query(tree(sql), sql, topic, options());
  ASSERT_TRUE(planned) << planned.error().message;
  EXPECT_EQ(engine_->statement_from_tree(to_json(planned->tree)).value(),
            "SELECT n, COALESCE(ts, _timestamp) AS t, __row FROM users WHERE (COALESCE(ts, _timestamp) > '2020-01-01')");
  topic.event_time = tree("SELECT event_time");
  EXPECT_FALSE(plan_query(tree(sql), sql, topic, options()));
}

TEST_F(QueryPlanTest, AColumnNamedEventTimeIsItself) {
  TopicShape topic = users();
  topic.schema.fields.push_back({"event_time", {model::TypeId::kText, 0, 0, {}}});
  std::string sql = "SELECT event_time FROM users";
  EXPECT_EQ(plan_query(tree(sql), sql, topic, options())->needed, std::vector<ColumnPath>{{"event_time"}});
}

TEST_F(QueryPlanTest, TheRowCanBeADelete) {
  PlanOptions with_delete = options();
  with_delete.delete_when = tree("SELECT n IS NULL OR gone");
  std::string sql = "SELECT email, n = 0 AS gone FROM users";
  auto planned = plan_query(tree(sql), sql, users(), with_delete);
  ASSERT_TRUE(planned) << planned.error().message;
  EXPECT_EQ(engine_->statement_from_tree(to_json(planned->tree)).value(),
            "SELECT email, (n = 0) AS gone, __row, CAST(((n IS NULL) OR gone) AS BOOLEAN) AS __delete FROM users");
}

TEST_F(QueryPlanTest, AContractNamesTheFirstBrokenRule) {
  std::string sql = contract_query("users", {{"shape", "email LIKE '%@%' -- as seen"}, {"it's", "n > 0"}});
  PlanOptions first = options();
  first.row_first = true;
  auto planned = plan_query(tree(sql), sql, users(), first);
  ASSERT_TRUE(planned) << planned.error().message;
  EXPECT_EQ(planned->needed, (std::vector<ColumnPath>{{"email"}, {"n"}}));
  std::string statement = engine_->statement_from_tree(to_json(planned->tree)).value();
  EXPECT_TRUE(statement.starts_with("SELECT __row, CASE ")) << statement;
  EXPECT_NE(statement.find("'it''s'"), std::string::npos) << statement;
  auto input = std::make_shared<const model::Schema>(input_schema(users(), planned->needed));
  EXPECT_TRUE(engine_->compile(statement, {"users", input}));
}

TEST_F(QueryPlanTest, TheInputIsCutDownToWhatIsNeeded) {
  TopicShape topic = users();
  EXPECT_EQ(to_sql(input_schema(topic, {{"location", "street", "name"}, {"location", "city"}, {"n"}, {"_offset"}})),
            "\"location\" STRUCT(\"street\" STRUCT(\"name\" VARCHAR), \"city\" VARCHAR), \"n\" INTEGER, \"_offset\" BIGINT");
  EXPECT_EQ(to_sql(input_schema(topic, {})), "\"_offset\" BIGINT");
  EXPECT_EQ(merge_needed(topic, {{"name", "last"}, {"_key"}}, {{"name"}, {"email"}}),
            (std::vector<ColumnPath>{{"email"}, {"name"}, {"_key"}}));
}

TEST_F(QueryPlanTest, TopicOfSaysWhatIsRead) {
  EXPECT_EQ(topic_of(tree("SELECT n FROM \"a.b\" AS x")).value(), "a.b");
  EXPECT_FALSE(topic_of(tree("SELECT 1")));
  EXPECT_FALSE(topic_of(format::parse_json("{}").value()));
  EXPECT_FALSE(topic_of(format::parse_json(R"({"statements":[{}]})").value()));
}

/// Every plan runs as it is written, over nothing but what it says it needs.
TEST_F(QueryPlanTest, RewrittenStatementsCompileOverTheirInput) {
  for (const char* sql : {
           "SELECT * FROM users",
           "SELECT u.name.first AS f, upper(u.location.street.name) AS s, u._offset FROM users u WHERE u.n IN (1, 2) OR u.email "
           "ILIKE 'a%'",
           "SELECT uuid() AS a, gen_random_uuid() AS b, random() AS c, now() AS d, today() AS e, localtime AS f, "
           "current_localtimestamp() AS g FROM users",
           "SELECT unnest(tags) AS t, unnest([n, n + 1]) AS k, uuid() AS id FROM users",
           "SELECT name.*, unnest(name), uuid() AS id FROM users",
           "SELECT [x || 'a' FOR x IN tags IF x <> ''] AS l, list_filter(tags, lambda x, i: i > 1) AS m FROM users",
           "SELECT ts AT TIME ZONE 'Europe/Berlin' AS local, date_trunc('day', ts) AS day, extract(year FROM ts) AS y, ts - "
           "INTERVAL 1 DAY AS i FROM users",
           "SELECT CASE n WHEN 1 THEN 'a' ELSE 'b' END AS c, coalesce(email, '') AS d, n BETWEEN 1 AND 2 AS e, n::DECIMAL(10, 2) "
           "AS f FROM users",
           "SELECT email ->> '$.x' AS x, md5(email) AS h, regexp_matches(email, '^a') AS m, {'k': n}.k AS k, struct_pack(a := n) "
           "AS p FROM users",
           "SELECT 'é' AS a, 123456789012345678901234567890 AS b, 1e300 AS c, '\\x00'::BLOB AS d, 1.50 AS e, NULL AS f, true AS "
           "g FROM users",
       }) {
    auto planned = plan(sql);
    ASSERT_TRUE(planned) << sql << ": " << planned.error().message;
    std::string statement = engine_->statement_from_tree(to_json(planned->tree)).value();
    auto input = std::make_shared<const model::Schema>(input_schema(users(), planned->needed));
    auto compiled = engine_->compile(statement, {"users", input});
    ASSERT_TRUE(compiled) << statement << ": " << compiled.error().message;
    EXPECT_EQ((*compiled)->output()->fields.back().name, "__row") << sql;
  }
}

}  // namespace
}  // namespace millrace::stream::plan
