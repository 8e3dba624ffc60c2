#include <gtest/gtest.h>

#include <cstdlib>

#include "connect/postgres/database_bed.h"
#include "connect/postgres/metadata_sql.h"
#include "connect/postgres/postgres_metadata_store.h"
#include "connect/postgres/proxy_bed.h"
#include "port/metadata_store_contract.h"

namespace millrace::port {
namespace {

StoreUnderTest make_postgres() {
  auto database = std::make_shared<connect::postgres::TestDatabase>();
  return {[database] { return connect::postgres::open_metadata_store({database->url(), {}}, env::real_env()); }};
}

std::vector<MakeStore> servers() {
  if (connect::postgres::server_url().empty()) return {};
  return {make_postgres};
}

GTEST_ALLOW_UNINSTANTIATED_PARAMETERIZED_TEST(MetadataStoreContract);
INSTANTIATE_TEST_SUITE_P(Postgres, MetadataStoreContract, testing::ValuesIn(servers()));

}  // namespace
}  // namespace millrace::port

namespace millrace::connect::postgres {
namespace {

using port::MetadataBatch;

MetadataBatch one_run(const std::string& id, const std::string& message = "") {
  port::RunRow run;
  run.dag_id = "d";
  run.run_id = id;
  run.state = "queued";
  run.message = message;
  port::TaskRow task;
  task.dag_id = "d";
  task.run_id = id;
  task.task_id = "t";
  return {{}, {run}, {task}, {}};
}

class PostgresMetadata : public RealPostgres {
 protected:
  std::unique_ptr<port::MetadataStore> open(const std::string& url) {
    auto store = open_metadata_store({url, {}}, env::real_env());
    EXPECT_TRUE(store) << store.error().message;
    return store ? std::move(*store) : nullptr;
  }
  std::unique_ptr<port::MetadataStore> open() { return open(database_->url()); }
};

TEST_F(PostgresMetadata, a_newer_format_is_refused_and_left_as_it_is) {
  ASSERT_TRUE(open());
  database_->ask("UPDATE millrace.metadata SET version=2, scheduler='x'");
  auto opened = open_metadata_store({database_->url(), {}}, env::real_env());
  ASSERT_FALSE(opened);
  EXPECT_EQ(opened.error().code, Errc::kFailedPrecondition);
  EXPECT_EQ(database_->ask("SELECT * FROM millrace.metadata"), "2|x");
}

TEST_F(PostgresMetadata, one_process_at_a_time_schedules) {
  auto first = open();
  auto second = open_metadata_store({database_->url(), {{"application_name", "second"}}}, env::real_env());
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::kFenced);
  EXPECT_NE(second.error().message.find("'millrace scheduler' from 127.0.0.1"), std::string::npos) << second.error().message;
  ASSERT_TRUE(first->apply(one_run("r")));
  first.reset();
  EXPECT_TRUE(open());
}

TEST_F(PostgresMetadata, sessions_that_are_ended_are_opened_again) {
  auto store = open();
  ASSERT_TRUE(store->apply(one_run("a")));
  ASSERT_EQ(store->unfinished_runs()->size(), 1u);
  database_->ask("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name='millrace scheduler'");
  Status applied = store->apply(one_run("b"));
  ASSERT_TRUE(applied) << applied.error().message;
  EXPECT_EQ(store->unfinished_runs()->size(), 2u);
}

TEST_F(PostgresMetadata, a_commit_whose_answer_is_lost_is_made_again) {
  Proxy proxy(port_of(server_url()));
  auto store = open(through(proxy, database_->url()));
  proxy.cut_behind("COMMIT");
  Status applied = store->apply(one_run("a"));
  ASSERT_TRUE(applied) << applied.error().message;
  EXPECT_TRUE(proxy.has_cut());
  EXPECT_EQ(store->unfinished_runs()->size(), 1u);
}

TEST_F(PostgresMetadata, who_lost_the_schedule_meanwhile_is_fenced) {
  auto store = open();
  database_->ask("UPDATE millrace.metadata SET scheduler='another'");
  database_->ask("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name='millrace scheduler'");
  EXPECT_EQ(store->apply(one_run("a")).error().code, Errc::kFenced);
  EXPECT_EQ(database_->ask("SELECT count(*) FROM millrace.runs"), "0");
}

TEST_F(PostgresMetadata, what_a_task_has_said_may_be_no_text) {
  auto store = open();
  using namespace std::string_literals;
  ASSERT_TRUE(store->apply(one_run("a", "x\0y\xff\n"s)));
  EXPECT_EQ(store->run("d", "a")->run.message, "x\xef\xbf\xbdy\xef\xbf\xbd\n");
}

// MILLRACE_TEST_POSTGRES_RESTART is a command that restarts the server, which must be the tests' own.
TEST_F(PostgresMetadata, a_restart_of_the_server_is_survived) {
  const char* restart = std::getenv("MILLRACE_TEST_POSTGRES_RESTART");
  if (restart == nullptr) GTEST_SKIP() << "MILLRACE_TEST_POSTGRES_RESTART is not set";
  auto store = open();
  ASSERT_TRUE(store->apply(one_run("a")));
  ASSERT_EQ(std::system(restart), 0);
  Status applied = store->apply(one_run("b"));
  ASSERT_TRUE(applied) << applied.error().message;
  auto runs = store->unfinished_runs();
  ASSERT_TRUE(runs) << runs.error().message;
  EXPECT_EQ(runs->size(), 2u);
}

TEST(MetadataSql, rows_become_one_json_array) {
  MetadataBatch batch = one_run("a");
  EXPECT_EQ(tasks_json(batch),
            R"([{"dag_id":"d","run_id":"a","task_id":"t","position":0,"state":"","try_number":0,"max_tries":0,"message":""}])");
  EXPECT_EQ(dags_json(batch), "[]");
  batch.tasks.push_back(batch.tasks[0]);
  batch.tasks[1].state = "success";
  EXPECT_NE(tasks_json(batch).find("success"), std::string::npos);
  EXPECT_EQ(tasks_json(batch).find("},{"), std::string::npos) << "the last of one id";
}

}  // namespace
}  // namespace millrace::connect::postgres
