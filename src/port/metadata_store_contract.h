#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <memory>

#include "port/metadata_store.h"

namespace millrace::port {

/// What every MetadataStore must do; an implementation's test instantiates it:
///   INSTANTIATE_TEST_SUITE_P(Sqlite, MetadataStoreContract, testing::Values(MakeStore(…)));
struct StoreUnderTest {
  /// Opens what earlier calls of the same object wrote; every test case gets its own object.
  std::function<Result<std::unique_ptr<MetadataStore>>()> open;
};
using MakeStore = std::function<StoreUnderTest()>;

class MetadataStoreContract : public testing::TestWithParam<MakeStore> {
 protected:
  void SetUp() override {
    under_test_ = GetParam()();
    reopen();
  }
  void reopen() {
    store_.reset();
    auto opened = under_test_.open();
    ASSERT_TRUE(opened) << opened.error().message;
    store_ = std::move(*opened);
  }

  static Instant time(int64_t seconds) { return instant_from_micros(seconds * 1'000'000 + 5); }
  static DagRow dag(std::string id) { return {std::move(id), true, "hash", time(1), time(2)}; }
  static RunRow run(std::string id, int64_t logical, std::string state) {
    RunRow row;
    row.dag_id = "users";
    row.run_id = std::move(id);
    row.run_type = "manual";
    row.state = std::move(state);
    row.logical_date = row.data_interval_start = row.data_interval_end = row.run_after = row.queued_at = time(logical);
    row.conf = R"({"country":"Zürich"})";
    return row;
  }
  static TaskRow task(std::string run_id, std::string id, int32_t position) {
    TaskRow row;
    row.dag_id = "users";
    row.run_id = std::move(run_id);
    row.task_id = std::move(id);
    row.position = position;
    row.state = "none";
    return row;
  }
  static TryRow attempt(std::string run_id, std::string task_id, int32_t number) {
    return {"users", std::move(run_id), std::move(task_id), number, "running", time(number), std::nullopt, std::nullopt, ""};
  }

  StoreUnderTest under_test_;
  std::unique_ptr<MetadataStore> store_;
};

TEST_P(MetadataStoreContract, an_empty_store_has_nothing) {
  EXPECT_TRUE(store_->dags()->empty());
  EXPECT_TRUE(store_->unfinished_runs()->empty());
  EXPECT_TRUE(store_->runs("users", 10)->empty());
  EXPECT_EQ(store_->run("users", "r").error().code, Errc::kNotFound);
  EXPECT_EQ(store_->tries("users", "r", "t").error().code, Errc::kNotFound);
  EXPECT_TRUE(store_->apply({}));
}

TEST_P(MetadataStoreContract, rows_come_back_as_they_were_after_a_reopen) {
  DagRow d = dag("users");
  RunRow r = run("r1", 10, "running");
  r.start_date = time(11);
  r.message = "it's";
  TaskRow t = task("r1", "b", 0);
  t.try_number = 2;
  t.max_tries = 3;
  t.start_date = time(12);
  t.end_date = time(13);
  t.retry_at = time(14);
  t.message = "no answer";
  TryRow a = attempt("r1", "b", 1);
  a.exit_code = -9;
  a.end_date = time(20);
  ASSERT_TRUE(store_->apply({{d}, {r}, {t, task("r1", "a", 1)}, {a, attempt("r1", "b", 2)}}));
  reopen();
  EXPECT_EQ(*store_->dags(), std::vector<DagRow>{d});
  auto stored = store_->run("users", "r1");
  ASSERT_TRUE(stored);
  EXPECT_EQ(stored->run, r);
  EXPECT_EQ(stored->tasks, (std::vector<TaskRow>{t, task("r1", "a", 1)}));
  EXPECT_EQ(*store_->tries("users", "r1", "b"), (std::vector<TryRow>{a, attempt("r1", "b", 2)}));
  EXPECT_TRUE(store_->tries("users", "r1", "a")->empty());
}

TEST_P(MetadataStoreContract, a_row_of_the_same_id_is_replaced) {
  ASSERT_TRUE(store_->apply({{dag("users")}, {run("r1", 10, "queued")}, {task("r1", "a", 0)}, {attempt("r1", "a", 1)}}));
  DagRow d = dag("users");
  d.paused = false;
  d.last_interval_end.reset();
  RunRow r = run("r1", 10, "success");
  r.end_date = time(30);
  TaskRow t = task("r1", "a", 0);
  t.state = "success";
  TryRow a = attempt("r1", "a", 1);
  a.state = "success";
  a.exit_code = 0;
  ASSERT_TRUE(store_->apply({{d}, {r}, {t}, {a}}));
  EXPECT_EQ(*store_->dags(), std::vector<DagRow>{d});
  EXPECT_EQ(store_->run("users", "r1")->run, r);
  EXPECT_EQ(store_->run("users", "r1")->tasks, std::vector<TaskRow>{t});
  EXPECT_EQ(*store_->tries("users", "r1", "a"), std::vector<TryRow>{a});
}

TEST_P(MetadataStoreContract, the_last_of_several_rows_of_one_id_in_a_batch_counts) {
  ASSERT_TRUE(store_->apply({{}, {run("r1", 1, "queued"), run("r1", 1, "running")}, {}, {}}));
  EXPECT_EQ(store_->run("users", "r1")->run.state, "running");
}

TEST_P(MetadataStoreContract, runs_are_listed_newest_first_up_to_the_limit) {
  ASSERT_TRUE(store_->apply(
      {{}, {run("b", 20, "success"), run("a", 10, "failed"), run("c", 30, "queued"), run("c2", 30, "queued")}, {}, {}}));
  auto rows = store_->runs("users", 3);
  ASSERT_EQ(rows->size(), 3u);
  EXPECT_EQ((*rows)[0].run_id, "c2");
  EXPECT_EQ((*rows)[1].run_id, "c");
  EXPECT_EQ((*rows)[2].run_id, "b");
  EXPECT_TRUE(store_->runs("users", 0)->empty());
  EXPECT_TRUE(store_->runs("other", 3)->empty());
}

TEST_P(MetadataStoreContract, unfinished_runs_are_those_queued_or_running_with_all_their_tasks) {
  ASSERT_TRUE(
      store_->apply({{},
                     {run("late", 30, "queued"), run("done", 5, "success"), run("bad", 6, "failed"), run("early", 10, "running")},
                     {task("early", "y", 0), task("early", "x", 1), task("done", "x", 0)},
                     {}}));
  auto runs = store_->unfinished_runs();
  ASSERT_EQ(runs->size(), 2u);
  EXPECT_EQ((*runs)[0].run.run_id, "early");
  EXPECT_EQ((*runs)[0].tasks, (std::vector<TaskRow>{task("early", "y", 0), task("early", "x", 1)}));
  EXPECT_EQ((*runs)[1].run.run_id, "late");
}

TEST_P(MetadataStoreContract, a_batch_that_fails_leaves_nothing_behind) {
  Status applied = store_->apply({{dag("users")}, {run("r1", 1, "queued")}, {task("r1", "a", 0), task("nowhere", "a", 0)}, {}});
  ASSERT_FALSE(applied);
  EXPECT_EQ(applied.error().code, Errc::kFailedPrecondition);
  EXPECT_TRUE(store_->dags()->empty());
  EXPECT_TRUE(store_->unfinished_runs()->empty());
  EXPECT_TRUE(store_->apply({{dag("users")}, {run("r1", 1, "queued")}, {task("r1", "a", 0)}, {}}));
  EXPECT_EQ(store_->unfinished_runs()->size(), 1u);
}

}  // namespace millrace::port
