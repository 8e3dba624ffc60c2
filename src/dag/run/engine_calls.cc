// What the command line and the doors ask of an engine.
#include <fmt/format.h>

#include <algorithm>

#include "dag/run/engine.h"

namespace millrace::dag {
namespace {

constexpr size_t kConfBytesMax = 64 << 10;
constexpr size_t kNextMax = 1'000;

/// Airflow's pattern, `^[A-Za-z0-9_.~:+-]+$`.
bool is_run_id(std::string_view id) {
  return !id.empty() && id.size() <= kIdBytesMax && std::ranges::all_of(id, [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
           std::string_view("_.~:+-").find(c) != std::string_view::npos;
  });
}

}  // namespace

Status Scheduler::Impl::health() {
  MutexLock lock(mutex_);
  if (error_) return fail(*error_);
  if (no_room_) return fail(*no_room_);
  return {};
}

void Scheduler::Impl::wake() {
  MutexLock lock(mutex_);
  woken_ = true;
  work_.notify_all();
}

Result<Dag*> Scheduler::Impl::find(std::string_view dag_id) {
  if (error_) return fail(*error_);
  auto found = dags_.find(dag_id);
  if (found == dags_.end())
    return fail(Errc::kNotFound, fmt::format("there is no dag '{}'", dag_id), "`millrace dags list` shows them");
  return found->second.get();
}

DagInfo Scheduler::Impl::info(Dag& dag, Instant now) {
  DagInfo out{dag.graph, dag.row, dag.running, dag.queue.size(), std::nullopt};
  if (!dag.row.paused) out.next = next_run(dag.timetable, dag.row.last_interval_end, now);
  return out;
}

std::vector<DagInfo> Scheduler::Impl::dags() {
  MutexLock lock(mutex_);
  Instant now = env_.clock.now();
  std::vector<DagInfo> out;
  for (auto& [id, dag] : dags_) out.push_back(info(*dag, now));
  return out;
}

Result<DagInfo> Scheduler::Impl::describe(std::string_view dag_id) {
  MutexLock lock(mutex_);
  TRY(Dag * dag, find(dag_id));
  return info(*dag, env_.clock.now());
}

Result<RunInfo> Scheduler::Impl::manual_run(Dag& dag, const TriggerRequest& request) {
  Instant now = env_.clock.now();
  auto taken = [&](const std::string& id) { return dag.runs.contains(id) || store_.run(dag.row.dag_id, id).has_value(); };
  Instant logical = request.logical_date.value_or(now);
  std::string id = request.run_id.empty() ? "manual__" + iso_time(logical) : request.run_id;
  if (!is_run_id(id)) {
    return fail(Errc::kInvalidArgument, fmt::format("'{}' is no run id", id.substr(0, 80)),
                "use letters, digits and any of _ . ~ : + -");
  }
  if (id.starts_with("scheduled__")) {
    return fail(Errc::kInvalidArgument, "run ids that begin with scheduled__ are the schedule's own", "choose another run id");
  }
  if (id == "latest") return fail(Errc::kInvalidArgument, "'latest' stands for the newest run", "choose another run id");
  // Two triggers in the same microsecond are two runs, as long as neither the id nor the date was asked for.
  while (request.run_id.empty() && !request.logical_date && taken(id)) {
    logical += Duration(1);
    id = "manual__" + iso_time(logical);
  }
  if (taken(id)) return fail(Errc::kAlreadyExists, fmt::format("dag {} has a run '{}' already", dag.row.dag_id, id));
  return RunInfo{id, RunType::kManual, logical, manual_interval(dag.timetable, logical), now, now, request.conf};
}

Result<std::string> Scheduler::Impl::trigger(std::string_view dag_id, const TriggerRequest& request) {
  std::map<std::string, std::string> conf;
  if (request.conf.size() > kConfBytesMax) return fail(Errc::kInvalidArgument, "a run's conf has at most 64 KiB");
  if (request.conf != "{}") {
    if (!options_.read_conf) return fail(Errc::kUnimplemented, "this server takes no conf");
    TRY(conf, options_.read_conf(request.conf));
  }
  MutexLock lock(mutex_);
  TRY(Dag * dag, find(dag_id));
  if (stopping_) return fail(Errc::kCancelled, "the scheduler is stopping");
  if (dag->queue.size() >= options_.queued_runs_max) {
    return fail(Errc::kResourceExhausted, fmt::format("dag {} has {} queued runs", dag_id, dag->queue.size()),
                "wait until some have run");
  }
  TRY(RunInfo info, manual_run(*dag, request));
  std::string run_id = info.run_id;
  add_run(*dag, std::move(info), std::move(conf));
  TRY_DO(recorded());
  return run_id;
}

Status Scheduler::Impl::set_paused(std::string_view dag_id, bool paused) {
  MutexLock lock(mutex_);
  TRY(Dag * dag, find(dag_id));
  if (stopping_) return fail(Errc::kCancelled, "the scheduler is stopping");
  if (dag->row.paused == paused) return {};
  dag->row.paused = paused;
  batch_.dags.push_back(dag->row);
  touched_.insert(dag);
  if (!paused) {
    ready_.insert(ready_.end(), dag->parked.begin(), dag->parked.end());
    dag->parked.clear();
  }
  return recorded();
}

Result<std::vector<DueRun>> Scheduler::Impl::next(std::string_view dag_id, size_t count) {
  MutexLock lock(mutex_);
  TRY(Dag * dag, find(dag_id));
  Instant now = env_.clock.now();
  Timetable timetable = dag->timetable;
  std::optional<Instant> last_end = dag->row.last_interval_end;
  std::vector<DueRun> out;
  while (out.size() < std::min(count, kNextMax)) {
    auto due = next_run(timetable, last_end, now);
    if (!due) break;
    out.push_back(*due);
    last_end = due->interval.end;
    timetable.catchup = true;  // from the first one on, none is left out
  }
  return out;
}

Status Scheduler::Impl::clear(std::string_view dag_id, std::string_view run_id, const std::optional<std::string>& task_id,
                              bool downstream) {
  MutexLock lock(mutex_);
  TRY(Dag * dag, find(dag_id));
  if (stopping_) return fail(Errc::kCancelled, "the scheduler is stopping");
  std::vector<size_t> tasks;
  if (task_id) {
    auto task = dag->graph->find(*task_id);
    if (!task) return fail(Errc::kNotFound, fmt::format("dag {} has no task '{}'", dag_id, *task_id));
    tasks = downstream ? dag->graph->with_descendants(*task) : std::vector<size_t>{*task};
  } else {
    for (size_t i = 0; i < dag->graph->size(); ++i) tasks.push_back(i);
  }
  // A run that has just ended is in neither place until its last step is recorded.
  if (!dag->runs.contains(run_id)) TRY_DO(recorded());
  LiveRun* live = nullptr;
  if (auto found = dag->runs.find(run_id); found != dag->runs.end()) {
    live = found->second.get();
  } else {
    TRY(auto stored, store_.run(dag_id, run_id));
    TRY(live, restore(*dag, stored));
  }
  advance(*live, Cleared{std::move(tasks)}, env_.clock.now());
  return recorded();
}

bool Scheduler::Impl::idle() const {
  if (!completions_.empty() || !touched_.empty() || anything_to_record() || recorded_ + 1 < batch_number_) return false;
  return std::ranges::all_of(dags_, [](const auto& entry) { return entry.second->row.paused || entry.second->runs.empty(); });
}

bool Scheduler::Impl::wait_idle(Duration timeout) {
  MutexLock lock(mutex_);
  Duration until = env_.clock.monotonic() + timeout;
  while (!idle()) {
    if (error_ || ended_ || env_.clock.monotonic() >= until) return false;
    if (!settled_.wait_for(mutex_, timeout)) return idle();
  }
  return true;
}

Result<std::vector<std::string>> Scheduler::Impl::why(std::string_view dag_id, std::string_view run_id,
                                                      const std::optional<std::string>& task_id) {
  MutexLock lock(mutex_);
  TRY(Dag * dag, find(dag_id));
  std::optional<size_t> task;
  if (task_id) {
    task = dag->graph->find(*task_id);
    if (!task) return fail(Errc::kNotFound, fmt::format("dag {} has no task '{}'", dag_id, *task_id));
  }
  if (auto live = dag->runs.find(run_id); live != dag->runs.end()) {
    if (task) return std::vector<std::string>{why_task(*live->second, *task)};
    return why_run(*live->second);
  }
  TRY(auto stored, store_.run(dag_id, run_id));
  std::string what = fmt::format("The run is over: {}.", stored.run.state);
  std::string message = stored.run.message;
  for (const port::TaskRow& row : stored.tasks) {
    if (!task_id || row.task_id != *task_id) continue;
    what = fmt::format("The task is over: {}.", row.state);
    message = row.message;
  }
  std::vector<std::string> out{what};
  if (!message.empty()) out.push_back(fmt::format("It said: {}.", message));
  return out;
}

std::vector<std::string> Scheduler::Impl::why_run(const LiveRun& live) {
  std::vector<std::string> out;
  const Dag& dag = live.dag;
  if (dag.row.paused) out.push_back(fmt::format("The dag is paused: `millrace dags unpause {}` lets it go on.", dag.row.dag_id));
  if (live.run.state() == RunState::kQueued && dag.running >= static_cast<size_t>(dag.graph->spec().max_active_runs)) {
    out.push_back(fmt::format("The run is queued: {} runs of the dag are active, and max_active_runs is {}.", dag.running,
                              dag.graph->spec().max_active_runs));
  } else if (live.run.state() == RunState::kQueued) {
    out.push_back("The run is queued, and is about to begin.");
  }
  if (live.run.state() != RunState::kRunning) return out;
  constexpr size_t kTasksNamed = 20;
  for (size_t i = 0; i < dag.graph->size() && out.size() < kTasksNamed; ++i) {
    TaskState state = live.run.task(i).state;
    if (!is_finished(state) && state != TaskState::kNone) out.push_back(why_task(live, i));
  }
  return out;
}

std::string Scheduler::Impl::why_task(const LiveRun& live, size_t i) {
  const TaskInstance& task = live.run.task(i);
  const std::string& id = live.dag.graph->task(i).id;
  const char* paused = live.dag.row.paused ? "; the dag is paused" : "";
  switch (task.state) {
    case TaskState::kNone: {
      if (live.run.state() == RunState::kQueued) return fmt::format("Task {} waits: its run is queued{}.", id, paused);
      std::string waits;
      for (size_t parent : live.dag.graph->parents(i)) {
        if (live.run.task(parent).state == TaskState::kSuccess) continue;
        waits += fmt::format("{}{} ({})", waits.empty() ? "" : ", ", live.dag.graph->task(parent).id,
                             state_name(live.run.task(parent).state));
      }
      return fmt::format("Task {} waits for {}{}.", id, waits, paused);
    }
    case TaskState::kScheduled:
    case TaskState::kQueued:
      if (live.dag.row.paused) return fmt::format("Task {} may run, but the dag is paused.", id);
      return fmt::format("Task {} may run, and waits for a slot: {} of {} are taken.", id, running_.size(),
                         options_.tasks_at_once);
    case TaskState::kRunning:
      return fmt::format("Task {} runs, try {}, since {}.", id, task.try_number,
                         format_instant(task.start_date.value_or(Instant())));
    case TaskState::kUpForRetry:
      return fmt::format("Task {} failed ({}), and is tried again at {}{}.", id, task.message,
                         format_instant(task.retry_at.value_or(Instant())), paused);
    case TaskState::kRestarting:
      return fmt::format("Task {} was cleared while it ran: it is being stopped, and runs again then.", id);
    case TaskState::kSuccess:
    case TaskState::kFailed:
    case TaskState::kSkipped:
    case TaskState::kUpstreamFailed:
    case TaskState::kRemoved: break;
  }
  std::string said = task.message.empty() ? "" : fmt::format(" ({})", task.message);
  return fmt::format("Task {} is over: {}{}.", id, state_name(task.state), said);
}

}  // namespace millrace::dag
