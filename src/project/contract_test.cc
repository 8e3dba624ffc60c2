#include <fmt/format.h>
#include <gtest/gtest.h>

#include "env/file.h"
#include "project/keys.h"
#include "project/load.h"
#include "project/memory_files.h"

namespace millrace::project {
namespace {

/// The pipeline file of docs/contract.md, section 1.
constexpr const char* kContract = R"(name: users
profiles:
  dev: {}                                          # everything embedded: the default
  prod:
    log:    { url: "kafka://${KAFKA:?}", options: { sasl.password: "${file:/run/secrets/kafka}" } }
    tables: "cassandra://${CASSANDRA:?}"           # short form of { url: … }
    metadata: "postgresql://${PG:?}"
    registry: "http://${REGISTRY:?}"
    set: { topics.users_created.partitions: 12 }   # any other value that differs by place
connections:                                       # only when a part needs a second system beside the profile's default
  archive: { url: "postgresql://${PG_ARCHIVE:?}" }
sources:
  random_users:
    http: { url: "${RANDOM_USER_API:-builtin:randomuser}", records: "$.results[*]", timeout: 5s }
    every: 1s
    run: dag
    into: users_created
    key: "$.login.uuid"
topics:
  users_created:
    partitions: 4
    event_time: _timestamp
    watermark: { disorder: 10s, idle: 30s }
    schema: |
      gender text, name STRUCT("first" text, "last" text), email text, phone text, nat text,
      location STRUCT(street STRUCT(number int, name text), city text, state text, country text, postcode text),
      login STRUCT(uuid uuid, username text), dob STRUCT(date timestamptz), registered STRUCT(date timestamptz), picture STRUCT(medium text)
    contract: { email_shape: "email LIKE '%_@_%'" }
queries:
  created_users: { into: spark_streams.created_users, sql_file: created_users.sql }
  signups_per_minute:
    into: analytics.signups_per_minute
    emit: change
    late: replace
    lateness: 1h
    on_error: dead_letter
    sql: |
      SELECT window_start, location.country AS country, count(*) AS signups
      FROM TUMBLE(users_created, event_time, INTERVAL 1 MINUTE) GROUP BY ALL
tables:
  spark_streams.created_users: { partition_key: [id] }
  analytics.signups_per_minute: { partition_key: [country], clustering: [window_start desc], ttl: 30d }
  ref.countries: { columns: "country text, region text", partition_key: [country], seed: countries.csv }
dags:
  user_automation:
    schedule: "@daily"
    start_date: 2023-09-03T10:00:00Z
    catchup: false
    tasks:
      stream_data_from_api: { ingest: random_users, for: 60s }
      settled: { wait_for: { query: created_users }, after: [stream_data_from_api] }
      quality: { check: "SELECT count(*) > 0 FROM spark_streams.created_users", after: [settled] }
)";

std::string listed(const std::vector<Fault>& faults) {
  std::string out;
  for (const Fault& f : faults) out += to_string(f) + "\n";
  return out;
}

TEST(Contract, ItsExampleIsSound) {
  MemoryFiles files({{"f.yaml", kContract}, {"created_users.sql", "SELECT 1"}, {"countries.csv", "country,region\n"}});
  for (const char* profile : {"", "dev"}) {
    LoadResult result = load(files, "f.yaml", {profile, {}});
    EXPECT_EQ(listed(result.faults), "");
    ASSERT_TRUE(result.project.has_value());
    const Project& p = *result.project;
    const auto& http = std::get<HttpRequest>(p.sources[0].from);
    EXPECT_EQ(http.url.value, "builtin:randomuser");
    EXPECT_EQ(http.records, "$.results[*]");
    EXPECT_TRUE(p.queries[0].into_table);
    EXPECT_TRUE(p.parts.log.embedded());
  }
}

TEST(Contract, RawIntoIsAQueryIntoATableOfTheConnection) {
  std::string with_landing(kContract);
  with_landing.insert(with_landing.find("topics:\n  users"), "    raw_into: archive.raw_users\n");
  MemoryFiles files({{"f.yaml", with_landing}, {"created_users.sql", "SELECT 1"}, {"countries.csv", ""}});
  EXPECT_EQ(listed(load(files, "f.yaml", {}).faults).find("PG_ARCHIVE") == std::string::npos, false);
  LoadResult result = load(files, "f.yaml", {"", {{"PG_ARCHIVE", "db"}}});
  EXPECT_EQ(listed(result.faults), "");
  ASSERT_TRUE(result.project.has_value());
  const Query* landing = find(result.project->queries, "random_users$raw");
  ASSERT_NE(landing, nullptr);
  EXPECT_TRUE(landing->into_table);
  EXPECT_EQ(landing->connection, "archive");
  ASSERT_NE(find(result.project->tables, "archive.raw_users"), nullptr);
}

TEST(Contract, TheExampleOfTheProjectIsSound) {
  LoadResult result = load(env::real_file_system(), MILLRACE_SOURCE_DIR "/examples/users.yaml", {});
  EXPECT_EQ(listed(result.faults), "");
  ASSERT_TRUE(result.project.has_value());
  EXPECT_EQ(result.project->sources[0].run, SourceRun::kAlways);
}

TEST(Contract, TheReferenceListsEveryKey) {
  Result<std::string> page = env::read_file(env::real_file_system(), MILLRACE_SOURCE_DIR "/docs/pipeline-file.md");
  ASSERT_TRUE(page.has_value());
  EXPECT_NE(page->find(keys_markdown()), std::string::npos) << "docs/pipeline-file.md must hold this table:\n" << keys_markdown();
  for (const FaultCode& code : fault_codes()) {
    EXPECT_NE(page->find(fmt::format("| `{}` | {} | {} |", code.code, severity_name(code.severity), code.what)),
              std::string::npos)
        << code.code;
  }
}

TEST(Contract, EveryKeyIsKnownByItsPath) {
  for (const Key& key : all_keys()) {
    const KeyTree* at = &key_tree();
    for (std::string_view rest = key.path; !rest.empty();) {
      size_t dot = rest.find('.');
      std::string_view segment = rest.substr(0, dot);
      at = at->child(segment.front() == '<' ? "any" : segment);
      ASSERT_NE(at, nullptr) << key.path;
      rest = dot == std::string_view::npos ? std::string_view() : rest.substr(dot + 1);
    }
    EXPECT_EQ(at->key, &key) << key.path;
  }
}

}  // namespace
}  // namespace millrace::project
