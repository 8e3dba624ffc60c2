#include <gtest/gtest.h>

#include <fmt/format.h>
#include <thread>

#include "connect/postgres/proxy_bed.h"
#include "connect/postgres/sink_bed.h"
#include "connect/postgres/writer_session.h"

namespace millrace::connect::postgres {
namespace {

class PostgresSink : public RealPostgres {
 protected:
  std::string rows() { return database_->ask("SELECT id, v FROM app.t ORDER BY id"); }
  std::unique_ptr<port::Sink> ready_sink(const std::string& url) {
    auto sink = sink_of(url, small_def());
    auto recovered = sink->recover();
    EXPECT_TRUE(recovered) << recovered.error().message;
    return sink;
  }
  std::unique_ptr<port::Sink> ready_sink() { return ready_sink(database_->url()); }
  void end_sessions() {
    database_->ask(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name='millrace p/q' AND "
        "datname=current_database()");
  }
};

TEST_F(PostgresSink, rows_and_the_epoch_are_committed_together) {
  auto sink = ready_sink();
  EXPECT_EQ(sink->traits().kind, port::SinkKind::kTransactional);
  EXPECT_EQ(*sink->recover(), std::nullopt);
  ASSERT_TRUE(stage(*sink, {{R"({"id":1,"v":"a"})"}, {R"({"id":2,"v":null})"}}));
  ASSERT_TRUE(stage(*sink, {{R"({"id":3,"v":"c"})"}}));
  EXPECT_EQ(rows(), "");
  ASSERT_TRUE(commit(*sink, 7));
  EXPECT_EQ(rows(), "1|a\n2|NULL\n3|c");
  EXPECT_EQ(database_->ask("SELECT pipeline, query, epoch FROM millrace.epochs"), "p|q|7");
  EXPECT_EQ(*sink->recover(), 7u);
  ASSERT_TRUE(commit(*sink, 9)) << "an epoch without rows";
  EXPECT_EQ(*sink->recover(), 9u);
}

TEST_F(PostgresSink, what_is_abandoned_leaves_nothing) {
  auto sink = ready_sink();
  ASSERT_TRUE(stage(*sink, {{R"({"id":1,"v":"a"})"}}));
  sink->abandon();
  EXPECT_EQ(*sink->recover(), std::nullopt);
  ASSERT_TRUE(commit(*sink, 1));
  EXPECT_EQ(rows(), "");
}

TEST_F(PostgresSink, the_newest_version_of_a_key_wins_in_a_batch_an_epoch_and_across_epochs) {
  auto sink = ready_sink();
  ASSERT_TRUE(stage(*sink, {{R"({"id":1,"v":"new"})", 5}, {R"({"id":1,"v":"old"})", 4}, {R"({"id":2,"v":"x"})", 5}}));
  ASSERT_TRUE(stage(*sink, {{R"({"id":2,"v":"older"})", 3}}));
  ASSERT_TRUE(commit(*sink, 1));
  EXPECT_EQ(rows(), "1|new\n2|x");
  ASSERT_TRUE(stage(*sink, {{R"({"id":1,"v":"late"})", 2}, {R"({"id":2,"v":"y"})", 6}}));
  ASSERT_TRUE(commit(*sink, 2));
  EXPECT_EQ(rows(), "1|new\n2|y");
}

TEST_F(PostgresSink, rows_of_one_version_count_in_their_order) {
  auto sink = ready_sink();
  ASSERT_TRUE(stage(*sink, {{R"({"id":1,"v":"first"})"}, {R"({"id":1,"v":"second"})"}}));
  ASSERT_TRUE(commit(*sink, 1));
  EXPECT_EQ(rows(), "1|second");
}

TEST_F(PostgresSink, erasing_rows) {
  auto sink = ready_sink();
  ASSERT_TRUE(stage(*sink, {{R"({"id":1,"v":"a"})", 1}, {R"({"id":2,"v":"b"})", 9}, {R"({"id":3,"v":"c"})", 1}}));
  ASSERT_TRUE(commit(*sink, 1));
  ASSERT_TRUE(stage(*sink, {{R"({"id":1})", 2, true},
                            {R"({"id":2})", 2, true},
                            {R"({"id":3})", 2, true},
                            {R"({"id":3,"v":"again"})", 3},
                            {R"({"id":4,"v":"d"})", 2},
                            {R"({"id":4})", 3, true}}));
  ASSERT_TRUE(commit(*sink, 2));
  EXPECT_EQ(rows(), "2|b\n3|again");
}

TEST_F(PostgresSink, a_replay_learns_which_rows_are_superseded) {
  auto sink = ready_sink();
  ASSERT_TRUE(stage(*sink, {{R"({"id":1,"v":"a"})", 5}, {R"({"id":2,"v":"b"})", 5}}));
  ASSERT_TRUE(commit(*sink, 1));
  auto report =
      stage(*sink, {{R"({"id":1,"v":"x"})", 4}, {R"({"id":2,"v":"y"})", 6}, {R"({"id":null})", 6}, {R"({"id":3,"v":"z"})", 1}},
            small_def(), true);
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_EQ(report->superseded, std::vector<uint32_t>{0});
  ASSERT_EQ(report->faults.size(), 1u);
  EXPECT_EQ(report->faults[0].row, 2u);
  EXPECT_EQ(report->faults[0].code, "bad_key");
  ASSERT_TRUE(commit(*sink, 2));
  EXPECT_EQ(rows(), "1|a\n2|y\n3|z");
}

TEST_F(PostgresSink, a_piece_knows_nothing_of_the_rows_of_an_earlier_one) {
  auto sink = ready_sink();
  std::vector<Staged> many;
  for (int i = 0; i < 3000; ++i) many.push_back({fmt::format(R"({{"id":{},"v":"a"}})", i), 5});
  ASSERT_TRUE(stage(*sink, many));
  ASSERT_TRUE(commit(*sink, 1));
  for (Staged& row : many) row.version = 4;
  for (size_t rows : {3u, 3000u, 2u, 3u}) {  // what a few leave is deleted, what many leave is truncated
    auto report = stage(*sink, {many.begin(), many.begin() + static_cast<ptrdiff_t>(rows)}, small_def(), true);
    ASSERT_TRUE(report) << report.error().message;
    EXPECT_EQ(report->superseded.size(), rows);
    report = stage(*sink, {{R"({"id":1,"v":"b"})", 5}}, small_def(), true);
    ASSERT_TRUE(report) << report.error().message;
    EXPECT_TRUE(report->superseded.empty());
  }
  ASSERT_TRUE(commit(*sink, 2));
  EXPECT_EQ(database_->ask("SELECT count(*), max(v) FROM app.t WHERE v<>'a'"), "1|b");
}

TEST_F(PostgresSink, rows_that_the_server_refuses_are_found_and_the_others_go_in) {
  database_->ask(
      "CREATE SCHEMA app; CREATE TABLE app.other(id bigint PRIMARY KEY); INSERT INTO app.other VALUES (1);"
      "CREATE TABLE app.t(id bigint PRIMARY KEY, v jsonb CHECK (v <> '0'), n smallint NOT NULL DEFAULT 0, o bigint "
      "REFERENCES app.other DEFERRABLE INITIALLY DEFERRED, l varchar(3))");
  model::TableDef def = small_def();
  def.schema.fields.push_back({"n", {.id = model::TypeId::kSmallint}});
  def.schema.fields.push_back({"o", {.id = model::TypeId::kBigint}});
  def.schema.fields.push_back({"l", {.id = model::TypeId::kText}});
  auto sink = sink_of(database_->url(), def);
  ASSERT_TRUE(sink->recover());
  std::vector<Staged> staged;
  for (int i = 0; i < 100; ++i) staged.push_back({fmt::format(R"({{"id":{},"v":"{{}}","n":1,"o":1}})", i)});
  staged[3].json = R"({"id":3,"v":"no json","n":1})";
  staged[17].json = R"({"id":17,"v":"\"\\u0000\"","n":1})";
  staged[40].json = R"({"id":40,"v":"0","n":1})";
  staged[41].json = R"({"id":41,"v":"1","n":null})";
  staged[77].json = R"({"id":77,"v":"1","n":1,"o":2})";
  staged[99].json = R"({"id":99,"v":"1","n":1,"l":"long"})";
  staged[50].json = R"({"id":null,"v":"1","n":1})";
  for (int round = 0; round < 2; ++round) {
    auto report = stage(*sink, staged, def);
    ASSERT_TRUE(report) << report.error().message;
    std::string found;
    for (const auto& fault : report->faults) found += fmt::format("{}:{} ", fault.row, fault.code);
    EXPECT_EQ(found, "3:22P02 17:22P05 40:23514 41:23502 50:bad_key 77:23503 99:22001 ");
    EXPECT_EQ(report->faults[0].message, "invalid input syntax for type json");
    ASSERT_TRUE(commit(*sink, static_cast<uint64_t>(round + 1)));
  }
  EXPECT_EQ(database_->ask("SELECT count(*) FROM app.t"), "93");
}

TEST_F(PostgresSink, nul_bytes_in_text_are_a_fault_of_their_row) {
  auto sink = ready_sink();
  auto report = stage(*sink, {{R"({"id":1,"v":"a\u0000b"})"}, {R"({"id":2,"v":"b"})"}});
  ASSERT_TRUE(report) << report.error().message;
  ASSERT_EQ(report->faults.size(), 1u);
  EXPECT_EQ(report->faults[0].row, 0u);
  EXPECT_EQ(report->faults[0].code, "22021");
  ASSERT_TRUE(commit(*sink, 1));
  EXPECT_EQ(rows(), "2|b");
}

TEST_F(PostgresSink, a_table_without_versions_takes_what_comes_last) {
  database_->ask("CREATE SCHEMA app; CREATE TABLE app.t(v text, id bigint, kept text DEFAULT 'd', UNIQUE (id))");
  auto sink = ready_sink();
  ASSERT_TRUE(stage(*sink, {{R"({"id":1,"v":"a"})", 9}}));
  ASSERT_TRUE(commit(*sink, 1));
  auto report = stage(*sink, {{R"({"id":1,"v":"b"})", 2}, {R"({"id":2,"v":"c"})", 2}}, small_def(), true);
  ASSERT_TRUE(report) << report.error().message;
  EXPECT_TRUE(report->superseded.empty());
  ASSERT_TRUE(commit(*sink, 2));
  EXPECT_EQ(database_->ask("SELECT id, v, kept FROM app.t ORDER BY 1"), "1|b|d\n2|c|d");
}

TEST_F(PostgresSink, a_session_that_is_ended_before_the_commit_leaves_nothing) {
  auto sink = ready_sink();
  ASSERT_TRUE(stage(*sink, {{R"({"id":1,"v":"a"})"}}));
  end_sessions();
  Status committed = commit(*sink, 1);
  ASSERT_FALSE(committed);
  EXPECT_EQ(committed.error().code, Errc::kUnavailable) << committed.error().message;
  sink->abandon();
  EXPECT_EQ(*sink->recover(), std::nullopt);
  ASSERT_TRUE(stage(*sink, {{R"({"id":1,"v":"a"})"}}));
  ASSERT_TRUE(commit(*sink, 2));
  end_sessions();
  EXPECT_EQ(stage(*sink, {{R"({"id":2,"v":"b"})"}}).error().code, Errc::kUnavailable);
  sink->abandon();
  EXPECT_EQ(*sink->recover(), 2u);
  end_sessions();
  EXPECT_EQ(*sink->recover(), 2u) << "a session that was lost while nobody looked";
  EXPECT_EQ(rows(), "1|a");
}

TEST_F(PostgresSink, a_commit_whose_answer_is_lost_was_made) {
  Proxy proxy(port_of(server_url()));
  auto sink = ready_sink(through(proxy, database_->url()));
  ASSERT_TRUE(stage(*sink, {{R"({"id":1,"v":"a"})"}}));
  proxy.cut_behind("COMMIT");
  Status committed = commit(*sink, 1);
  ASSERT_FALSE(committed);
  EXPECT_EQ(committed.error().code, Errc::kUnavailable);
  EXPECT_TRUE(proxy.has_cut());
  sink->abandon();
  // The server still holds the first session open: it must make way.
  auto recovered = sink->recover();
  ASSERT_TRUE(recovered) << recovered.error().message;
  EXPECT_EQ(*recovered, 1u);
  EXPECT_EQ(rows(), "1|a");
  ASSERT_TRUE(stage(*sink, {{R"({"id":2,"v":"b"})"}}));
  ASSERT_TRUE(commit(*sink, 2));
}

TEST_F(PostgresSink, a_commit_that_never_arrived_was_not_made) {
  Proxy proxy(port_of(server_url()));
  auto sink = ready_sink(through(proxy, database_->url()));
  ASSERT_TRUE(stage(*sink, {{R"({"id":1,"v":"a"})"}}));
  proxy.cut_behind("UPDATE millrace.epochs");
  ASSERT_TRUE(commit(*sink, 1)) << "the first marker is an INSERT";
  ASSERT_TRUE(stage(*sink, {{R"({"id":2,"v":"b"})"}}));
  EXPECT_EQ(commit(*sink, 2).error().code, Errc::kUnavailable);
  sink->abandon();
  EXPECT_EQ(*sink->recover(), 1u);
  EXPECT_EQ(rows(), "1|a");
}

TEST_F(PostgresSink, a_zombie_can_commit_nothing_and_learns_of_it) {
  auto zombie = ready_sink();
  ASSERT_TRUE(commit(*zombie, 1));
  ASSERT_TRUE(stage(*zombie, {{R"({"id":1,"v":"zombie"})"}}));
  auto heir = ready_sink();  // ends the session of the zombie
  EXPECT_EQ(*heir->recover(), 1u);
  EXPECT_EQ(commit(*zombie, 2).error().code, Errc::kUnavailable);
  ASSERT_TRUE(stage(*heir, {{R"({"id":1,"v":"heir"})"}}));
  ASSERT_TRUE(commit(*heir, 5));
  zombie->abandon();
  for (int round = 0; round < 2; ++round) {
    auto recovered = zombie->recover();
    ASSERT_FALSE(recovered);
    EXPECT_EQ(recovered.error().code, Errc::kFenced) << recovered.error().message;
  }
  EXPECT_EQ(rows(), "1|heir");
}

TEST_F(PostgresSink, somebody_who_advanced_the_marker_fences) {
  auto sink = ready_sink();
  ASSERT_TRUE(commit(*sink, 1));
  database_->ask("UPDATE millrace.epochs SET epoch=4");
  ASSERT_TRUE(stage(*sink, {{R"({"id":1,"v":"a"})"}}));
  EXPECT_EQ(commit(*sink, 2).error().code, Errc::kFenced);
  sink->abandon();
  EXPECT_EQ(rows(), "");
  EXPECT_EQ(database_->ask("SELECT epoch FROM millrace.epochs"), "4");
}

TEST_F(PostgresSink, a_lock_that_a_stranger_holds_is_named) {
  auto holder = connect_to(database_->url(), "a stranger");
  auto first = ready_sink();
  first.reset();
  // The same lock under another name, which must not be ended.
  ASSERT_TRUE(wait_until([&] {
    return holder->execute(fmt::format("SELECT pg_try_advisory_lock({})", lock_key("query", "p", "q")))->text(0, 0) == "t";
  }));
  auto sink = sink_of(database_->url(), small_def());
  auto recovered = sink->recover();
  ASSERT_FALSE(recovered);
  EXPECT_EQ(recovered.error().code, Errc::kFenced);
  EXPECT_NE(recovered.error().message.find("'a stranger'"), std::string::npos) << recovered.error().message;
}

TEST_F(PostgresSink, an_interrupt_ends_a_wait_for_a_lock) {
  auto sink = ready_sink();
  auto other = connect_to(database_->url());
  ASSERT_TRUE(other->execute("BEGIN; LOCK TABLE app.t"));
  std::thread interrupter([&] {
    EXPECT_TRUE(wait_until(
        [&] { return database_->ask("SELECT count(*) FROM pg_locks WHERE NOT granted AND relation='app.t'::regclass") == "1"; }));
    sink->interrupt();
  });
  auto report = stage(*sink, {{R"({"id":1,"v":"a"})"}});
  interrupter.join();
  ASSERT_FALSE(report);
  EXPECT_EQ(report.error().code, Errc::kCancelled);
  EXPECT_TRUE(wait_until([&] { return database_->ask("SELECT count(*) FROM pg_locks WHERE NOT granted") == "0"; }));
  EXPECT_EQ(sink->recover().error().code, Errc::kCancelled);
}

TEST_F(PostgresSink, batches_go_the_short_way_again_after_a_detour) {
  auto sink = ready_sink();
  for (uint64_t epoch = 1; epoch <= 12; ++epoch) {
    std::vector<Staged> staged = {{fmt::format(R"({{"id":{},"v":"x"}})", epoch), epoch}};
    if (epoch == 2) staged.push_back({R"({"id":1,"v":"again"})", epoch});
    ASSERT_TRUE(stage(*sink, staged));
    ASSERT_TRUE(commit(*sink, epoch));
  }
  EXPECT_EQ(database_->ask("SELECT count(*), max(v) FILTER (WHERE id=1) FROM app.t"), "12|again");
}

TEST_F(PostgresSink, a_table_that_is_gone_is_a_failed_precondition) {
  auto sink = ready_sink();
  database_->ask("DROP TABLE app.t");
  EXPECT_EQ(stage(*sink, {{R"({"id":1,"v":"a"})"}}).error().code, Errc::kFailedPrecondition);
}

}  // namespace
}  // namespace millrace::connect::postgres
