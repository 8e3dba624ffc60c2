#include "dag/core/dag_run.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"

namespace millrace::dag {
namespace {

constexpr Duration kRetryDelayMax = std::chrono::hours(24);

bool is_active(TaskState state) { return !is_finished(state) && state != TaskState::kNone; }
bool is_bad(TaskState state) { return state == TaskState::kFailed || state == TaskState::kUpstreamFailed; }

uint64_t hash_of(std::string_view text) {
  uint64_t hash = 0xcbf29ce484222325;
  for (char c : text) hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  return hash;
}

}  // namespace

DagRun::DagRun(std::shared_ptr<const Graph> graph, RunInfo info)
    : graph_(std::move(graph)), info_(std::move(info)), tasks_(graph_->size()) {
  for (size_t i = 0; i < tasks_.size(); ++i) tasks_[i].max_tries = graph_->task(i).retries;
  count();
}

DagRun::DagRun(std::shared_ptr<const Graph> graph, RunInfo info, RunState state, std::optional<Instant> start_date,
               std::vector<TaskInstance> tasks)
    : graph_(std::move(graph)), info_(std::move(info)), state_(state), start_date_(start_date), tasks_(std::move(tasks)) {
  CHECK(tasks_.size() == graph_->size(), "a run has one instance of each task");
  count();
}

Step DagRun::advance(const Event& event, Instant now) {
  Step step;
  std::visit([&](const auto& e) { on(e, now, step); }, event);
  settle(now, step);
  return step;
}

std::optional<Instant> DagRun::wake_at() const {
  if (state_ != RunState::kRunning) return std::nullopt;
  std::optional<Instant> at;
  if (!retries_.empty()) at = retries_.begin()->first;
  if (auto limit = graph_->spec().dagrun_timeout; limit && (!at || *start_date_ + *limit < *at)) at = *start_date_ + *limit;
  return at;
}

void DagRun::on(const Admitted&, Instant now, Step& step) {
  if (state_ != RunState::kQueued) return;
  state_ = RunState::kRunning;
  start_date_ = now;
  step.run_changed = true;
  for (size_t i = 0; i < tasks_.size(); ++i) {
    // A task that waited when another one was cleared still may run.
    if (tasks_[i].state == TaskState::kScheduled) step.ready.push_back(i);
    consider(i, now, step);
  }
}

void DagRun::on(const TaskStarted& started, Instant now, Step& step) {
  TaskInstance& task = tasks_[started.task];
  if (task.state != TaskState::kScheduled) return;
  move(started.task, TaskState::kRunning, step);
  ++task.try_number;
  task.start_date = now;
  task.end_date.reset();
  task.message.clear();
  step.attempts.push_back({started.task, task.try_number, TaskState::kRunning, now, std::nullopt, std::nullopt, ""});
}

void DagRun::on(const TaskEnded& ended, Instant now, Step& step) {
  // An attempt that was given up (the run's time was up) may still report its end.
  if (ended.try_number == tasks_[ended.task].try_number) end_attempt(ended.task, ended.outcome, now, step);
}

void DagRun::on(const TimePassed&, Instant now, Step& step) {
  if (state_ != RunState::kRunning) return;
  if (auto limit = graph_->spec().dagrun_timeout; limit && now >= *start_date_ + *limit) return time_out(now, step);
  while (!retries_.empty() && retries_.begin()->first <= now) schedule(retries_.begin()->second, step);
}

void DagRun::on(const Cleared& cleared, Instant, Step& step) {
  if (cleared.tasks.empty()) return;
  for (size_t i : cleared.tasks) {
    TaskState state = tasks_[i].state;
    if (state == TaskState::kRunning) {
      move(i, TaskState::kRestarting, step);
      step.stop.push_back(i);
    } else if (state != TaskState::kRestarting) {
      forget(i, step);
    }
  }
  state_ = RunState::kQueued;
  start_date_.reset();
  end_date_.reset();
  message_.clear();
  step.run_changed = true;
  count();
}

void DagRun::on(const ServerRestarted&, Instant now, Step& step) {
  Outcome lost{Outcome::Kind::kFailed, "the server stopped while the task ran", std::nullopt};
  for (size_t i = 0; i < tasks_.size(); ++i) {
    TaskState state = tasks_[i].state;
    if (state == TaskState::kRunning || state == TaskState::kRestarting) end_attempt(i, lost, now, step);
    if (state == TaskState::kQueued) move(i, TaskState::kScheduled, step);
    if (tasks_[i].state == TaskState::kScheduled && state_ == RunState::kRunning) step.ready.push_back(i);
    if (state == TaskState::kNone) consider(i, now, step);
  }
}

void DagRun::count() {
  parents_.assign(tasks_.size(), {});
  unfinished_ = active_ = bad_leaves_ = 0;
  retries_.clear();
  for (size_t i = 0; i < tasks_.size(); ++i) {
    const TaskInstance& task = tasks_[i];
    if (!is_finished(task.state)) ++unfinished_;
    if (is_active(task.state)) ++active_;
    if (is_bad(task.state) && graph_->children(i).empty()) ++bad_leaves_;
    if (task.state == TaskState::kUpForRetry) retries_.emplace(task.retry_at.value_or(Instant()), i);
    for (size_t child : graph_->children(i)) {
      if (task.state == TaskState::kSuccess) ++parents_[child].success;
      if (task.state == TaskState::kSkipped) ++parents_[child].skipped;
      if (task.state == TaskState::kFailed) ++parents_[child].failed;
      if (task.state == TaskState::kUpstreamFailed) ++parents_[child].upstream_failed;
    }
  }
}

void DagRun::move(size_t i, TaskState to, Step& step) {
  TaskInstance& task = tasks_[i];
  TaskState from = task.state;
  if (from == to) return;
  if (from == TaskState::kUpForRetry) {
    retries_.erase({task.retry_at.value_or(Instant()), i});
    task.retry_at.reset();
  }
  if (to == TaskState::kUpForRetry) retries_.emplace(*task.retry_at, i);
  active_ += is_active(to);
  active_ -= is_active(from);
  unfinished_ += !is_finished(to);
  unfinished_ -= !is_finished(from);
  task.state = to;
  step.record.push_back({i, from, to});
}

void DagRun::finish(size_t i, TaskState to, std::string message, Instant now, Step& step) {
  move(i, to, step);
  tasks_[i].end_date = now;
  tasks_[i].message = std::move(message);
  if (is_bad(to) && graph_->children(i).empty()) ++bad_leaves_;
  just_finished_.push_back(i);
}

void DagRun::schedule(size_t i, Step& step) {
  move(i, TaskState::kScheduled, step);
  step.ready.push_back(i);
}

/// As if the task had never run, but its tries go on counting.
void DagRun::forget(size_t i, Step& step) {
  move(i, TaskState::kNone, step);
  int tries = tasks_[i].try_number;
  tasks_[i] = TaskInstance{};
  tasks_[i].try_number = tries;
  tasks_[i].max_tries = tries + graph_->task(i).retries;
}

/// Trigger rules (Airflow's `TriggerRuleDep`): what the direct parents' states mean for a task that has not begun.
void DagRun::consider(size_t i, Instant now, Step& step) {
  if (tasks_[i].state != TaskState::kNone || state_ != RunState::kRunning) return;
  const Parents& parents = parents_[i];
  switch (graph_->task(i).trigger_rule) {
    case TriggerRule::kAllSuccess:
      if (parents.failed + parents.upstream_failed > 0) {
        finish(i, TaskState::kUpstreamFailed, "a task before it failed", now, step);
      } else if (parents.skipped > 0) {
        finish(i, TaskState::kSkipped, "a task before it was skipped", now, step);
      } else if (parents.success == graph_->parents(i).size()) {
        schedule(i, step);
      }
  }
}

void DagRun::end_attempt(size_t i, const Outcome& outcome, Instant now, Step& step) {
  TaskInstance& task = tasks_[i];
  bool cleared = task.state == TaskState::kRestarting;
  if (task.state != TaskState::kRunning && !cleared) return;
  TaskState result = TaskState::kFailed;
  if (!cleared && outcome.kind == Outcome::Kind::kSuccess) result = TaskState::kSuccess;
  if (!cleared && outcome.kind == Outcome::Kind::kSkipped) result = TaskState::kSkipped;
  std::string message = cleared ? "the task was cleared while it ran" : outcome.message;
  step.attempts.push_back({i, task.try_number, result, task.start_date.value_or(now), now, outcome.exit_code, message});
  if (cleared) {
    forget(i, step);
    consider(i, now, step);
  } else if (result == TaskState::kFailed && outcome.kind == Outcome::Kind::kFailed && task.try_number <= task.max_tries) {
    task.retry_at = now + retry_delay(i);
    task.end_date = now;
    task.message = std::move(message);
    move(i, TaskState::kUpForRetry, step);
  } else {
    finish(i, result, std::move(message), now, step);
  }
}

void DagRun::settle(Instant now, Step& step) {
  while (!just_finished_.empty()) {
    size_t i = just_finished_.back();
    just_finished_.pop_back();
    for (size_t child : graph_->children(i)) {
      Parents& parents = parents_[child];
      if (tasks_[i].state == TaskState::kSuccess) ++parents.success;
      if (tasks_[i].state == TaskState::kSkipped) ++parents.skipped;
      if (tasks_[i].state == TaskState::kFailed) ++parents.failed;
      if (tasks_[i].state == TaskState::kUpstreamFailed) ++parents.upstream_failed;
      consider(child, now, step);
    }
  }
  if (state_ != RunState::kRunning) return;
  if (unfinished_ == 0) {
    if (bad_leaves_ > 0) {
      end_run(RunState::kFailed, "a last task failed, or a task before it", now, step);
    } else {
      end_run(RunState::kSuccess, "", now, step);
    }
  } else if (active_ == 0) {
    end_run(RunState::kFailed, "deadlock: no task runs, and none can be started", now, step);
  }
}

void DagRun::end_run(RunState state, std::string message, Instant now, Step& step) {
  state_ = state;
  end_date_ = now;
  message_ = std::move(message);
  step.run_changed = true;
}

void DagRun::time_out(Instant now, Step& step) {
  std::string why =
      fmt::format("the run took longer than its dagrun_timeout of {}", format_duration(*graph_->spec().dagrun_timeout));
  for (size_t i = 0; i < tasks_.size(); ++i) {
    TaskInstance& task = tasks_[i];
    if (is_finished(task.state)) continue;
    if (task.state == TaskState::kRunning || task.state == TaskState::kRestarting) {
      step.attempts.push_back({i, task.try_number, TaskState::kSkipped, task.start_date.value_or(now), now, std::nullopt, why});
      step.stop.push_back(i);
    }
    finish(i, TaskState::kSkipped, why, now, step);
  }
  just_finished_.clear();
  end_run(RunState::kFailed, std::move(why), now, step);
}

/// Airflow's formula: with backoff the n-th failure waits between delay * 2^(n-1) and twice that, by a hash, so that a run
/// repeats it.
Duration DagRun::retry_delay(size_t i) const {
  const TaskSpec& spec = graph_->task(i);
  Duration delay = std::min(spec.retry_delay, kRetryDelayMax);
  if (spec.retry_exponential_backoff) {
    for (int n = 1; n < tasks_[i].try_number && delay < kRetryDelayMax; ++n) delay *= 2;
    if (int64_t seconds = std::chrono::ceil<std::chrono::seconds>(delay).count(); seconds > 0) {
      std::string key =
          fmt::format("{}#{}#{}#{}", graph_->spec().id, spec.id, iso_time(info_.logical_date), tasks_[i].try_number);
      delay = std::chrono::seconds(seconds + static_cast<int64_t>(hash_of(key) % static_cast<uint64_t>(seconds)));
    }
  }
  delay = std::min(delay, kRetryDelayMax);
  return spec.max_retry_delay ? std::min(delay, *spec.max_retry_delay) : delay;
}

}  // namespace millrace::dag
