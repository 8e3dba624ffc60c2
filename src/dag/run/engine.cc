#include "dag/run/engine.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/log.h"
#include "dag/run/exec_task.h"
#include "env/fault.h"

namespace millrace::dag {
namespace {

// The wall clock may be set: look at it again now and then.
constexpr Duration kLookAgain = std::chrono::seconds(10);
constexpr Duration kFar = std::chrono::hours(24);  // by so much no clock is set on purpose

port::RunRow row_of(const LiveRun& live) {
  const RunInfo& info = live.run.info();
  port::RunRow row;
  row.dag_id = live.dag.row.dag_id;
  row.run_id = info.run_id;
  row.run_type = run_type_name(info.type);
  row.state = state_name(live.run.state());
  row.logical_date = info.logical_date;
  row.data_interval_start = info.interval.start;
  row.data_interval_end = info.interval.end;
  row.run_after = info.run_after;
  row.queued_at = info.queued_at;
  row.start_date = live.run.start_date();
  row.end_date = live.run.end_date();
  row.conf = info.conf;
  row.message = live.run.message();
  return row;
}

port::TaskRow row_of(const LiveRun& live, size_t i) {
  const TaskInstance& task = live.run.task(i);
  return {live.dag.row.dag_id,
          live.run.info().run_id,
          live.dag.graph->task(i).id,
          static_cast<int32_t>(i),
          std::string(state_name(task.state)),
          task.try_number,
          task.max_tries,
          task.start_date,
          task.end_date,
          task.retry_at,
          task.message};
}

}  // namespace

Scheduler::Impl::Impl(env::Env env, port::MetadataStore& store, TaskRunner& runner, SchedulerOptions options)
    : env_(env),
      store_(store),
      runner_(runner),
      options_(std::move(options)),
      environment_(inherited_environment()),
      workers_(std::max<size_t>(options_.tasks_at_once, 1)) {}

void Scheduler::Impl::begin() {
  thread_ = std::thread([this] { loop(); });
}

void Scheduler::Impl::stop() {
  {
    MutexLock lock(mutex_);
    stopping_ = true;
    for (auto& [id, running] : running_) request_stop(running, "the server is stopping");
    work_.notify_all();
  }
  if (thread_.joinable()) thread_.join();
  workers_.stop();
}

void Scheduler::Impl::loop() {
  while (true) {
    port::MetadataBatch batch;
    std::vector<Launch> launches;
    {
      MutexLock lock(mutex_);
      decide();
      while (!anything_to_record() && !(stopping_ && running_.empty())) {
        wait_for_work();
        decide();
      }
      if (!anything_to_record()) {
        ended_ = true;
        settled_.notify_all();
        return;
      }
      batch = take_batch();
      launches.swap(launches_);
    }
    Status done = record(batch);
    MutexLock lock(mutex_);
    ++recorded_;
    if (!done) break_down(done.error());
    for (Launch& launch : launches) {
      // After a failure the slot is given back without a start: what was not recorded is not carried out.
      if (!done) {
        running_.erase(launch.attempt);
      } else {
        workers_.submit([this, l = std::move(launch)]() mutable { work(l); });
      }
    }
    settled_.notify_all();
  }
}

Status Scheduler::Impl::record(const port::MetadataBatch& batch) {
  while (true) {
    Status done = env::fault("dag.before_record");
    if (done) done = store_.apply(batch);
    if (done) break;
    if (done.error().code != Errc::kDiskFull || !wait_for_room(done.error())) return done;
  }
  {
    MutexLock lock(mutex_);
    no_room_.reset();
  }
  return env::fault("dag.after_record");
}

bool Scheduler::Impl::wait_for_room(Error error) {
  constexpr Duration kTryAgain = std::chrono::milliseconds(500);
  MutexLock lock(mutex_);
  if (!no_room_) {
    log_error("dag", fmt::format("the scheduler waits until its state can be recorded: {}", error.message));
    no_room_ = at("the scheduler waits for room on the disk", std::move(error));
  }
  settled_.notify_all();
  if (!stopping_) work_.wait_for(mutex_, kTryAgain);
  return !stopping_;
}

void Scheduler::Impl::break_down(Error error) {
  log_error("dag", fmt::format("the scheduler stops, because its state cannot be recorded: {}", error.message));
  error_ = at("the scheduler has stopped", std::move(error));
  for (auto& [id, running] : running_) request_stop(running, "the server is stopping");
}

void Scheduler::Impl::wait_for_work() {
  if (woken_ || !completions_.empty() || !touched_.empty()) {
    woken_ = false;
    return;
  }
  settled_.notify_all();  // nothing is left to decide: who waits for that may look
  Duration wait = kLookAgain;
  Instant now = env_.clock.now();
  if (!error_ && !stopping_) {
    if (!run_timers_.empty()) wait = std::min(wait, run_timers_.begin()->first - now);
    if (!dag_timers_.empty()) wait = std::min(wait, dag_timers_.begin()->first - now);
  }
  Duration monotonic = env_.clock.monotonic();
  for (const auto& [id, running] : running_) {
    if (running.deadline && running.stop_reason.empty()) wait = std::min(wait, *running.deadline - monotonic);
  }
  if (wait > Duration(0)) work_.wait_for(mutex_, wait);
  woken_ = false;
}

void Scheduler::Impl::decide() {
  Instant now = env_.clock.now();
  stop_overdue();
  take_completions(now);
  if (stopping_ || error_) {
    touched_.clear();  // no run is begun any more, so nothing is to be looked at
    return;
  }
  take_timers(now);
  while (!touched_.empty()) {
    Dag& dag = **touched_.begin();
    touched_.erase(touched_.begin());
    plan(dag, now);
    admit(dag, now);
  }
  assign_slots(now);
}

void Scheduler::Impl::stop_overdue() {
  Duration monotonic = env_.clock.monotonic();
  for (auto& [id, running] : running_) {
    if (!running.deadline || monotonic < *running.deadline || running.run == nullptr) continue;
    if (running.stop_reason.empty()) running.overdue = true;
    Duration limit = *running.run->dag.graph->task(running.task).timeout;
    request_stop(running, fmt::format("the task took longer than its timeout of {}", format_duration(limit)));
  }
}

void Scheduler::Impl::take_completions(Instant now) {
  for (Completion& completion : completions_) {
    auto found = running_.find(completion.attempt);
    Running running = std::move(found->second);
    running_.erase(found);
    if (error_ || running.run == nullptr) continue;
    Outcome& outcome = completion.outcome;
    // A task that was done before the request reached it is done; one that made it just after its timeout is late all the same.
    bool counts = running.stop_reason.empty() || (outcome.kind == Outcome::Kind::kSuccess && !running.overdue);
    if (!counts) outcome = {Outcome::Kind::kFailed, running.stop_reason, outcome.exit_code};
    advance(*running.run, TaskEnded{running.task, running.try_number, std::move(outcome)}, now);
  }
  completions_.clear();
}

void Scheduler::Impl::take_timers(Instant now) {
  if (now + kFar < latest_now_) {
    for (auto& [id, dag] : dags_) touched_.insert(dag.get());
  }
  latest_now_ = now;
  while (!run_timers_.empty() && run_timers_.begin()->first <= now) {
    LiveRun& run = *run_timers_.begin()->second;
    run_timers_.erase(run_timers_.begin());
    run.timer.reset();
    advance(run, TimePassed{}, now);
  }
  while (!dag_timers_.empty() && dag_timers_.begin()->first <= now) {
    Dag& dag = *dag_timers_.begin()->second;
    dag_timers_.erase(dag_timers_.begin());
    dag.timer.reset();
    touched_.insert(&dag);
  }
}

/// An interval that ends far ahead was scheduled by a clock that was wrong: the schedule goes on from now, and not when that time
/// has come. A clock that went back by less is waited for, since what lies between has run.
void Scheduler::Impl::leave_the_future(Dag& dag, Instant now) {
  if (!dag.row.last_interval_end || *dag.row.last_interval_end <= now + kFar) return;
  log_warn("dag",
           fmt::format("dag {} has a run of an interval that ends at {}: the clock was ahead; its schedule goes on from now",
                       dag.row.dag_id, format_instant(*dag.row.last_interval_end)));
  dag.row.last_interval_end = now;
  batch_.dags.push_back(dag.row);
}

/// Creates the runs that are due, and sets the timer for the next.
void Scheduler::Impl::plan(Dag& dag, Instant now) {
  leave_the_future(dag, now);
  if (dag.timer) dag_timers_.erase({*dag.timer, &dag});
  dag.timer.reset();
  while (!dag.row.paused && dag.queue.size() + dag.running < static_cast<size_t>(dag.graph->spec().max_active_runs)) {
    auto due = next_run(dag.timetable, dag.row.last_interval_end, now);
    if (!due) return;
    if (due->run_after > now) {
      dag.timer = due->run_after;
      dag_timers_.emplace(*dag.timer, &dag);
      return;
    }
    RunInfo info{"scheduled__" + iso_time(due->logical_date),
                 RunType::kScheduled,
                 due->logical_date,
                 due->interval,
                 due->run_after,
                 now,
                 "{}"};
    dag.row.last_interval_end = due->interval.end;
    batch_.dags.push_back(dag.row);
    // A clock that was ahead may have had it made already.
    if (dag.runs.contains(info.run_id) || store_.run(dag.row.dag_id, info.run_id)) continue;
    add_run(dag, std::move(info), {});
  }
}

void Scheduler::Impl::admit(Dag& dag, Instant now) {
  while (!dag.row.paused && !dag.queue.empty() && dag.running < static_cast<size_t>(dag.graph->spec().max_active_runs)) {
    advance(*dag.runs.find(dag.queue.begin()->second)->second, Admitted{}, now);
  }
}

void Scheduler::Impl::assign_slots(Instant now) {
  while (!ready_.empty() && running_.size() < options_.tasks_at_once) {
    ReadyTask next = ready_.front();
    ready_.pop_front();
    LiveRun& live = *next.run;
    // A clear may have listed the task twice, or taken it back.
    bool current = live.run.state() == RunState::kRunning && live.run.task(next.task).state == TaskState::kScheduled;
    if (current && live.dag.row.paused) {
      live.dag.parked.push_back(next);
      continue;
    }
    --live.waiting;
    if (current) start(live, next.task, now);
  }
}

void Scheduler::Impl::start(LiveRun& live, size_t task, Instant now) {
  advance(live, TaskStarted{task}, now);
  const TaskInstance& instance = live.run.task(task);
  const TaskSpec& spec = live.dag.graph->task(task);
  const RunInfo& info = live.run.info();
  uint64_t id = next_attempt_++;
  Running& running = running_[id];
  running.run = &live;
  running.task = task;
  running.try_number = instance.try_number;
  if (spec.timeout) running.deadline = env_.clock.monotonic() + *spec.timeout;
  TaskContext context{live.dag.row.dag_id, info.run_id,       spec.id,       instance.try_number, instance.max_tries,
                      info.type,           info.logical_date, info.interval, info.conf,           spec.kind};
  launches_.push_back({id, std::move(context), live.conf, running.stop.get_token()});
}

LiveRun& Scheduler::Impl::add_run(Dag& dag, RunInfo info, std::map<std::string, std::string> conf) {
  auto live = std::unique_ptr<LiveRun>(new LiveRun{dag, DagRun(dag.graph, std::move(info)), std::move(conf), {}, true, 0, {}});
  LiveRun& run = *live;
  for (size_t i = 0; i < dag.graph->size(); ++i) run.changed_tasks.insert(i);
  changed_runs_.insert(&run);
  dag.queue.emplace(run.run.info().run_after, run.run.info().run_id);
  dag.runs.emplace(run.run.info().run_id, std::move(live));
  touched_.insert(&dag);
  return run;
}

void Scheduler::Impl::advance(LiveRun& live, const Event& event, Instant now) {
  RunState before = live.run.state();
  Step step = live.run.advance(event, now);
  const RunInfo& info = live.run.info();
  for (const Transition& transition : step.record) live.changed_tasks.insert(transition.task);
  live.run_changed |= step.run_changed;
  if (step.run_changed || !step.record.empty()) changed_runs_.insert(&live);
  for (Attempt& a : step.attempts) {
    batch_.tries.push_back({live.dag.row.dag_id, info.run_id, live.dag.graph->task(a.task).id, a.try_number,
                            std::string(state_name(a.state)), a.start_date, a.end_date, a.exit_code, std::move(a.message)});
  }
  for (size_t task : step.ready) {
    ready_.push_back({&live, task});
    ++live.waiting;
  }
  end_attempts(live, step.stop,
               std::holds_alternative<Cleared>(event) ? "the task was cleared while it ran" : live.run.message());

  RunState after = live.run.state();
  if (before != after) {
    if (before == RunState::kRunning) --live.dag.running;
    if (before == RunState::kQueued) live.dag.queue.erase({info.run_after, info.run_id});
    if (after == RunState::kRunning) ++live.dag.running;
    if (after == RunState::kQueued) live.dag.queue.emplace(info.run_after, info.run_id);
    touched_.insert(&live.dag);
  }
  set_timer(live);
}

void Scheduler::Impl::set_timer(LiveRun& run) {
  auto at = run.run.wake_at();
  if (at == run.timer) return;
  if (run.timer) run_timers_.erase({*run.timer, &run});
  run.timer = at;
  if (at) run_timers_.emplace(*at, &run);
}

void Scheduler::Impl::end_attempts(LiveRun& run, const std::vector<size_t>& tasks, std::string_view reason) {
  if (tasks.empty()) return;
  for (auto& [id, running] : running_) {
    if (running.run == &run && std::ranges::find(tasks, running.task) != tasks.end()) request_stop(running, reason);
  }
}

void Scheduler::Impl::request_stop(Running& running, std::string_view reason) {
  if (!running.stop_reason.empty()) return;
  running.stop_reason = reason;
  running.stop.request_stop();
}

bool Scheduler::Impl::anything_to_record() const {
  return !error_ && (!batch_.empty() || !changed_runs_.empty() || !launches_.empty());
}

port::MetadataBatch Scheduler::Impl::take_batch() {
  port::MetadataBatch batch = std::exchange(batch_, {});
  for (LiveRun* live : std::exchange(changed_runs_, {})) {
    if (live->run_changed) batch.runs.push_back(row_of(*live));
    for (size_t i : live->changed_tasks) batch.tasks.push_back(row_of(*live, i));
    live->run_changed = false;
    live->changed_tasks.clear();
    if (is_finished(live->run.state())) forget(*live);
  }
  ++batch_number_;
  return batch;
}

/// The run is over: nothing may point to it any more.
void Scheduler::Impl::forget(LiveRun& run) {
  if (run.waiting > 0) {
    auto of_run = [&](const ReadyTask& ready) { return ready.run == &run; };
    std::erase_if(ready_, of_run);
    std::erase_if(run.dag.parked, of_run);
  }
  for (auto& [id, running] : running_) {
    if (running.run == &run) running.run = nullptr;
  }
  if (run.timer) run_timers_.erase({*run.timer, &run});
  run.dag.runs.erase(std::string(run.run.info().run_id));
}

Status Scheduler::Impl::recorded() {
  uint64_t mine = anything_to_record() ? batch_number_ : batch_number_ - 1;
  woken_ = true;
  work_.notify_all();
  while (recorded_ < mine && !error_ && !no_room_ && !ended_) settled_.wait(mutex_);
  if (error_) return fail(*error_);
  if (recorded_ < mine && no_room_) return fail(*no_room_);
  if (recorded_ < mine) return fail(Errc::kCancelled, "the scheduler has stopped");
  return {};
}

}  // namespace millrace::dag
