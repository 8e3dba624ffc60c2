// How an engine takes up what an earlier process left.
#include <fmt/format.h>

#include "base/log.h"
#include "dag/run/engine.h"
#include "dag/run/orphan.h"

namespace millrace::dag {

Status Scheduler::Impl::load(std::vector<DagSpec> specs) {
  TRY(auto dag_rows, store_.dags());
  TRY(auto runs, store_.unfinished_runs());
  std::map<std::string, port::DagRow> rows;
  for (port::DagRow& row : dag_rows) rows.emplace(row.dag_id, std::move(row));

  MutexLock lock(mutex_);
  Instant now = env_.clock.now();
  for (DagSpec& spec : specs) TRY_DO(load_dag(std::move(spec), rows, now));
  for (const port::StoredRun& run : runs) TRY_DO(load_run(run, now));
  return {};
}

Status Scheduler::Impl::load_dag(DagSpec spec, const std::map<std::string, port::DagRow>& rows, Instant now) {
  auto dag = std::make_unique<Dag>();
  TRY(dag->graph, Graph::build(std::move(spec)));
  const DagSpec& sound = dag->graph->spec();
  if (auto known = rows.find(sound.id); known != rows.end()) {
    dag->row = known->second;
  } else {
    dag->row.dag_id = sound.id;
    dag->row.paused = options_.paused_at_creation;
    dag->row.created_at = now;
  }
  if (std::string hash = dag->graph->hash(); dag->row.spec_hash != hash) {
    dag->row.spec_hash = hash;
    batch_.dags.push_back(dag->row);
  }
  dag->timetable = {sound.schedule, sound.zone, sound.start_date.value_or(dag->row.created_at), sound.end_date, sound.catchup};
  touched_.insert(dag.get());
  if (!dags_.emplace(sound.id, std::move(dag)).second) {
    return fail(Errc::kInvalidArgument, fmt::format("there are two dags of the id '{}'", sound.id));
  }
  return {};
}

Status Scheduler::Impl::load_run(const port::StoredRun& stored, Instant now) {
  for (const port::TaskRow& task : stored.tasks) {
    auto state = task_state_from(task.state);
    if (state != TaskState::kRunning && state != TaskState::kRestarting) continue;
    std::string note = attempt_path(options_.data, task.dag_id, task.run_id, task.task_id, task.try_number, "pid");
    TRY(bool killed, kill_orphan(env_.files, note));
    if (killed)
      log_warn("dag", fmt::format("killed what was left of task {} of run {} of dag {}", task.task_id, task.run_id, task.dag_id));
  }
  auto dag = dags_.find(stored.run.dag_id);
  if (dag == dags_.end()) {
    log_warn("dag", fmt::format("run {} waits: the dag {} is in no file", stored.run.run_id, stored.run.dag_id));
    return {};
  }
  TRY(LiveRun * live, restore(*dag->second, stored));
  advance(*live, ServerRestarted{}, now);
  return {};
}

/// Puts a stored run into memory. Tasks that the dag has not any more are recorded as removed, new ones stand at none.
Result<LiveRun*> Scheduler::Impl::restore(Dag& dag, const port::StoredRun& stored) {
  const port::RunRow& row = stored.run;
  auto corrupt = [&](std::string_view what) {
    return fail(Errc::kCorruption, fmt::format("run {} of dag {} has an unknown {}", row.run_id, row.dag_id, what));
  };
  auto state = run_state_from(row.state);
  auto type = run_type_from(row.run_type);
  if (!state) return corrupt("state");
  if (!type) return corrupt("run type");
  std::vector<TaskInstance> tasks(dag.graph->size());
  std::vector<bool> found(tasks.size());
  for (const port::TaskRow& t : stored.tasks) {
    auto task_state = task_state_from(t.state);
    if (!task_state) return corrupt("task state");
    auto i = dag.graph->find(t.task_id);
    if (i) {
      // A task that was removed and has come back runs.
      if (task_state == TaskState::kRemoved) task_state = TaskState::kNone;
      tasks[*i] = {*task_state, t.try_number, t.max_tries, t.start_date, t.end_date, t.retry_at, t.message};
      found[*i] = true;
    } else if (!is_finished(*task_state)) {
      port::TaskRow removed = t;
      removed.state = state_name(TaskState::kRemoved);
      removed.message = "the task is no longer in the dag";
      batch_.tasks.push_back(std::move(removed));
    }
  }
  std::map<std::string, std::string> conf;
  if (row.conf != "{}" && options_.read_conf) {
    auto read = options_.read_conf(row.conf);
    if (read) conf = std::move(*read);
  }
  RunInfo info{row.run_id,    *type,         row.logical_date, {row.data_interval_start, row.data_interval_end},
               row.run_after, row.queued_at, row.conf};
  std::optional<Instant> begun = state == RunState::kRunning ? row.start_date.value_or(row.queued_at) : row.start_date;
  DagRun run(dag.graph, std::move(info), *state, begun, std::move(tasks));
  auto live = std::unique_ptr<LiveRun>(new LiveRun{dag, std::move(run), std::move(conf), {}, false, 0, {}});
  for (size_t i = 0; i < found.size(); ++i) {
    if (found[i]) continue;
    live->changed_tasks.insert(i);
    changed_runs_.insert(live.get());
  }
  if (state == RunState::kRunning) ++dag.running;
  if (state == RunState::kQueued) dag.queue.emplace(row.run_after, row.run_id);
  set_timer(*live);
  touched_.insert(&dag);
  return dag.runs.emplace(row.run_id, std::move(live)).first->second.get();
}

}  // namespace millrace::dag
