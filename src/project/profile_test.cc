#include <fmt/format.h>
#include <gtest/gtest.h>

#include "project/load.h"
#include "project/memory_files.h"

namespace millrace::project {
namespace {

constexpr const char* kFile = R"(name: x
profiles:
  dev: {}
  prod:
    log: { url: "kafka://${KAFKA:?}", options: { sasl.password: "${file:/run/secrets/kafka}" } }
    tables: "cassandra://${CASSANDRA:?}"
  staging:
    set:
      topics.users.partitions: 12
      topics.users.retention.time: 7d
      tables.k.t.ttl: ~
      sources.s.http.headers.X-Stage: "${STAGE}"
      dags.d.schedule: null
  wrong:
    set: { topics.user.partitions: 1, topics.users.partitons: 1, name.x: 1, profiles.dev: 1, topics.users.partitions: "${N}" }
connections:
  archive: { url: "postgresql://${PG:?}" }
sources:
  s: { http: { url: http://h }, into: users }
topics:
  users: { partitions: 4, schema: a int }
tables:
  k.t: { partition_key: [a], ttl: 30d }
dags:
  d: { schedule: "@daily", tasks: { t: { ingest: s } } }
)";

LoadResult load_as(const std::string& profile, std::map<std::string, std::string> environment = {}) {
  MemoryFiles files({{"f.yaml", kFile}, {"/run/secrets/kafka", "hunter2\n"}});
  return load(files, "f.yaml", {profile, std::move(environment)});
}

std::string places(const std::vector<Fault>& faults, const std::string& below = "wrong") {
  std::string out;
  for (const Fault& f : faults) {
    // Faults of the profile `wrong` (line 15) are found whichever profile is selected.
    if (below == "wrong" && f.line == 15) continue;
    out += fmt::format("{}{}:{} {}", out.empty() ? "" : "; ", f.line, f.column, f.code);
  }
  return out;
}

TEST(Profile, OnlyTheSelectedOneNeedsItsVariables) {
  EXPECT_EQ(places(load_as("").faults), "");
  EXPECT_EQ(places(load_as("dev").faults), "");
  EXPECT_EQ(places(load_as("prod").faults), "5:26 unset-variable; 6:26 unset-variable");
}

TEST(Profile, ForeignPartsHaveTheirUrlsAndOptions) {
  LoadResult result = load_as("prod", {{"KAFKA", "broker:9092"}, {"CASSANDRA", "c"}});
  EXPECT_EQ(places(result.faults), "");
  const Parts& parts = result.draft->parts;
  EXPECT_EQ(parts.log.scheme(), "kafka");
  EXPECT_EQ(parts.log.url.value, "kafka://broker:9092");
  EXPECT_EQ(parts.tables.scheme(), "cassandra");
}

TEST(Profile, AnUnknownOneIsAFault) {
  LoadResult result = load_as("prd");
  EXPECT_EQ(places(result.faults), "2:1 unknown-profile");
  EXPECT_EQ(result.faults[0].hint, "did you mean 'prod'?");
}

TEST(Profile, SettingsOfEveryProfileMustLeadSomewhere) {
  std::string found;
  for (const Fault& f : load_as("").faults) found += fmt::format("{}:{} {}\n", f.line, f.column, f.code);
  EXPECT_EQ(found, "15:12 unknown-reference\n15:39 unknown-key\n15:66 unknown-reference\n15:77 misplaced-key\n");
}

TEST(Profile, SetReplacesValues) {
  const char* kSet = R"(name: x
profiles:
  staging:
    set:
      topics.users.partitions: ${N:-12}
      topics.users.retention.time: 7d
      tables.k.t.ttl: ~
      sources.s.http.headers.X-Stage.A: "${STAGE}"
      dags.d.schedule: null
      topics.users.contract: { r: "a > 0" }
sources:
  s: { http: { url: http://h }, into: users }
topics:
  users: { partitions: "${OLD:?}", schema: a int }
tables:
  k.t: { partition_key: [a], ttl: 30d }
dags:
  d: { schedule: "@daily", tasks: { t: { ingest: s } } }
)";
  MemoryFiles files({{"f.yaml", kSet}});
  LoadResult result = load(files, "f.yaml", {"staging", {{"STAGE", "two"}}});
  ASSERT_TRUE(result.project.has_value()) << to_string(result.faults.front());
  const Project& p = *result.project;
  EXPECT_EQ(p.profile, "staging");
  EXPECT_EQ(p.topics[0].partitions, 12);
  EXPECT_EQ(p.topics[0].retention.time, std::chrono::hours(7 * 24));
  EXPECT_EQ(p.topics[0].contract.size(), 1u);
  EXPECT_FALSE(p.tables[0].ttl.has_value());
  EXPECT_EQ(std::get<HttpRequest>(p.sources[0].from).headers.at("X-Stage.A").value, "two");
  EXPECT_FALSE(p.dags[0].schedule.has_value());
}

TEST(Profile, WhatIsSetIsCheckedWhereItStands) {
  MemoryFiles files(
      {{"f.yaml", "name: x\nprofiles:\n  dev:\n    set: { topics.t.partitions: many }\ntopics:\n  t: { schema: a int }\n"}});
  LoadResult result = load(files, "f.yaml", {});
  ASSERT_EQ(result.faults.size(), 1u);
  EXPECT_EQ(to_string(result.faults[0].at()), "f.yaml:4:33");
  EXPECT_EQ(result.faults[0].code, "wrong-type");
}

}  // namespace
}  // namespace millrace::project
