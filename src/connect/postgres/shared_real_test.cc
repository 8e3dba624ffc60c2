#include <gtest/gtest.h>

#include <fmt/format.h>
#include <thread>

#include "connect/postgres/proxy_bed.h"
#include "connect/postgres/sink_bed.h"

namespace millrace::connect::postgres {
namespace {

/// Members of a shared query, each with a session of its own.
class SharedSink : public RealPostgres {
 protected:
  std::string rows() { return database_->ask("SELECT id, v FROM app.t ORDER BY id"); }
  std::unique_ptr<port::Sink> member(const std::string& url) {
    auto sink = sink_of(url, small_def(), true);
    EXPECT_EQ(*sink->recover(), std::nullopt);
    return sink;
  }
  std::unique_ptr<port::Sink> member() { return member(database_->url()); }
  bool somebody_waits() {
    return wait_until([&] { return database_->ask("SELECT count(*) > 0 FROM pg_locks WHERE NOT granted") == "t"; });
  }
  Result<port::SinkReport> put(port::Sink& sink, const std::vector<Staged>& staged, uint64_t epoch = 1) {
    auto report = stage(sink, staged);
    if (Status done = report ? commit(sink, epoch) : Status(); !done) return fail(done.error());
    return report;
  }
  Result<std::unique_ptr<port::Sink>> sink_on_table() {
    model::TableDef def = small_def();
    auto tables = PostgresTables::open({database_->url(), {}}, env::real_env());
    return (*tables)->sink({def, std::make_shared<model::Schema>(def.schema), "p", "q", true});
  }
};

TEST_F(SharedSink, counts_no_epochs_and_the_greater_version_wins) {
  auto one = member(), other = member();
  EXPECT_EQ(one->traits().kind, port::SinkKind::kIdempotent);
  ASSERT_TRUE(put(*one, {{R"({"id":1,"v":"a"})", 5}, {R"({"id":2,"v":"b"})", 5}}, 1));
  ASSERT_TRUE(put(*other, {{R"({"id":1,"v":"late"})", 4}, {R"({"id":2,"v":"newer"})", 6}, {R"({"id":3,"v":"c"})", 1}}, 1));
  EXPECT_EQ(rows(), "1|a\n2|newer\n3|c");
  ASSERT_TRUE(put(*one, {{R"({"id":1,"v":"a"})", 5}, {R"({"id":2,"v":"b"})", 5}}, 1)) << "the same epoch again";
  EXPECT_EQ(rows(), "1|a\n2|newer\n3|c");
  ASSERT_TRUE(put(*other, {{R"({"id":1})", 4, true}, {R"({"id":2})", 7, true}}, 2));
  EXPECT_EQ(rows(), "1|a\n3|c");
  EXPECT_EQ(database_->ask("SELECT to_regclass('millrace.epochs')"), "NULL");
}

TEST_F(SharedSink, members_write_the_same_keys_at_once) {
  constexpr uint64_t kMembers = 3, kEpochs = 20, kKeys = 300;
  ASSERT_TRUE(member());
  auto work = [&](uint64_t who) {
    auto sink = member();
    for (uint64_t epoch = 1; epoch <= kEpochs; ++epoch) {
      for (uint64_t part = 0; part < 2; ++part) {
        std::vector<Staged> staged;
        for (uint64_t i = 0; i < kKeys; ++i) {
          // Each member has an order of its own, and its two parts overlap.
          uint64_t key = (i * (2 * who + 7) + epoch + part * 100) % kKeys, version = epoch * kMembers + who;
          staged.push_back({fmt::format(R"({{"id":{},"v":"{}"}})", key, version), version});
        }
        auto report = stage(*sink, staged);
        ASSERT_TRUE(report) << report.error().message;
        EXPECT_TRUE(report->faults.empty()) << report->faults[0].message;
      }
      ASSERT_TRUE(commit(*sink, epoch));
    }
  };
  std::vector<std::thread> members;
  for (uint64_t who = 0; who < kMembers; ++who) members.emplace_back(work, who);
  for (std::thread& one : members) one.join();
  uint64_t last = kEpochs * kMembers + kMembers - 1;
  EXPECT_EQ(database_->ask("SELECT count(*), min(v), max(v), min(_version), max(_version) FROM app.t"),
            fmt::format("{}|{}|{}|{}|{}", kKeys, last, last, last, last));
}

TEST_F(SharedSink, a_key_that_another_member_inserts_meanwhile_is_merged) {
  auto sink = member();
  auto other = connect_to(database_->url());
  ASSERT_TRUE(other->execute("BEGIN; INSERT INTO app.t VALUES (1,'other',5), (2,'other',7)"));
  std::thread committer([&] {
    EXPECT_TRUE(somebody_waits());
    EXPECT_TRUE(other->execute("COMMIT"));
  });
  auto report = put(*sink, {{R"({"id":1,"v":"mine"})", 6}, {R"({"id":2,"v":"mine"})", 6}, {R"({"id":3,"v":"mine"})", 6}});
  committer.join();
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_TRUE(report->faults.empty());
  EXPECT_EQ(rows(), "1|mine\n2|other\n3|mine");
}

TEST_F(SharedSink, rows_that_lose_in_a_deadlock_are_written_again) {
  auto sink = member();
  ASSERT_TRUE(put(*sink, {{R"({"id":1,"v":"a"})", 1}, {R"({"id":2,"v":"a"})", 1}}));
  auto other = connect_to(database_->url());
  // The other one looks for a deadlock so late that the member is the one that finds it.
  ASSERT_TRUE(other->execute("SET deadlock_timeout='1min'; BEGIN; UPDATE app.t SET v='other' WHERE id=2"));
  std::thread rival([&] {
    EXPECT_TRUE(somebody_waits());
    auto updated = other->execute("UPDATE app.t SET v='other' WHERE id=1");
    EXPECT_TRUE(updated) << updated.error().message;
    EXPECT_TRUE(other->execute("COMMIT"));
  });
  auto report = put(*sink, {{R"({"id":1,"v":"b"})", 2}, {R"({"id":2,"v":"b"})", 2}});
  rival.join();
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(rows(), "1|b\n2|b");
}

TEST_F(SharedSink, a_member_that_stands_still_makes_way_and_a_stranger_does_not) {
  auto sink = member();
  auto still = connect_to(database_->url(), "millrace p/q"), stranger = connect_to(database_->url(), "a stranger");
  ASSERT_TRUE(still->execute("BEGIN; INSERT INTO app.t VALUES (1,'still',1)"));
  ASSERT_TRUE(stranger->execute("BEGIN; INSERT INTO app.t VALUES (2,'stranger',1)"));
  auto report = put(*sink, {{R"({"id":1,"v":"mine"})", 1}});
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(still->execute("COMMIT").error().code, Errc::kUnavailable);
  ASSERT_TRUE(stranger->execute("COMMIT"));
  EXPECT_EQ(rows(), "1|mine\n2|stranger");
}

TEST_F(SharedSink, a_lock_that_a_stranger_keeps_is_unavailable) {
  auto sink = member();
  auto stranger = connect_to(database_->url(), "a stranger");
  ASSERT_TRUE(stranger->execute("BEGIN; LOCK TABLE app.t"));
  auto report = put(*sink, {{R"({"id":1,"v":"mine"})", 1}});
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, Errc::kUnavailable) << report.error().message;
  sink->abandon();
  ASSERT_TRUE(stranger->execute("COMMIT"));
  ASSERT_TRUE(sink->recover());
  ASSERT_TRUE(put(*sink, {{R"({"id":1,"v":"mine"})", 1}}));
  EXPECT_EQ(rows(), "1|mine");
}

TEST_F(SharedSink, a_commit_whose_answer_is_lost_is_made_again) {
  Proxy proxy(port_of(server_url()));
  auto sink = member(through(proxy, database_->url()));
  proxy.cut_behind("COMMIT");
  auto report = stage(*sink, {{R"({"id":1,"v":"a"})", 3}});
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, Errc::kUnavailable);
  EXPECT_TRUE(proxy.has_cut());
  sink->abandon();
  auto other = member();
  ASSERT_TRUE(put(*other, {{R"({"id":1,"v":"newer"})", 4}}));
  ASSERT_TRUE(sink->recover());
  ASSERT_TRUE(put(*sink, {{R"({"id":1,"v":"a"})", 3}}));
  EXPECT_EQ(rows(), "1|newer");
}

TEST_F(SharedSink, a_table_without_versions_is_refused_until_it_has_them) {
  database_->ask("CREATE SCHEMA app; CREATE TABLE app.t(id bigint PRIMARY KEY, v text); INSERT INTO app.t VALUES (1,'before')");
  auto refused = sink_on_table();
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kFailedPrecondition);
  EXPECT_EQ(refused.error().hint, R"(ALTER TABLE "app"."t" ADD COLUMN "_version" bigint NOT NULL DEFAULT 0)");
  database_->ask(refused.error().hint);
  auto sink = sink_on_table();
  ASSERT_TRUE(sink) << sink.error().message;
  ASSERT_TRUE((*sink)->recover());
  ASSERT_TRUE(put(**sink, {{R"({"id":1,"v":"after"})", 1}}));
  EXPECT_EQ(rows(), "1|after");
}

TEST_F(SharedSink, a_column_of_the_users_own_is_not_the_version) {
  database_->ask("CREATE SCHEMA app; CREATE TABLE app.t(id bigint PRIMARY KEY, v text, _version text)");
  auto refused = sink_on_table();
  ASSERT_FALSE(refused);
  EXPECT_NE(refused.error().message.find("a column of yours (text)"), std::string::npos) << refused.error().message;
}

}  // namespace
}  // namespace millrace::connect::postgres
