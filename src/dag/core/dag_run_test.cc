#include "dag/core/dag_run.h"

#include <gtest/gtest.h>

#include <algorithm>

namespace millrace::dag {
namespace {

constexpr Instant kStart{std::chrono::hours(24 * 365 * 50)};
Instant at(int64_t seconds) { return kStart + std::chrono::seconds(seconds); }

TaskSpec task(std::string id, std::vector<std::string> after = {}, int retries = 0) {
  TaskSpec spec;
  spec.id = std::move(id);
  spec.kind = SqlTask{"SELECT 1"};
  spec.after = std::move(after);
  spec.retries = retries;
  spec.retry_delay = std::chrono::seconds(60);
  return spec;
}
std::shared_ptr<const Graph> graph(std::vector<TaskSpec> tasks, std::optional<Duration> timeout = {}) {
  DagSpec spec;
  spec.id = "d";
  spec.tasks = std::move(tasks);
  spec.dagrun_timeout = timeout;
  auto built = Graph::build(std::move(spec));
  EXPECT_TRUE(built) << built.error().message;
  return *built;
}

/// A run with what a scheduler would do: it starts whatever is ready.
class Play {
 public:
  explicit Play(std::shared_ptr<const Graph> g)
      : run(std::move(g), RunInfo{"r", RunType::kManual, kStart, {}, kStart, kStart, "{}"}) {}
  Step happen(const Event& event) {
    Step step = run.advance(event, now);
    for (size_t i : step.ready) run.advance(TaskStarted{i}, now);
    return step;
  }
  Step end(const char* id, Outcome::Kind kind) {
    size_t i = run.graph().find(id).value();
    return happen(TaskEnded{i, run.task(i).try_number, {kind, "", 1}});
  }
  Step succeed(const char* id) { return end(id, Outcome::Kind::kSuccess); }
  Step fail(const char* id) { return end(id, Outcome::Kind::kFailed); }
  std::string states() const {
    std::string out(state_name(run.state()));
    for (size_t i = 0; i < run.graph().size(); ++i)
      out += " " + run.graph().task(i).id + ":" + std::string(state_name(run.task(i).state));
    return out;
  }
  DagRun run;
  Instant now = kStart;
};

TEST(DagRun, goes_through_a_diamond) {
  Play play(graph({task("a"), task("b", {"a"}), task("c", {"a"}), task("d", {"b", "c"})}));
  EXPECT_EQ(play.states(), "queued a:none b:none c:none d:none");
  Step step = play.happen(Admitted{});
  EXPECT_TRUE(step.run_changed);
  EXPECT_EQ(step.record, (std::vector<Transition>{{0, TaskState::kNone, TaskState::kScheduled}}));
  EXPECT_EQ(play.states(), "running a:running b:none c:none d:none");
  step = play.succeed("a");
  EXPECT_EQ(step.ready, (std::vector<size_t>{1, 2}));
  EXPECT_EQ(step.attempts.size(), 1u);
  EXPECT_EQ(step.attempts[0].exit_code, 1);
  play.succeed("c");
  EXPECT_EQ(play.states(), "running a:success b:running c:success d:none");
  play.succeed("b");
  step = play.succeed("d");
  EXPECT_TRUE(step.run_changed);
  EXPECT_EQ(play.states(), "success a:success b:success c:success d:success");
}

TEST(DagRun, a_failure_goes_down_at_once_and_other_branches_go_on) {
  Play play(graph({task("a"), task("b", {"a"}), task("c", {"b"}), task("x"), task("y", {"x"})}));
  play.happen(Admitted{});
  play.fail("a");
  EXPECT_EQ(play.states(), "running a:failed b:upstream_failed c:upstream_failed x:running y:none");
  play.succeed("x");
  play.succeed("y");
  EXPECT_EQ(play.run.state(), RunState::kFailed);
}

TEST(DagRun, a_skip_goes_down_and_is_no_failure) {
  Play play(graph({task("a"), task("b", {"a"})}));
  play.happen(Admitted{});
  play.end("a", Outcome::Kind::kSkipped);
  EXPECT_EQ(play.states(), "success a:skipped b:skipped");
}

TEST(DagRun, a_failed_parent_beats_a_skipped_one) {
  Play play(graph({task("a"), task("b"), task("c", {"a", "b"})}));
  play.happen(Admitted{});
  play.fail("a");
  EXPECT_EQ(play.states(), "running a:failed b:running c:upstream_failed");
  play.end("b", Outcome::Kind::kSkipped);
  EXPECT_EQ(play.run.state(), RunState::kFailed);
}

TEST(DagRun, retries_wait_their_delay_and_run_out) {
  Play play(graph({task("a", {}, 1)}));
  play.happen(Admitted{});
  play.now = at(5);
  play.fail("a");
  EXPECT_EQ(play.states(), "running a:up_for_retry");
  EXPECT_EQ(play.run.wake_at(), at(65));
  play.now = at(64);
  EXPECT_TRUE(play.happen(TimePassed{}).record.empty());
  play.now = at(65);
  play.happen(TimePassed{});
  EXPECT_EQ(play.states(), "running a:running");
  EXPECT_EQ(play.run.task(0).try_number, 2);
  EXPECT_EQ(play.run.wake_at(), std::nullopt);
  play.fail("a");
  EXPECT_EQ(play.states(), "failed a:failed");
}

TEST(DagRun, a_failure_for_good_is_not_retried) {
  Play play(graph({task("a", {}, 5)}));
  play.happen(Admitted{});
  play.end("a", Outcome::Kind::kFailedForGood);
  EXPECT_EQ(play.states(), "failed a:failed");
}

TEST(DagRun, backoff_doubles_within_its_bounds_and_repeats_itself) {
  TaskSpec spec = task("a", {}, 8);
  spec.retry_exponential_backoff = true;
  spec.max_retry_delay = std::chrono::seconds(1000);
  Play one(graph({spec}));
  Play two(graph({spec}));
  one.happen(Admitted{});
  two.happen(Admitted{});
  int64_t base = 60;
  for (int n = 1; n <= 8; ++n, base *= 2) {
    one.fail("a");
    two.fail("a");
    Duration wait = *one.run.wake_at() - one.now;
    EXPECT_EQ(one.run.wake_at(), two.run.wake_at());
    EXPECT_GE(wait, std::chrono::seconds(std::min<int64_t>(base, 1000)));
    EXPECT_LE(wait, std::chrono::seconds(std::min<int64_t>(2 * base, 1000)));
    one.now = two.now = *one.run.wake_at();
    one.happen(TimePassed{});
    two.happen(TimePassed{});
  }
}

TEST(DagRun, an_end_of_another_try_is_not_believed) {
  Play play(graph({task("a", {}, 1)}));
  play.happen(Admitted{});
  Step step = play.run.advance(TaskEnded{0, 7, {}}, play.now);
  EXPECT_TRUE(step.record.empty());
  EXPECT_EQ(play.states(), "running a:running");
  play.fail("a");
  step = play.run.advance(TaskEnded{0, 1, {}}, play.now);
  EXPECT_TRUE(step.record.empty());
}

TEST(DagRun, clearing_a_task_and_those_after_it_runs_them_again) {
  auto g = graph({task("a"), task("b", {"a"}, 2), task("c", {"b"})});
  Play play(g);
  play.happen(Admitted{});
  play.succeed("a");
  play.end("b", Outcome::Kind::kFailedForGood);
  EXPECT_EQ(play.states(), "failed a:success b:failed c:upstream_failed");
  play.happen(Cleared{g->with_descendants(1)});
  EXPECT_EQ(play.states(), "queued a:success b:none c:none");
  EXPECT_EQ(play.run.task(1).max_tries, 3);
  play.happen(Admitted{});
  EXPECT_EQ(play.run.task(1).try_number, 2);
  play.succeed("b");
  play.succeed("c");
  EXPECT_EQ(play.states(), "success a:success b:success c:success");
}

TEST(DagRun, clearing_a_running_task_stops_it_and_costs_no_retry) {
  Play play(graph({task("a", {}, 1)}));
  play.happen(Admitted{});
  Step step = play.happen(Cleared{{0}});
  EXPECT_EQ(step.stop, std::vector<size_t>{0});
  EXPECT_EQ(play.states(), "queued a:restarting");
  play.happen(Admitted{});
  step = play.fail("a");
  EXPECT_EQ(step.attempts[0].message, "the task was cleared while it ran");
  EXPECT_EQ(play.states(), "running a:running");
  EXPECT_EQ(play.run.task(0).try_number, 2);
  EXPECT_EQ(play.run.task(0).max_tries, 2);
}

TEST(DagRun, a_run_that_takes_too_long_fails_and_its_rest_is_skipped) {
  Play play(graph({task("a"), task("b", {"a"})}, std::chrono::seconds(100)));
  play.happen(Admitted{});
  EXPECT_EQ(play.run.wake_at(), at(100));
  play.now = at(100);
  Step step = play.happen(TimePassed{});
  EXPECT_EQ(step.stop, std::vector<size_t>{0});
  EXPECT_EQ(play.states(), "failed a:skipped b:skipped");
  EXPECT_TRUE(play.succeed("a").record.empty());
}

TEST(DagRun, a_restart_counts_the_lost_try) {
  auto g = graph({task("a", {}, 1), task("b"), task("c", {"a"}), task("d")});
  std::vector<TaskInstance> tasks(4);
  tasks[0] = {TaskState::kRunning, 1, 1, kStart, {}, {}, ""};
  tasks[1] = {TaskState::kRunning, 1, 0, kStart, {}, {}, ""};
  tasks[3] = {TaskState::kScheduled, 0, 0, {}, {}, {}, ""};
  Play play(g);
  play.run = DagRun(g, play.run.info(), RunState::kRunning, kStart, tasks);
  Step step = play.happen(ServerRestarted{});
  EXPECT_EQ(play.states(), "running a:up_for_retry b:failed c:none d:running");
  ASSERT_EQ(step.attempts.size(), 2u);
  EXPECT_EQ(step.attempts[0].message, "the server stopped while the task ran");
  EXPECT_EQ(step.attempts[0].state, TaskState::kFailed);
}

TEST(DagRun, a_run_whose_last_tasks_left_the_dag_ends_at_the_restart) {
  auto g = graph({task("a")});
  std::vector<TaskInstance> tasks(1);
  tasks[0].state = TaskState::kSuccess;
  DagRun run(g, RunInfo{}, RunState::kRunning, kStart, tasks);
  EXPECT_TRUE(run.advance(ServerRestarted{}, kStart).run_changed);
  EXPECT_EQ(run.state(), RunState::kSuccess);
}

TEST(DagRun, a_completion_costs_its_edges_and_not_the_dag) {
  // Ten thousand tasks in a chain that fails at its head: no recursion, every task once.
  std::vector<TaskSpec> tasks{task("t0")};
  for (size_t i = 1; i < kTasksMax; ++i) tasks.push_back(task("t" + std::to_string(i), {"t" + std::to_string(i - 1)}));
  Play play(graph(std::move(tasks)));
  EXPECT_EQ(play.happen(Admitted{}).record.size(), 1u);
  EXPECT_EQ(play.fail("t0").record.size(), kTasksMax);
  EXPECT_EQ(play.run.state(), RunState::kFailed);
}

TEST(Graph, what_is_wrong_is_named) {
  auto build = [](std::vector<TaskSpec> tasks) {
    DagSpec spec;
    spec.id = "d";
    spec.tasks = std::move(tasks);
    return Graph::build(std::move(spec));
  };
  TaskSpec bad_template = task("t");
  bad_template.kind = SqlTask{"SELECT '{{ nothing }}'"};
  TaskSpec no_program = task("t");
  no_program.kind = ExecTask{};
  TaskSpec negative = task("t", {}, -1);
  const std::pair<std::vector<TaskSpec>, const char*> cases[] = {
      {{}, "no tasks"},
      {{task("a"), task("a")}, "task a: there are two"},
      {{task("a", {"z"})}, "after 'z', which is no task"},
      {{task("a/b")}, "slash"},
      {{task("")}, "empty"},
      {{task(std::string(300, 'a'))}, "at most"},
      {{task("a", {"c"}), task("b", {"a"}), task("c", {"b"}), task("d", {"c"})}, "wait for each other"},
      {{task("a", {"a"})}, "a <- a"},
      {{bad_template}, "no template name 'nothing'"},
      {{no_program}, "no program"},
      {{negative}, "retries"},
  };
  for (const auto& [tasks, why] : cases) {
    auto built = build(tasks);
    ASSERT_FALSE(built) << why;
    EXPECT_NE(built.error().message.find(why), std::string::npos) << built.error().message;
    EXPECT_NE(built.error().message.find("dag d"), std::string::npos);
  }
}

TEST(Graph, the_hash_follows_the_content) {
  EXPECT_EQ(graph({task("a")})->hash(), graph({task("a")})->hash());
  EXPECT_NE(graph({task("a")})->hash(), graph({task("b")})->hash());
  EXPECT_NE(graph({task("a")})->hash(), graph({task("a", {}, 1)})->hash());
}

}  // namespace
}  // namespace millrace::dag
