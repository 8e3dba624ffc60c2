#include "dag/run/scheduler.h"

#include <gtest/gtest.h>

#include <atomic>

#include "dag/run/memory_metadata_store.h"
#include "dag/run/temporary_folder.h"
#include "env/fault.h"
#include "port/metadata_store_contract.h"

namespace millrace::port {
namespace {
/// The same rows behind every object that is opened.
class Shared final : public MetadataStore {
 public:
  explicit Shared(std::shared_ptr<MetadataStore> store) : store_(std::move(store)) {}
  Status apply(const MetadataBatch& batch) override { return store_->apply(batch); }
  Result<std::vector<DagRow>> dags() override { return store_->dags(); }
  Result<std::vector<StoredRun>> unfinished_runs() override { return store_->unfinished_runs(); }
  Result<std::vector<RunRow>> runs(std::string_view dag_id, size_t limit) override { return store_->runs(dag_id, limit); }
  Result<StoredRun> run(std::string_view dag_id, std::string_view run_id) override { return store_->run(dag_id, run_id); }
  Result<std::vector<TryRow>> tries(std::string_view dag_id, std::string_view run_id, std::string_view task_id) override {
    return store_->tries(dag_id, run_id, task_id);
  }

 private:
  std::shared_ptr<MetadataStore> store_;
};
StoreUnderTest make_memory() {
  auto store = std::make_shared<dag::MemoryMetadataStore>();
  return {[store]() -> Result<std::unique_ptr<MetadataStore>> { return std::make_unique<Shared>(store); }};
}
INSTANTIATE_TEST_SUITE_P(Memory, MetadataStoreContract, testing::Values(make_memory));
}  // namespace
}  // namespace millrace::port

namespace millrace::dag {
namespace {

constexpr Duration kLong = std::chrono::seconds(30);

/// Does at once what the task's statement says: ok, fail, skip; `block` waits to be stopped, `linger` for let_go() after that.
class FakeRunner final : public TaskRunner {
 public:
  Outcome run(const TaskContext& context, TaskLog& log, std::stop_token stop) override {
    std::string sql = std::get<SqlTask>(context.kind).sql;
    log.line("ran " + sql);
    MutexLock lock(mutex_);
    ran_.push_back(context.task_id + "#" + std::to_string(context.try_number));
    changed_.notify_all();
    if (sql == "fail" || (sql == "fail once" && context.try_number == 1)) return {Outcome::Kind::kFailed, "it failed", {}};
    if (sql == "skip") return {Outcome::Kind::kSkipped, "", {}};
    if (sql == "block" || sql == "linger") {
      std::stop_callback wake(stop, [&] { changed_.notify_all(); });
      while (!stop.stop_requested()) changed_.wait_for(mutex_, std::chrono::milliseconds(5));
      while (sql == "linger" && !let_go_) changed_.wait(mutex_);
    }
    return {};
  }
  std::vector<std::string> ran() {
    MutexLock lock(mutex_);
    return ran_;
  }
  void wait_for(size_t count) {
    MutexLock lock(mutex_);
    while (ran_.size() < count) changed_.wait(mutex_);
  }
  void let_go() {
    MutexLock lock(mutex_);
    let_go_ = true;
    changed_.notify_all();
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  std::vector<std::string> ran_ GUARDED_BY(mutex_);
  bool let_go_ GUARDED_BY(mutex_) = false;
};

TaskSpec sql(std::string id, std::string text, std::vector<std::string> after = {}, int retries = 0) {
  TaskSpec spec;
  spec.id = std::move(id);
  spec.kind = SqlTask{std::move(text)};
  spec.after = std::move(after);
  spec.retries = retries;
  spec.retry_delay = std::chrono::minutes(5);
  return spec;
}
TaskSpec exec(std::string id, std::string script) {
  TaskSpec spec;
  spec.id = std::move(id);
  spec.kind = ExecTask{{"sh", "-c", std::move(script)}, {{"OWN", "{{ ds }}"}}, ""};
  return spec;
}
DagSpec dag(std::vector<TaskSpec> tasks, std::string_view schedule = "null") {
  DagSpec spec;
  spec.id = "d";
  spec.schedule = parse_schedule(schedule).value();
  spec.start_date = parse_instant("2026-01-01").value();
  spec.tasks = std::move(tasks);
  return spec;
}

class SchedulerTest : public testing::Test {
 protected:
  void start(std::vector<DagSpec> dags, env::Clock& clock) {
    scheduler_.reset();
    SchedulerOptions options;
    options.data = folder_.path();
    options.grace = std::chrono::milliseconds(100);
    options.read_conf = [](std::string_view json) -> Result<std::map<std::string, std::string>> {
      if (json != R"({"x":"7"})") return fail(Errc::kInvalidArgument, "not an object");
      return std::map<std::string, std::string>{{"x", "7"}};
    };
    auto started =
        Scheduler::start({env::real_file_system(), clock, env::real_random()}, store_, runner_, std::move(dags), options);
    ASSERT_TRUE(started) << started.error().message;
    scheduler_ = std::move(*started);
  }
  void start(DagSpec spec) { start({std::move(spec)}, clock_); }
  void pass(Duration by) {
    clock_.advance(by);
    scheduler_->wake();
  }
  std::string trigger(TriggerRequest request = {}) {
    auto run = scheduler_->trigger("d", request);
    EXPECT_TRUE(run) << run.error().message;
    return run.value_or("");
  }
  void wait_idle() { ASSERT_TRUE(scheduler_->wait_idle(kLong)); }
  /// `run state: task state…`, from the store.
  std::string states(const std::string& run_id) {
    auto stored = store_.run("d", run_id);
    if (!stored) return stored.error().message;
    std::string out = stored->run.state + ":";
    for (const port::TaskRow& row : stored->tasks) out += " " + row.task_id + "=" + row.state;
    return out;
  }
  void wait_for_state(const std::string& run_id, const std::string& expected) {
    while (states(run_id) != expected) std::this_thread::yield();
  }

  TemporaryFolder folder_;
  env::FakeClock clock_{parse_instant("2026-11-21T15:30:00Z").value()};
  MemoryMetadataStore store_;
  FakeRunner runner_;
  std::unique_ptr<Scheduler> scheduler_;
};

TEST_F(SchedulerTest, a_triggered_run_goes_through_its_tasks) {
  start(dag({sql("a", "ok"), sql("b", "skip", {"a"}), sql("c", "ok", {"a"})}));
  std::string id = trigger();
  EXPECT_EQ(id, "manual__2026-11-21T15:30:00+00:00");
  wait_idle();
  EXPECT_EQ(states(id), "success: a=success b=skipped c=success");
  EXPECT_NE(scheduler_->log_tail("d", id, "a", 0).value().find("ran ok"), std::string::npos);
  EXPECT_EQ(scheduler_->tries("d", id, "a")->size(), 1u);
  EXPECT_EQ(scheduler_->log_tail("d", id, "a", 2).error().code, Errc::kNotFound);
}

TEST_F(SchedulerTest, a_daily_dag_enabled_mid_day_runs_once_and_then_at_midnight) {
  start(dag({sql("a", "ok")}, "@daily"));
  wait_idle();
  auto runs = scheduler_->runs("d", 10).value();
  ASSERT_EQ(runs.size(), 1u);
  EXPECT_EQ(runs[0].run_id, "scheduled__2026-11-20T00:00:00+00:00");
  EXPECT_EQ(runs[0].state, "success");
  EXPECT_EQ(scheduler_->next("d", 2).value()[1].run_after, parse_instant("2026-11-23").value());
  pass(std::chrono::hours(9));
  while (scheduler_->runs("d", 10)->size() < 2) std::this_thread::yield();
  wait_idle();
  EXPECT_EQ(scheduler_->runs("d", 10).value()[0].run_id, "scheduled__2026-11-21T00:00:00+00:00");
}

TEST_F(SchedulerTest, a_clock_that_is_set_back_repeats_no_run_and_skips_none) {
  start(dag({sql("a", "ok")}, "@hourly"));
  wait_idle();
  EXPECT_EQ(scheduler_->runs("d", 10)->size(), 1u);  // of 14:00, at 15:30
  clock_.leap(-std::chrono::hours(1));
  pass(std::chrono::minutes(30));  // 15:00
  wait_idle();
  EXPECT_EQ(scheduler_->runs("d", 10)->size(), 1u);
  pass(std::chrono::minutes(60));  // 16:00
  while (scheduler_->runs("d", 10)->size() < 2) std::this_thread::yield();
  wait_idle();
  EXPECT_EQ(scheduler_->runs("d", 10).value()[0].run_id, "scheduled__2026-11-21T15:00:00+00:00");
  EXPECT_EQ(runner_.ran(), (std::vector<std::string>{"a#1", "a#1"}));
}

TEST_F(SchedulerTest, a_clock_that_leaps_ahead_makes_one_run_and_finds_back) {
  for (int years : {12, 80}) {  // to 2038, to 2106
    const Duration leap = std::chrono::hours(24 * 365 * years);
    start(dag({sql("a", "ok")}, "@hourly"));
    wait_idle();
    size_t before = scheduler_->runs("d", 100)->size();
    clock_.leap(leap);
    scheduler_->wake();
    while (scheduler_->runs("d", 100)->size() == before) std::this_thread::yield();
    wait_idle();
    EXPECT_EQ(scheduler_->runs("d", 100)->size(), before + 1);
    clock_.leap(-leap);
    scheduler_->wake();
    while (scheduler_->next("d", 1).value()[0].run_after > clock_.now() + std::chrono::hours(1)) std::this_thread::yield();
    pass(std::chrono::hours(1));
    while (scheduler_->runs("d", 100)->size() < before + 2) std::this_thread::yield();
    wait_idle();
    EXPECT_EQ(scheduler_->runs("d", 100)->size(), before + 2);
    scheduler_->stop();
  }
}

TEST_F(SchedulerTest, a_run_that_was_made_too_early_is_not_made_again) {
  const Duration leap = std::chrono::hours(48);
  start(dag({sql("a", "ok")}, "@daily"));
  wait_idle();
  clock_.leap(leap);
  scheduler_->wake();
  while (scheduler_->runs("d", 10)->size() < 2) std::this_thread::yield();
  wait_idle();
  EXPECT_EQ(scheduler_->runs("d", 10).value()[0].run_id, "scheduled__2026-11-22T00:00:00+00:00");
  clock_.leap(-leap);
  scheduler_->wake();
  while (scheduler_->next("d", 1).value()[0].run_after > parse_instant("2026-11-22").value()) std::this_thread::yield();
  for (int day = 0; day < 3; ++day) {
    pass(std::chrono::hours(24));
    while (scheduler_->next("d", 1).value()[0].run_after <= clock_.now()) std::this_thread::yield();
    wait_idle();
  }
  // Of the 20th and the 22nd, as made before, then the 21st and the 23rd.
  EXPECT_EQ(scheduler_->runs("d", 10)->size(), 4u);
  EXPECT_EQ(runner_.ran().size(), 4u);
}

TEST_F(SchedulerTest, catchup_makes_up_for_the_time_the_server_was_down) {
  DagSpec spec = dag({sql("a", "ok")}, "@daily");
  spec.start_date = parse_instant("2026-11-18").value();
  spec.catchup = true;
  spec.max_active_runs = 2;
  start(spec);
  wait_idle();
  EXPECT_EQ(scheduler_->runs("d", 10)->size(), 3u);
  scheduler_->stop();
  clock_.advance(std::chrono::hours(24 * 5));
  start(spec);
  wait_idle();
  EXPECT_EQ(scheduler_->runs("d", 10)->size(), 8u);
  scheduler_->stop();
  clock_.advance(std::chrono::hours(24 * 5));
  spec.catchup = false;
  start(spec);
  wait_idle();
  EXPECT_EQ(scheduler_->runs("d", 20)->size(), 9u);
}

TEST_F(SchedulerTest, a_retry_waits_on_the_clock_and_across_a_restart) {
  DagSpec spec = dag({sql("a", "fail once", {}, 1)});
  start(spec);
  std::string id = trigger();
  wait_for_state(id, "running: a=up_for_retry");
  EXPECT_NE(scheduler_->why("d", id, "a").value()[0].find("tried again at 2026-11-21T15:35:00Z"), std::string::npos);
  scheduler_->stop();
  start(spec);
  EXPECT_EQ(states(id), "running: a=up_for_retry");
  pass(std::chrono::minutes(5));
  wait_idle();
  EXPECT_EQ(states(id), "success: a=success");
  EXPECT_EQ(runner_.ran(), (std::vector<std::string>{"a#1", "a#2"}));
  EXPECT_EQ(scheduler_->tries("d", id, "a").value()[0].message, "it failed");
}

TEST_F(SchedulerTest, what_ran_when_the_process_died_is_a_lost_try) {
  DagSpec spec = dag({sql("a", "ok", {}, 1), sql("b", "ok"), sql("c", "ok", {"b"}), sql("new", "ok")});
  Instant now = clock_.now();
  port::RunRow run{"d", "r", "manual", "running", now, now, now, now, now, now, {}, "{}", ""};
  port::TaskRow a{"d", "r", "a", 0, "running", 1, 1, now, {}, {}, ""};
  port::TaskRow b{"d", "r", "b", 1, "running", 1, 0, now, {}, {}, ""};
  port::TaskRow c{"d", "r", "c", 2, "none", 0, 0, {}, {}, {}, ""};
  port::TaskRow gone{"d", "r", "gone", 3, "scheduled", 0, 0, {}, {}, {}, ""};
  ASSERT_TRUE(store_.apply({{}, {run}, {a, b, c, gone}, {}}));
  start(spec);
  wait_for_state("r", "running: a=up_for_retry b=failed c=upstream_failed gone=removed new=success");
  EXPECT_EQ(scheduler_->tries("d", "r", "b").value()[0].message, "the server stopped while the task ran");
  pass(std::chrono::minutes(5));
  wait_idle();
  EXPECT_EQ(states("r"), "failed: a=success b=failed c=upstream_failed gone=removed new=success");
}

TEST_F(SchedulerTest, a_paused_dag_keeps_its_runs_queued) {
  start(dag({sql("a", "ok")}));
  ASSERT_TRUE(scheduler_->pause("d"));
  std::string id = trigger();
  EXPECT_EQ(states(id), "queued: a=none");
  EXPECT_NE(scheduler_->why("d", id).value()[0].find("paused"), std::string::npos);
  EXPECT_TRUE(store_.dags().value()[0].paused);
  ASSERT_TRUE(scheduler_->unpause("d"));
  wait_idle();
  EXPECT_EQ(states(id), "success: a=success");
}

TEST_F(SchedulerTest, no_more_runs_are_active_than_allowed) {
  DagSpec spec = dag({sql("a", "block")});
  spec.max_active_runs = 1;
  start(spec);
  std::string first = trigger();
  std::string second = trigger();
  EXPECT_NE(first, second);
  runner_.wait_for(1);
  EXPECT_EQ(states(second), "queued: a=none");
  EXPECT_NE(scheduler_->why("d", second).value()[0].find("max_active_runs is 1"), std::string::npos);
  scheduler_->stop();
  EXPECT_EQ(states(first), "success: a=success");  // it obeyed, and was done
  EXPECT_EQ(states(second), "queued: a=none");
}

TEST_F(SchedulerTest, a_stop_waits_for_what_runs_while_more_is_due) {
  DagSpec spec = dag({sql("a", "block")}, "* * * * *");
  spec.start_date = parse_instant("0001-01-01").value();
  spec.catchup = true;
  spec.max_active_runs = 1;
  DagSpec slow = dag({sql("a", "linger")});
  slow.id = "slow";
  start({spec, slow}, clock_);
  std::string slow_run = scheduler_->trigger("slow", {}).value();
  runner_.wait_for(2);
  std::string first = scheduler_->runs("d", 1).value()[0].run_id;
  std::thread stopping([this] { scheduler_->stop(); });
  wait_for_state(first, "success: a=success");
  runner_.let_go();
  stopping.join();
  EXPECT_EQ(store_.run("slow", slow_run)->run.state, "success");
  EXPECT_EQ(scheduler_->runs("d", 10)->size(), 1u);
  start({spec, slow}, clock_);
  runner_.wait_for(3);
  EXPECT_EQ(scheduler_->runs("d", 10)->size(), 2u);
}

TEST_F(SchedulerTest, a_task_that_takes_too_long_is_stopped) {
  DagSpec spec = dag({sql("a", "block")});
  spec.tasks[0].timeout = std::chrono::seconds(5);
  start(spec);
  std::string id = trigger();
  runner_.wait_for(1);
  pass(std::chrono::seconds(5));
  wait_idle();
  EXPECT_EQ(states(id), "failed: a=failed");
  EXPECT_EQ(scheduler_->tasks("d", id).value()[0].message, "the task took longer than its timeout of 5s");
}

TEST_F(SchedulerTest, a_clear_runs_it_again_and_keeps_the_history) {
  start(dag({sql("a", "ok"), sql("b", "ok", {"a"})}));
  std::string id = trigger();
  wait_idle();
  ASSERT_TRUE(scheduler_->clear("d", id, "b"));
  wait_idle();
  EXPECT_EQ(runner_.ran(), (std::vector<std::string>{"a#1", "b#1", "b#2"}));
  EXPECT_EQ(scheduler_->tries("d", id, "b")->size(), 2u);
  EXPECT_EQ(states(id), "success: a=success b=success");
  EXPECT_EQ(scheduler_->clear("d", "nope").error().code, Errc::kNotFound);
  EXPECT_EQ(scheduler_->clear("d", id, "nope").error().code, Errc::kNotFound);
}

TEST_F(SchedulerTest, a_clear_of_a_running_task_stops_and_restarts_it) {
  start(dag({sql("a", "block")}));
  std::string id = trigger();
  runner_.wait_for(1);
  ASSERT_TRUE(scheduler_->clear("d", id));
  runner_.wait_for(2);
  EXPECT_EQ(scheduler_->tries("d", id, "a").value()[0].message, "the task was cleared while it ran");
}

TEST_F(SchedulerTest, triggers_that_are_refused) {
  start(dag({sql("a", "ok")}));
  EXPECT_EQ(scheduler_->trigger("nope", {}).error().code, Errc::kNotFound);
  EXPECT_EQ(scheduler_->trigger("d", {"[1]", {}, ""}).error().code, Errc::kInvalidArgument);
  EXPECT_EQ(scheduler_->trigger("d", {"{}", {}, "a b"}).error().code, Errc::kInvalidArgument);
  EXPECT_EQ(scheduler_->trigger("d", {"{}", {}, "scheduled__x"}).error().code, Errc::kInvalidArgument);
  EXPECT_EQ(scheduler_->trigger("d", {"{}", {}, "latest"}).error().code, Errc::kInvalidArgument);
  trigger({"{}", {}, "mine"});
  EXPECT_EQ(scheduler_->trigger("d", {"{}", {}, "mine"}).error().code, Errc::kAlreadyExists);
  wait_idle();
  EXPECT_EQ(scheduler_->trigger("d", {"{}", {}, "mine"}).error().code, Errc::kAlreadyExists);
}

TEST_F(SchedulerTest, a_store_that_fails_stops_everything) {
  start(dag({sql("a", "block"), sql("b", "ok", {"a"})}));
  std::string id = trigger();
  runner_.wait_for(1);
  store_.break_down({Errc::kIo, "the disk is gone", ""});
  auto second = scheduler_->trigger("d", {});
  ASSERT_FALSE(second);
  EXPECT_NE(second.error().message.find("the disk is gone"), std::string::npos);
  EXPECT_FALSE(scheduler_->health());
  EXPECT_FALSE(scheduler_->pause("d"));
  scheduler_->stop();
  EXPECT_EQ(runner_.ran(), std::vector<std::string>{"a#1"});
}

TEST_F(SchedulerTest, fault_points_stand_before_and_after_the_record) {
  for (const char* point : {"dag.before_record", "dag.after_record"}) {
    start(dag({sql("a", "ok")}));
    wait_idle();
    size_t before = store_.batches();
    ASSERT_TRUE(env::set_faults(std::string(point) + "=eio"));
    EXPECT_FALSE(scheduler_->trigger("d", {}));
    ASSERT_TRUE(env::set_faults(""));
    scheduler_->stop();
    EXPECT_EQ(store_.batches() - before, std::string_view(point) == "dag.before_record" ? 0u : 1u);
    EXPECT_TRUE(runner_.ran().empty());
  }
}

TEST_F(SchedulerTest, a_full_disk_passes_and_the_run_goes_on) {
  start(dag({sql("a", "ok")}));
  wait_idle();
  ASSERT_TRUE(env::set_faults("dag.before_record=enospc"));
  auto refused = scheduler_->trigger("d", {});
  ASSERT_FALSE(refused);
  EXPECT_EQ(refused.error().code, Errc::kDiskFull);
  EXPECT_EQ(scheduler_->health().error().code, Errc::kDiskFull);
  EXPECT_TRUE(runner_.ran().empty());
  ASSERT_TRUE(env::set_faults(""));
  while (!scheduler_->health()) std::this_thread::yield();
  wait_idle();
  EXPECT_EQ(runner_.ran(), std::vector<std::string>{"a#1"});
  ASSERT_TRUE(env::set_faults("dag.before_record=enospc"));
  EXPECT_FALSE(scheduler_->trigger("d", {}));
  scheduler_->stop();  // does not wait for room
  ASSERT_TRUE(env::set_faults(""));
  EXPECT_EQ(runner_.ran().size(), 1u);
}

TEST_F(SchedulerTest, programs_run_with_their_environment_and_their_log) {
  start({dag({exec("t", "echo $MILLRACE_DAG_ID $AIRFLOW_CTX_TASK_ID $MILLRACE_TRY_NUMBER $OWN $DATA_INTERVAL_END; exit 0")},
             "@daily")},
        env::real_clock());
  std::string id = trigger({R"({"x":"7"})", parse_instant("2026-11-21T15:00:00Z").value(), ""});
  wait_idle();
  EXPECT_EQ(states(id), "success: t=success");
  std::string log = scheduler_->log_tail("d", id, "t", 1).value();
  EXPECT_NE(log.find(" d t 1 2026-11-21 2026-11-21T00:00:00+00:00\n"), std::string::npos) << log;
  EXPECT_EQ(scheduler_->tries("d", id, "t").value()[0].exit_code, 0);
}

TEST_F(SchedulerTest, exit_codes_decide) {
  TaskSpec missing = exec("missing", "");
  missing.kind = ExecTask{{"/nonexistent/program"}, {}, ""};
  TaskSpec unset = exec("unset", "");
  unset.kind = ExecTask{{"echo", "{{ dag_run.conf.x }}"}, {}, ""};
  unset.retries = 3;
  start({dag({exec("skip", "exit 99"), exec("bad", "exit 3"), exec("killed", "kill -9 $$"), missing, unset})}, env::real_clock());
  std::string id = trigger();
  wait_idle();
  EXPECT_EQ(states(id), "failed: skip=skipped bad=failed killed=failed missing=failed unset=failed");
  auto tasks = scheduler_->tasks("d", id).value();
  EXPECT_EQ(tasks[1].message, "exit code 3");
  EXPECT_EQ(tasks[2].message, "signal SIGKILL ended the program");
  EXPECT_NE(tasks[3].message.find("No such file"), std::string::npos);
  EXPECT_NE(tasks[4].message.find("conf has no 'x'"), std::string::npos);
}

TEST_F(SchedulerTest, a_stop_ends_stubborn_programs_and_records_it) {
  DagSpec spec = dag({exec("t", "trap '' TERM; echo ready; while :; do sleep 0.01; done")});
  start({spec}, env::real_clock());
  std::string id = trigger();
  while (scheduler_->log_tail("d", id, "t", 0).value_or("").find("ready") == std::string::npos) std::this_thread::yield();
  scheduler_->stop();
  EXPECT_EQ(states(id), "failed: t=failed");
  EXPECT_EQ(store_.tries("d", id, "t").value()[0].message, "the server is stopping");
  EXPECT_EQ(scheduler_->trigger("d", {}).error().code, Errc::kCancelled);
}

}  // namespace
}  // namespace millrace::dag
