#include "project/load.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <filesystem>

#include "project/memory_files.h"

namespace millrace::project {
namespace {

/// `line:column code` of each fault, joined by "; ".
std::string places(const std::vector<Fault>& faults) {
  std::string out;
  for (const Fault& f : faults) out += fmt::format("{}{}:{} {}", out.empty() ? "" : "; ", f.line, f.column, f.code);
  return out;
}

LoadResult load_text(const std::string& yaml, LoadOptions options = {}, std::map<std::string, std::string> files = {}) {
  files["p/f.yaml"] = yaml;
  MemoryFiles in_memory(std::move(files));
  return load(in_memory, "p/f.yaml", options);
}

struct Case {
  std::string_view what;
  std::string_view yaml;
  std::string_view faults;
};

// Each text after its first line "name: x" unless it brings its own.
const Case kCases[] = {
    {"the least", "name: x\n", ""},
    {"empty file", "", "1:1 missing-key"},
    {"only a comment", "# nothing\n", "1:1 missing-key"},
    {"name without value", "name:\n", "1:1 missing-key"},
    {"a list", "- a\n", "1:1 wrong-type"},
    {"a word", "word\n", "1:1 wrong-type"},
    {"number as name", "name: 12\n", ""},
    {"byte order mark and CRLF", "\xef\xbb\xbfname: x\r\ntopics:\r\n  t: { schema: a int }\r\n", ""},
    {"unknown keys at every level", "name: x\ntopic:\n  t:\ntopics:\n  t: { schema: a int, partitons: 4 }\n",
     "2:1 unknown-key; 5:23 unknown-key"},
    {"duplicates", "name: x\ntopics:\n  t: { schema: a int }\n  t: { schema: b int }\nname: y\n",
     "4:3 duplicate-key; 5:1 duplicate-key"},
    {"sections without value", "name: x\ntopics:\nprofiles:\n  dev:\n", ""},
    {"a list for a map", "name: x\ntopics: [a]\n", "2:9 wrong-type"},
    {"a map for a text", "name: {a: b}\n", "1:7 wrong-type"},
    {"numbers",
     "name: x\ntopics:\n  a: { schema: a int, partitions: four }\n  b: { schema: a int, partitions: \"4\" }\n"
     "  c: { schema: a int, partitions: 0 }\n  d: { schema: a int, partitions: 1025 }\n  e: { schema: a int, partitions: 4.0 }\n",
     "3:35 wrong-type; 4:35 wrong-type; 5:35 out-of-range; 6:35 out-of-range; 7:35 wrong-type"},
    {"durations", "name: x\ntopics:\n  a: { schema: a int, watermark: { disorder: 10, idle: -1s } }\n",
     "3:46 bad-duration; 3:56 bad-duration"},
    {"sizes and choices",
     "name: x\ntopics:\n  a: { schema: a int, retention: { size: 1GBit, time: 0s }, compression: zip, sync: never }\n",
     "3:42 bad-size; 3:55 out-of-range; 3:74 bad-choice"},
    {"booleans and times", "name: x\ndags:\n  d: { catchup: yes, start_date: yesterday, tasks: { t: { exec: [a] } } }\n",
     "3:17 wrong-type; 3:34 bad-time"},
    {"end before start", "name: x\ndags:\n  d: { start_date: 2024-01-02, end_date: 2024-01-01, tasks: { t: { exec: [a] } } }\n",
     "3:42 out-of-range"},
    {"bad names",
     "name: x\ntopics:\n  a/b: { schema: a int }\n  ..: { schema: a int }\ntables:\n  plain: { partition_key: [a] }\n  a.b.c: { "
     "partition_key: [a] }\n"
     "  1a.b: { partition_key: [a] }\ndags:\n  ../d: { tasks: { -t: { exec: [a] } } }\n",
     "3:3 bad-name; 4:3 bad-name; 6:3 bad-name; 7:3 bad-name; 8:3 bad-name; 10:3 bad-name; 10:20 bad-name"},
    {"case does not tell relations apart",
     "name: x\ntopics:\n  Users: { schema: a int }\n  users: { schema: a int }\n  dead_letters: { schema: a int }\n",
     "4:3 duplicate-name; 5:3 bad-name"},
    {"source without all", "name: x\nsources:\n  s: { every: 1s }\n", "3:3 missing-key; 3:3 one-of"},
    {"urls",
     "name: x\nsources:\n  a: { into: t, http: { url: ftp://x } }\n  b: { into: t, http: { url: builtin:other } }\n  c: { into: "
     "t, http: { url: \"https://\" } }\n"
     "topics: { t: { schema: a int } }\n",
     "3:30 bad-url; 4:30 bad-url; 5:30 bad-url"},
    {"auth is one of two",
     "name: x\nsources:\n  a: { into: t, http: { url: http://h, auth: { bearer: x, basic: { user: u } } } }\ntopics: { t: { "
     "schema: a int } }\n",
     "3:59 missing-key; 3:59 one-of"},
    {"raw_into",
     "name: x\nsources:\n  a: { into: t, http: { url: http://h }, raw_into: a.b }\ntopics: { t: { schema: a int } }\n",
     "3:52 unknown-reference"},
    {"inferred schema", "name: x\nsources:\n  a: { into: t, http: { url: http://h } }\n", "3:14 inferred-schema"},
    {"a source into a table",
     "name: x\nsources:\n  a: { into: k.t, http: { url: http://h } }\ntables: { k.t: { partition_key: [a] } }\n",
     "3:14 unknown-reference"},
    {"query into an undeclared table", "name: x\nqueries:\n  q: { into: k.t, sql: SELECT 1 }\n", "3:14 unknown-reference"},
    {"query into a topic with a dot", "name: x\nqueries:\n  q: { into: k.t, sql: SELECT 1 }\ntopics: { k.t: }\n", ""},
    {"query without SQL", "name: x\nqueries:\n  q: { into: t }\n", "3:3 one-of"},
    {"query with both", "name: x\nqueries:\n  q: { into: t, sql: SELECT 1, sql_file: a.sql }\n", "3:32 one-of"},
    {"missing SQL file", "name: x\nqueries:\n  q: { into: t, sql_file: a.sql }\n", "3:27 unreadable-file"},
    {"folded SQL", "name: x\nqueries:\n  q:\n    into: t\n    sql: >\n      SELECT\n      1\n", "5:10 folded-sql"},
    {"empty SQL", "name: x\nqueries:\n  q:\n    into: t\n    sql: \"\"\n", "5:10 missing-key"},
    {"two writers",
     "name: x\nqueries:\n  q: { into: t, sql: SELECT 1 }\n  r: { into: t, sql: SELECT 1 }\nsources:\n  s: { into: t, http: { "
     "url: http://h } }\n",
     "4:14 two-writers; 6:14 two-writers"},
    {"late",
     "name: x\nqueries:\n  q: { into: t, sql: SELECT 1, late: replace }\n  r: { into: u, sql: SELECT 1, lateness: 1h }\n  s: { "
     "into: v, sql: SELECT 1, late: keep, lateness: 1h }\n",
     "3:38 missing-key; 4:42 misplaced-key; 5:54 misplaced-key"},
    {"table keys",
     "name: x\ntables:\n  k.a: { ttl: 1d }\n  k.b: { partition_key: [] }\n  k.c: { partition_key: id }\n  k.d: { partition_key: "
     "[a desc], clustering: [b up, a] }\n",
     "3:3 missing-key; 4:25 missing-key; 5:25 wrong-type; 6:26 bad-name; 6:48 bad-name"},
    {"one column twice in a key", "name: x\ntables:\n  k.d: { partition_key: [a], clustering: [a desc] }\n",
     "3:43 duplicate-name"},
    {"missing seed", "name: x\ntables:\n  k.d: { partition_key: [a], seed: no.csv }\n", "3:36 unreadable-file"},
    {"tasks do exactly one thing",
     "name: x\ndags:\n  d:\n    tasks:\n      a: { after: [b] }\n      b: { sql: SELECT 1, check: SELECT 1 }\n      c: { sql: "
     "SELECT 1, for: 5s }\n",
     "5:7 one-of; 6:27 one-of; 7:27 misplaced-key"},
    {"a dag without tasks", "name: x\ndags:\n  d: { schedule: \"@daily\" }\n", "3:3 missing-key"},
    {"dag references",
     "name: x\ndags:\n  d:\n    tasks:\n      a: { ingest: nobody }\n      b: { wait_for: { query: none }, after: [aa] }\n",
     "5:20 unknown-reference; 6:31 unknown-reference; 6:47 unknown-reference"},
    {"cycles",
     "name: x\ndags:\n  d:\n    tasks:\n      z: { exec: [a], after: [a] }\n      a: { exec: [a], after: [c] }\n      b: { exec: "
     "[a], after: [a] }\n"
     "      c: { exec: [a], after: [b] }\n      self: { exec: [a], after: [self] }\n",
     "6:7 cycle; 9:7 cycle"},
    {"a command is a list",
     "name: x\ndags:\n  d:\n    tasks:\n      a: { exec: ls -l }\n      b: { exec: { argv: [] } }\n      c: { exec: { env: { A: "
     "b } } }\n",
     "5:18 wrong-type; 6:26 missing-key; 7:12 missing-key"},
    {"a source that nothing polls",
     "name: x\nsources:\n  a: { into: t, run: dag, http: { url: http://h } }\ntopics: { t: { schema: a int } }\n",
     "3:3 never-polled"},
    {"unset variable", "name: x\ntopics:\n  t: { schema: \"a ${TYPE}\", partitions: \"${N:?how many}\" }\n",
     "3:19 unset-variable; 3:42 unset-variable"},
    {"a broken value is not judged again",
     "name: x\nsources:\n  s: { into: \"${T}\", http: { url: \"${U}\" }, every: \"${E}\" }\n",
     "3:15 unset-variable; 3:36 unset-variable; 3:53 unset-variable"},
    {"forms", "name: \"${a b}\"\ntopics:\n  t: { schema: \"${\" }\n", "1:8 bad-interpolation; 3:17 bad-interpolation"},
    {"tab", "name: x\ntopics:\n\tt: { schema: a int }\n", "3:1 tab-indent"},
    {"two documents", "name: x\n---\nname: y\n", "2:1 several-documents"},
    {"tag", "name: !env x\n", "1:7 yaml-tag"},
    {"merge key", "name: x\ntopics:\n  a: &a { schema: a int }\n  b: { <<: *a }\n", "4:3 inferred-schema; 4:8 merge-key"},
    {"alias", "name: x\ntopics:\n  a: &a { schema: a int }\n  b: *a\n", ""},
    {"unknown alias", "name: *b\n", "1:7 yaml-alias"},
    {"alias within itself", "name: x\ntopics: &a\n  t: *a\n", "3:6 yaml-alias"},
    {"quotes are missing", "name: x\ndags:\n  d: { schedule: @daily }\n", "3:18 bad-yaml"},
    {"open bracket", "name: [x\n", "2:1 bad-yaml"},
    {"control character", "name: x\x04\ntopics: oh\n", "1:8 bad-encoding"},
    {"not UTF-8", "name: é\nx: é\xff\n", "2:6 bad-encoding"},
    {"a list as key", "name: x\n? [a]\n: b\n", "2:3 wrong-type"},
};

TEST(Load, FindsEveryFaultAtItsPlace) {
  for (const Case& c : kCases) {
    SCOPED_TRACE(c.what);
    LoadResult result = load_text(std::string(c.yaml));
    std::vector<Fault> faults = result.faults;
    EXPECT_EQ(places(faults), c.faults);
    bool errors = std::any_of(faults.begin(), faults.end(), [](const Fault& f) { return f.severity == Severity::kError; });
    EXPECT_EQ(result.project.has_value(), !errors);
    for (const Fault& f : faults) EXPECT_FALSE(f.message.empty());
  }
}

TEST(Load, SuggestsTheKeyThatWasMeant) {
  LoadResult result = load_text("name: x\ntopics:\n  t: { schema: a int, partitons: 4 }\n");
  ASSERT_EQ(result.faults.size(), 1u);
  EXPECT_EQ(result.faults[0].file, "p/f.yaml");
  EXPECT_EQ(result.faults[0].message, "unknown key 'partitons'");
  EXPECT_EQ(result.faults[0].hint, "did you mean 'partitions'?");
}

TEST(Load, KnowsACommaThatNeedsQuotes) {
  LoadResult result = load_text("name: x\nqueries:\n  q: { into: t, sql: SELECT a, b FROM t }\n");
  ASSERT_EQ(result.faults.size(), 1u);
  EXPECT_EQ(result.faults[0].message, "unknown key 'b FROM t'");
  EXPECT_EQ(result.faults[0].hint, "inside of { } a text with a comma needs quotes");
}

TEST(Load, NeverShowsAFilesContent) {
  const char* yaml =
      "name: x\nsources:\n  s: { into: \"a ${file:secret}\", every: \"${file:secret}\", http: { url: \"${file:secret}\" } }\n"
      "dags:\n  d: { max_active_runs: \"${file:secret}\", tasks: { t: { ingest: \"${file:secret}\" } } }\n";
  std::vector<Fault> faults = load_text(yaml, {}, {{"p/secret", "hunter2\n"}}).faults;
  EXPECT_EQ(places(faults), "3:14 bad-name; 3:41 bad-duration; 3:72 bad-url; 5:25 wrong-type; 5:65 unknown-reference");
  for (const Fault& f : faults) EXPECT_EQ(to_string(f).find("hunter2"), std::string::npos) << to_string(f);
}

TEST(Load, NamesTheCycle) {
  LoadResult result = load_text(
      "name: x\ndags:\n  d:\n    tasks:\n      a: { exec: [a], after: [c] }\n      b: { exec: [a], after: [a] }\n      c: { "
      "exec: [a], after: [b] }\n");
  ASSERT_EQ(result.faults.size(), 1u);
  EXPECT_EQ(result.faults[0].message, "tasks wait for each other: a -> c -> b -> a");
}

TEST(Load, AMissingFileIsAFault) {
  MemoryFiles none({});
  LoadResult result = load(none, "no.yaml", {});
  ASSERT_EQ(result.faults.size(), 1u);
  EXPECT_EQ(result.faults[0].code, "unreadable-file");
  EXPECT_EQ(to_string(result.faults[0].at()), "no.yaml");
}

TEST(Load, RefusesWhatIsTooBig) {
  EXPECT_EQ(places(load_text(std::string(kFileBytesMax + 1, '#')).faults), "0:0 too-big");
  std::string deep_flow(100'000, '[');
  EXPECT_EQ(places(load_text("name: " + deep_flow).faults), "1:39 too-deep");
  std::string deep_list = "name:\n ";
  for (int i = 0; i < 100'000; ++i) deep_list += "- ";
  EXPECT_EQ(places(load_text(deep_list).faults), "2:128 too-deep");
  std::string deep_map;
  for (int i = 0; i < 200; ++i) deep_map += std::string(static_cast<size_t>(i), ' ') + "a:\n";
  EXPECT_EQ(places(load_text(deep_map).faults), "65:65 too-deep");
  std::string keys = "name: ";
  for (int i = 0; i < 20'000; ++i) keys += "? ";
  EXPECT_NE(places(load_text(keys).faults), "");
}

TEST(Load, TakesWhatNestsToTheLimit) {
  auto nested = [](size_t lists) {
    return "name: x\nprofiles: { dev: { set: { dags: " + std::string(lists, '[') + std::string(lists, ']') + " } } }\n";
  };
  EXPECT_EQ(places(load_text(nested(60)).faults), "2:33 wrong-type");
  EXPECT_EQ(places(load_text(nested(61)).faults), "2:93 too-deep");
}

TEST(Load, RefusesAliasBombs) {
  std::string bomb = "a0: &a0 [x, x, x, x, x, x, x, x, x, x]\n";
  for (int i = 1; i < 30; ++i) {
    bomb += fmt::format("a{}: &a{} [", i, i);
    for (int j = 0; j < 10; ++j) bomb += fmt::format("{}*a{}", j == 0 ? "" : ", ", i - 1);
    bomb += "]\n";
  }
  std::vector<Fault> faults = load_text(bomb).faults;
  ASSERT_EQ(faults.size(), 1u);
  EXPECT_EQ(faults[0].code, "too-big");
  std::string nested = "a0: &a0 [x]\n";
  for (int i = 1; i < 80; ++i) nested += fmt::format("a{}: &a{} [*a{}]\n", i, i, i - 1);
  faults = load_text(nested).faults;
  ASSERT_EQ(faults.size(), 1u);
  EXPECT_EQ(faults[0].code, "too-deep");
}

TEST(Load, StopsCollectingAtAThousandFaults) {
  std::string yaml = "name: x\n";
  for (int i = 0; i < 5000; ++i) yaml += fmt::format("key{}: 1\n", i);
  EXPECT_EQ(load_text(yaml).faults.size(), FaultList::kMax);
}

TEST(Load, LongChainsOfTasksAreNoCycle) {
  std::string yaml = "name: x\ndags:\n  d:\n    tasks:\n      t0: { exec: [a] }\n";
  for (int i = 1; i < 20'000; ++i) yaml += fmt::format("      t{}: {{ exec: [a], after: [t{}] }}\n", i, i - 1);
  EXPECT_EQ(places(load_text(yaml).faults), "");
}

TEST(Load, ReadsEveryValue) {
  const char* yaml = R"(name: all
sources:
  s:
    http:
      url: https://example.org/api
      method: POST
      headers: { Accept: application/json, X-Api-Key: abc }
      auth: { basic: { user: me, password: "${file:secret}" } }
      records: "$.items[*]"
      timeout: 3s
      page: { param: page, start: 0, size_param: n, size: 50, max: 7 }
      retry: { attempts: 9, delay: 2s, delay_max: 1m }
      max_bytes: 2MiB
      redirects: 0
    every: 1m30s
    run: dag
    into: t
    key: "$.id"
topics:
  t:
    partitions: ${PARTITIONS:-12}
    event_time: to_timestamp(at)
    watermark: { disorder: 10s, idle: 1m }
    schema: id text, at bigint
    contract: { has_id: "id <> ''", price: "at > 5$$" }
    retention: { time: 7d, size: 10GB }
    compression: zstd
    sync: interval
queries:
  q: { into: k.t, sql: "SELECT * FROM t", on_error: skip, emit: close, late: replace, lateness: 1h }
tables:
  k.t: { columns: "id text, at bigint", partition_key: [id], clustering: [at desc], ttl: 30d, seed: s.csv, delete_when: at < 0 }
dags:
  d:
    schedule: 0 3 * * *
    start_date: 2023-09-03 10:00
    end_date: 2033-09-03T10:00:00+02:00
    timezone: Europe/Zurich
    catchup: true
    max_active_runs: 2
    tasks:
      a: { ingest: s, for: 60s }
      b: { sql: "SELECT 1", after: [a], retries: 3, retry_delay: 1s, timeout: 1m }
      c: { check: "SELECT true" }
      e: { exec: [sh, -c, "echo 1"], env: { A: "1" } }
      f: { exec: { argv: [ls], env: { B: "2" } } }
      w: { wait_for: { query: q, timeout: 5s } }
)";
  LoadResult result = load_text(yaml, {}, {{"p/secret", "hunter2\n"}, {"p/s.csv", "id,at\n"}});
  ASSERT_TRUE(result.project.has_value()) << places(result.faults);
  EXPECT_TRUE(result.faults.empty());
  const Project& p = *result.project;
  EXPECT_EQ(p.profile, "dev");
  const auto& http = std::get<HttpRequest>(p.sources[0].from);
  EXPECT_EQ(http.url.value, "https://example.org/api");
  EXPECT_EQ(http.headers.at("Accept").shown(), "application/json");
  EXPECT_EQ(http.headers.at("X-Api-Key").shown(), "***");
  EXPECT_EQ(http.auth->password.value, "hunter2");
  EXPECT_EQ(http.auth->password.shown(), "***");
  EXPECT_EQ(http.page->size, 50);
  EXPECT_EQ(http.page->start, 0);
  EXPECT_EQ(http.retry.attempts, 9);
  EXPECT_EQ(http.max_bytes, 2 << 20);
  EXPECT_EQ(http.redirects, 0);
  EXPECT_EQ(p.sources[0].every, std::chrono::seconds(90));
  EXPECT_EQ(p.sources[0].run, SourceRun::kDag);
  const Topic& t = p.topics[0];
  EXPECT_EQ(t.partitions, 12);
  EXPECT_EQ(t.event_time->text, "to_timestamp(at)");
  EXPECT_EQ(t.watermark.idle, std::chrono::minutes(1));
  EXPECT_EQ(t.contract[1].sql.text, "at > 5$");
  EXPECT_EQ(t.retention.bytes, 10'000'000'000);
  EXPECT_EQ(t.compression, Compression::kZstd);
  EXPECT_EQ(t.sync, Sync::kInterval);
  const Query& q = p.queries[0];
  EXPECT_TRUE(q.into_table);
  EXPECT_EQ(q.on_error, OnError::kSkip);
  EXPECT_EQ(q.emit, Emit::kClose);
  EXPECT_EQ(q.late, Late::kReplace);
  EXPECT_EQ(q.lateness, std::chrono::hours(1));
  const Table& k = p.tables[0];
  EXPECT_EQ(k.clustering[0].name, "at");
  EXPECT_TRUE(k.clustering[0].descending);
  EXPECT_EQ(k.seed, "p/s.csv");
  const Dag& d = p.dags[0];
  EXPECT_EQ(d.schedule, "0 3 * * *");
  EXPECT_FALSE(d.start_date->zoned);
  EXPECT_TRUE(d.end_date->zoned);
  EXPECT_TRUE(d.catchup);
  EXPECT_EQ(std::get<IngestTask>(d.tasks[0].does).length, std::chrono::seconds(60));
  EXPECT_EQ(d.tasks[1].after[0].name, "a");
  EXPECT_EQ(std::get<ExecTask>(d.tasks[3].does).env.at("A").value, "1");
  EXPECT_EQ(std::get<ExecTask>(d.tasks[4].does).argv[0].value, "ls");
  EXPECT_EQ(std::get<WaitTask>(d.tasks[5].does).query.name, "q");
}

TEST(Load, MentionedTopicsHaveTheDefaults) {
  LoadResult result = load_text(
      "name: x\nsources:\n  s: { into: raw, http: { url: builtin:randomuser } }\nqueries:\n  q: { into: out, sql: SELECT * FROM "
      "raw }\n");
  ASSERT_TRUE(result.project.has_value());
  const Topic* raw = find(result.project->topics, "raw");
  const Topic* out = find(result.project->topics, "out");
  ASSERT_TRUE(raw != nullptr && out != nullptr);
  EXPECT_FALSE(raw->declared);
  EXPECT_EQ(raw->partitions, 1);
  EXPECT_EQ(out->written_by_query, "q");
}

TEST(Load, PathsBeginAtTheFilesFolder) {
  LoadResult result = load_text(
      "name: x\nconnections:\n  a: { url: \"file:./out\" }\n  b: { url: \"file:///out\" }\n  c: { url: \"file:\" }\n"
      "sources:\n  s: { into: raw, file: { path: ../in/*.csv, format: csv } }\n");
  ASSERT_TRUE(result.project.has_value());
  const Project& p = *result.project;
  std::string here = std::filesystem::current_path();
  EXPECT_EQ(p.connections[0].part.url.value, "file:" + here + "/p/out");
  EXPECT_EQ(p.connections[1].part.url.value, "file:///out");
  EXPECT_EQ(p.connections[2].part.url.value, "file:");
  EXPECT_EQ(std::get<FilePoll>(p.sources[0].from).path, here + "/in/*.csv");
}

TEST(Load, NullIsAsIfTheKeyWereAbsent) {
  LoadResult result = load_text("name: x\ndags:\n  d: { schedule: null, tasks: { t: { exec: [a], timeout: ~ } } }\n");
  ASSERT_TRUE(result.project.has_value());
  EXPECT_FALSE(result.project->dags[0].schedule.has_value());
}

}  // namespace
}  // namespace millrace::project
