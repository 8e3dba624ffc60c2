#include <gtest/gtest.h>

#include <thread>

#include "connect/postgres/database_bed.h"
#include "connect/postgres/postgres_feed.h"

namespace millrace::connect::postgres {
namespace {

class PostgresFeedTest : public RealPostgres {
 protected:
  std::unique_ptr<PostgresFeed> open(FeedOptions options) {
    auto feed = PostgresFeed::create({database_->url(), {}}, std::move(options), env::real_env());
    EXPECT_TRUE(feed) << feed.error().message;
    return std::move(*feed);
  }
  static std::vector<std::string> values(const port::Feed::Polled& polled) {
    EXPECT_FALSE(polled.error) << polled.error->message;
    std::vector<std::string> out;
    for (const auto& record : polled.records) out.push_back(*record.value);
    return out;
  }
  std::stop_source stop_;
};

using Values = std::vector<std::string>;

TEST_F(PostgresFeedTest, new_rows_come_once_in_their_order_and_after_a_resume) {
  database_->ask("CREATE TABLE t(id bigint PRIMARY KEY, name text, n numeric); INSERT INTO t VALUES (2,'é',1.10),(1,NULL,1e30)");
  FeedOptions options{.table = "t", .column = "id", .key = "name"};
  auto feed = open(options);
  auto polled = feed->poll(stop_.get_token());
  EXPECT_EQ(values(polled),
            (Values{R"({"id":1,"name":null,"n":1000000000000000000000000000000})", R"({"id":2,"name":"é","n":1.10})"}));
  EXPECT_EQ(polled.records[0].key, std::nullopt);
  EXPECT_EQ(polled.records[1].key, "é");
  EXPECT_EQ(polled.position, "id=2");
  EXPECT_EQ(polled.next_delay, options.interval);
  EXPECT_EQ(values(feed->poll(stop_.get_token())), Values{});
  database_->ask("INSERT INTO t VALUES (3,'c',9007199254740993)");
  auto resumed = open(options);
  ASSERT_TRUE(resumed->resume(polled.position));
  EXPECT_EQ(values(resumed->poll(stop_.get_token())), Values{R"({"id":3,"name":"c","n":9007199254740993})"});
  EXPECT_EQ(resumed->resume("other=1").error().code, Errc::kFailedPrecondition);
}

TEST_F(PostgresFeedTest, rows_of_equal_value_stay_together_at_the_limit) {
  database_->ask(
      "CREATE TABLE t(at timestamptz, v int); INSERT INTO t VALUES ('2026-01-01',1),('2026-01-02',2),('2026-01-02',3),"
      "('2026-01-03 01:02:03.000001',4),(NULL,5)");
  auto feed = open({.table = "public.t", .column = "at", .columns = {"v"}, .batch_max = 2});
  auto polled = feed->poll(stop_.get_token());
  EXPECT_EQ(values(polled).size(), 3u);
  EXPECT_EQ(polled.next_delay, Duration(0)) << "there is more";
  polled = feed->poll(stop_.get_token());
  EXPECT_EQ(values(polled), Values{R"({"v":4})"});
  EXPECT_EQ(polled.position, "at=2026-01-03 01:02:03.000001+00");
}

TEST_F(PostgresFeedTest, a_query_and_a_start) {
  database_->ask(
      "CREATE TABLE t(id uuid, v int); INSERT INTO t SELECT ('018f4e9e-7b1c-7a3d-8e6f-00000000000'||i)::uuid, i FROM "
      "generate_series(1,3) i");
  auto feed = open(
      {.query = "SELECT id, v * 2 AS w FROM t WHERE v <> 2", .column = "id", .start = "018f4e9e-7b1c-7a3d-8e6f-000000000001"});
  EXPECT_EQ(values(feed->poll(stop_.get_token())), Values{R"({"id":"018f4e9e-7b1c-7a3d-8e6f-000000000003","w":6})"});
}

TEST_F(PostgresFeedTest, settle_holds_back_what_is_young) {
  database_->ask("CREATE TABLE t(at timestamptz); INSERT INTO t VALUES (now()), (now() - interval '2 days')");
  auto feed = open({.table = "t", .column = "at", .settle = std::chrono::hours(24)});
  EXPECT_EQ(values(feed->poll(stop_.get_token())).size(), 1u);
  database_->ask("CREATE TABLE n(id int)");
  auto wrong = open({.table = "n", .column = "id", .settle = std::chrono::hours(24)})->poll(stop_.get_token());
  ASSERT_TRUE(wrong.error);
  EXPECT_EQ(wrong.error->code, Errc::kFailedPrecondition);
}

TEST_F(PostgresFeedTest, a_session_that_was_ended_is_opened_again) {
  database_->ask("CREATE TABLE t(id int); INSERT INTO t VALUES (1)");
  auto feed = open({.table = "t", .column = "id"});
  EXPECT_EQ(values(feed->poll(stop_.get_token())).size(), 1u);
  database_->ask(
      "INSERT INTO t VALUES (2); SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name='millrace "
      "source'");
  auto lost = feed->poll(stop_.get_token());
  ASSERT_TRUE(lost.error);
  EXPECT_EQ(lost.error->code, Errc::kUnavailable);
  EXPECT_EQ(lost.position, "id=1");
  EXPECT_EQ(values(feed->poll(stop_.get_token())), Values{R"({"id":2})"});
}

TEST_F(PostgresFeedTest, a_stop_ends_a_poll_that_waits) {
  database_->ask("CREATE TABLE t(id int)");
  auto locker = connect_to(database_->url());
  ASSERT_TRUE(locker->execute("BEGIN; LOCK TABLE t"));
  auto feed = open({.table = "t", .column = "id"});
  std::thread stopper([&] {
    EXPECT_TRUE(wait_until([&] { return database_->ask("SELECT count(*) FROM pg_locks WHERE NOT granted") == "1"; }));
    stop_.request_stop();
  });
  auto polled = feed->poll(stop_.get_token());
  stopper.join();
  ASSERT_TRUE(polled.error);
  EXPECT_EQ(polled.error->code, Errc::kCancelled);
}

TEST(PostgresFeedOptions, what_makes_no_sense) {
  PostgresOptions server{"postgresql://h/d", {}};
  EXPECT_FALSE(PostgresFeed::create(server, {.column = "id"}, env::real_env()));
  EXPECT_FALSE(PostgresFeed::create(server, {.table = "t", .query = "SELECT 1", .column = "id"}, env::real_env()));
  EXPECT_FALSE(PostgresFeed::create(server, {.table = "t"}, env::real_env()));
  EXPECT_FALSE(PostgresFeed::create(server, {.table = "t", .column = "id", .batch_max = 0}, env::real_env()));
  EXPECT_FALSE(PostgresFeed::create(server, {.table = "a.", .column = "id"}, env::real_env()));
  EXPECT_TRUE(PostgresFeed::create(server, {.table = "t", .column = "id"}, env::real_env()));
}

}  // namespace
}  // namespace millrace::connect::postgres
