#include "project/differences.h"

#include <gtest/gtest.h>

#include <sstream>

#include "project/load.h"
#include "project/memory_files.h"

namespace millrace::project {
namespace {

constexpr const char* kRunning = R"(name: x
sources:
  s: { http: { url: "http://h/?token=${A}" }, into: keyed, key: $.id, every: 1s }
topics:
  keyed: { partitions: 4, schema: "a int, b text", retention: { time: 7d } }
  plain: { partitions: 4, schema: a int }
queries:
  simple: { into: k.t, sql: SELECT a FROM keyed }
  windowed: { into: k.w, sql: SELECT count(*) FROM keyed }
tables:
  k.t: { columns: "a int, b text", partition_key: [a], ttl: 30d }
  k.w: { partition_key: [a], clustering: [b desc] }
dags:
  d: { schedule: "@daily", tasks: { t: { exec: [ls] } } }
)";

Project load_one(const std::string& yaml) {
  MemoryFiles files({{"f.yaml", yaml}});
  LoadResult result = load(files, "f.yaml", {{}, {{"A", "a"}, {"B", "b"}}});
  EXPECT_TRUE(result.project.has_value()) << (result.faults.empty() ? "" : to_string(result.faults.front()));
  return result.project.value_or(Project{});
}

/// `name type, …` with the types int, bigint and text.
Result<model::Schema> parse_columns(const std::string& text) {
  model::Schema schema;
  std::istringstream in(text);
  for (std::string column; std::getline(in, column, ',');) {
    std::istringstream words(column);
    std::string name, type;
    words >> name >> type;
    if (type != "int" && type != "bigint" && type != "text") return fail(Errc::kInvalidArgument, "no type " + type);
    model::TypeId id = type == "int" ? model::TypeId::kInteger : type == "bigint" ? model::TypeId::kBigint : model::TypeId::kText;
    schema.fields.push_back({name, model::Type{id, 0, 0, {}}});
  }
  return schema;
}

std::string changes(const Project& running, const Project& wanted) {
  DifferenceRules rules{parse_columns, [](const Query& q) { return q.name == "windowed"; }};
  std::string out;
  for (const Change& c : differences(running, wanted, rules)) {
    EXPECT_FALSE(c.reason.empty());
    out += (c.verdict == Change::Verdict::kLive ? "live " : "refused ") + c.what + "\n";
  }
  return out;
}

/// The changes when each `from` in the running file is replaced by `to`.
std::string after(std::initializer_list<std::pair<std::string, std::string>> edits) {
  std::string yaml = kRunning;
  for (const auto& [from, to] : edits) {
    size_t at = yaml.find(from);
    EXPECT_NE(at, std::string::npos) << from;
    yaml.replace(at, from.size(), to);
  }
  return changes(load_one(kRunning), load_one(yaml));
}

TEST(Differences, NoneBetweenTheSame) { EXPECT_EQ(after({}), ""); }

TEST(Differences, PlacesDoNotCount) { EXPECT_EQ(after({{"name: x\n", "# moved\n\nname: x\n"}}), ""); }

TEST(Differences, OfTopics) {
  EXPECT_EQ(after({{"keyed: { partitions: 4", "keyed: { partitions: 2"}}), "refused topic keyed: partitions 4 -> 2\n");
  EXPECT_EQ(after({{"keyed: { partitions: 4", "keyed: { partitions: 8"}}), "refused topic keyed: partitions 4 -> 8\n");
  EXPECT_EQ(after({{"plain: { partitions: 4", "plain: { partitions: 8"}}), "live topic plain: partitions 4 -> 8\n");
  EXPECT_EQ(after({{"time: 7d", "time: 14d"}}), "live topic keyed: retention.time 7d -> 14d\n");
  EXPECT_EQ(after({{"schema: \"a int, b text\"", "schema: \"a int, b text, c int\""}}), "live topic keyed: schema: with c\n");
  EXPECT_EQ(after({{"schema: \"a int, b text\"", "schema: \"A int\""}}), "live topic keyed: schema: without b\n");
  EXPECT_EQ(after({{"schema: \"a int, b text\"", "schema: \"a bigint, b text\""}}),
            "refused topic keyed: schema: a INTEGER -> BIGINT\n");
  EXPECT_EQ(after({{"schema: \"a int, b text\"", "schema: \"a wrong\""}}), "refused topic keyed: schema changed\n");
  EXPECT_EQ(after({{"plain: { partitions: 4", "plain: { event_time: to_timestamp(a), partitions: 4"}}),
            "refused topic plain: event_time changed\n");
}

TEST(Differences, OfTables) {
  EXPECT_EQ(after({{"[b desc]", "[b]"}}), "refused table k.w: clustering [b desc] -> [b]\n");
  EXPECT_EQ(after({{"columns: \"a int, b text\", partition_key: [a]", "columns: \"a int, b text\", partition_key: [a, b]"}}),
            "refused table k.t: partition_key [a] -> [a, b]\n");
  EXPECT_EQ(after({{"columns: \"a int, b text\"", "columns: \"a int, b text, c int\""}}), "live table k.t: columns: with c\n");
  EXPECT_EQ(after({{"columns: \"a int, b text\"", "columns: \"a int\""}}), "refused table k.t: columns: without b\n");
  EXPECT_EQ(after({{"columns: \"a int, b text\"", "columns: \"a int, b int\""}}),
            "refused table k.t: columns: b VARCHAR -> INTEGER\n");
  EXPECT_EQ(after({{"ttl: 30d", "ttl: 7d"}}), "live table k.t: ttl 30d -> 7d\n");
}

TEST(Differences, OfQueries) {
  EXPECT_EQ(after({{"SELECT a FROM keyed", "SELECT b FROM keyed"}}), "live query simple: sql changed\n");
  EXPECT_EQ(after({{"SELECT count(*) FROM", "SELECT sum(a) FROM"}}), "refused query windowed: sql changed\n");
  EXPECT_EQ(after({{"windowed: {", "windowed: { emit: close,"}}), "refused query windowed: emit, late or lateness changed\n");
  EXPECT_EQ(after({{"simple: { into: k.t", "simple: { into: k.w"}}), "refused query simple: into k.t -> k.w\n");
  EXPECT_EQ(after({{"simple: {", "simple: { on_error: fail,"}}), "live query simple: on_error changed\n");
  EXPECT_EQ(after({{"  simple:", "  other:"}}), "live query other: new\nlive query simple: gone\n");
}

TEST(Differences, OfSourcesAndDags) {
  EXPECT_EQ(after({{"every: 1s", "every: 5s"}}), "live source s: every 1s -> 5s\n");
  EXPECT_EQ(after({{"${A}", "${B}"}}), "live source s: http.url changed\n");
  EXPECT_EQ(after({{"@daily", "@hourly"}}), "live dag d: schedule @daily -> @hourly\n");
  EXPECT_EQ(after({{"[ls]", "[ls, -l]"}}), "live dag d: tasks changed\n");
  EXPECT_EQ(after({{"  d: {", "  e: {"}}), "live dag e: new\nlive dag d: gone\n");
}

TEST(Differences, PartsAreChosenAtStart) {
  Project running = load_one(kRunning);
  Project wanted = running;
  wanted.parts.log.url.value = "kafka://b";
  EXPECT_EQ(changes(running, wanted), "refused log: the URL or its options changed\n");
}

}  // namespace
}  // namespace millrace::project
