#pragma once

#include <atomic>
#include <deque>
#include <map>
#include <memory>
#include <set>
#include <stop_token>
#include <string>
#include <thread>
#include <unordered_map>
#include <vector>

#include "base/mutex.h"
#include "dag/core/dag_run.h"
#include "dag/run/scheduler.h"
#include "dag/run/worker_pool.h"

namespace millrace::dag {

struct Dag;

/// A run that is queued or running. Finished ones are in the store only.
struct LiveRun {
  Dag& dag;
  DagRun run;
  std::map<std::string, std::string> conf;
  std::set<size_t> changed_tasks;  // to be recorded
  bool run_changed = false;
  size_t waiting = 0;  // entries in the list of ready tasks, or in the dag's parked ones
  std::optional<Instant> timer;
};

struct ReadyTask {
  LiveRun* run;
  size_t task;
};

struct Dag {
  std::shared_ptr<const Graph> graph;
  Timetable timetable;
  port::DagRow row;
  std::map<std::string, std::unique_ptr<LiveRun>, std::less<>> runs;
  std::set<std::pair<Instant, std::string>> queue;  // run_after, run id
  size_t running = 0;
  std::vector<ReadyTask> parked;  // may run, but the dag is paused
  std::optional<Instant> timer;
};

/// What the Scheduler is made of: every decision is taken under one mutex by one thread; a batch of steps is recorded outside of
/// it, and only then carried out.
class Scheduler::Impl {
 public:
  Impl(env::Env env, port::MetadataStore& store, TaskRunner& runner, SchedulerOptions options);
  ~Impl() { stop(); }

  Status load(std::vector<DagSpec> specs) EXCLUDES(mutex_);
  void begin() EXCLUDES(mutex_);
  void stop() EXCLUDES(mutex_);
  Status health() EXCLUDES(mutex_);
  void wake() EXCLUDES(mutex_);

  std::vector<DagInfo> dags() EXCLUDES(mutex_);
  Result<DagInfo> describe(std::string_view dag_id) EXCLUDES(mutex_);
  Result<std::string> trigger(std::string_view dag_id, const TriggerRequest& request) EXCLUDES(mutex_);
  Status set_paused(std::string_view dag_id, bool paused) EXCLUDES(mutex_);
  Result<std::vector<DueRun>> next(std::string_view dag_id, size_t count) EXCLUDES(mutex_);
  Status clear(std::string_view dag_id, std::string_view run_id, const std::optional<std::string>& task_id, bool downstream)
      EXCLUDES(mutex_);
  Result<std::vector<std::string>> why(std::string_view dag_id, std::string_view run_id,
                                       const std::optional<std::string>& task_id) EXCLUDES(mutex_);
  bool wait_idle(Duration timeout) EXCLUDES(mutex_);

  port::MetadataStore& store() { return store_; }
  const SchedulerOptions& options() const { return options_; }
  env::Env env() { return env_; }

 private:
  /// An attempt that a worker has, or is about to have.
  struct Running {
    LiveRun* run;  // null: the run was given up, and only the slot is still taken
    size_t task;
    int try_number;
    std::stop_source stop;
    std::string stop_reason;
    std::optional<Duration> deadline;  // monotonic
    bool overdue = false;
  };
  struct Launch {
    uint64_t attempt;
    TaskContext context;
    std::map<std::string, std::string> conf;
    std::stop_token stop;
  };
  struct Completion {
    uint64_t attempt;
    Outcome outcome;
  };

  // Loading.
  Status load_dag(DagSpec spec, const std::map<std::string, port::DagRow>& rows, Instant now) REQUIRES(mutex_);
  Status load_run(const port::StoredRun& stored, Instant now) REQUIRES(mutex_);
  Result<LiveRun*> restore(Dag& dag, const port::StoredRun& stored) REQUIRES(mutex_);

  // Deciding.
  void loop() EXCLUDES(mutex_);
  void decide() REQUIRES(mutex_);
  void take_completions(Instant now) REQUIRES(mutex_);
  void take_timers(Instant now) REQUIRES(mutex_);
  void stop_overdue() REQUIRES(mutex_);
  void plan(Dag& dag, Instant now) REQUIRES(mutex_);
  void leave_the_future(Dag& dag, Instant now) REQUIRES(mutex_);
  void admit(Dag& dag, Instant now) REQUIRES(mutex_);
  void assign_slots(Instant now) REQUIRES(mutex_);
  LiveRun& add_run(Dag& dag, RunInfo info, std::map<std::string, std::string> conf) REQUIRES(mutex_);
  void advance(LiveRun& run, const Event& event, Instant now) REQUIRES(mutex_);
  void start(LiveRun& run, size_t task, Instant now) REQUIRES(mutex_);
  void end_attempts(LiveRun& run, const std::vector<size_t>& tasks, std::string_view reason) REQUIRES(mutex_);
  void request_stop(Running& running, std::string_view reason) REQUIRES(mutex_);
  void set_timer(LiveRun& run) REQUIRES(mutex_);
  void forget(LiveRun& run) REQUIRES(mutex_);

  // Recording.
  bool anything_to_record() const REQUIRES(mutex_);
  port::MetadataBatch take_batch() REQUIRES(mutex_);
  Status record(const port::MetadataBatch& batch) EXCLUDES(mutex_);
  /// A full disk passes: the same batch is tried again. False when the scheduler shall stop instead.
  bool wait_for_room(Error error) EXCLUDES(mutex_);
  void break_down(Error error) REQUIRES(mutex_);
  void wait_for_work() REQUIRES(mutex_);
  /// Waits until all that was decided up to now is recorded.
  Status recorded() REQUIRES(mutex_);

  // Carrying out, on a worker thread.
  void work(Launch& launch) EXCLUDES(mutex_);
  Outcome attempt(Launch& launch, TaskLog& log, const std::string& pid_path);

  // For the calls.
  Result<Dag*> find(std::string_view dag_id) REQUIRES(mutex_);
  DagInfo info(Dag& dag, Instant now) REQUIRES(mutex_);
  Result<RunInfo> manual_run(Dag& dag, const TriggerRequest& request) REQUIRES(mutex_);
  bool idle() const REQUIRES(mutex_);
  std::vector<std::string> why_run(const LiveRun& live) REQUIRES(mutex_);
  std::string why_task(const LiveRun& live, size_t task) REQUIRES(mutex_);

  env::Env env_;
  port::MetadataStore& store_;
  TaskRunner& runner_;
  const SchedulerOptions options_;
  const std::map<std::string, std::string> environment_;
  WorkerPool workers_;
  std::thread thread_;

  Mutex mutex_;
  CondVar work_;     // for the thread
  CondVar settled_;  // for callers: something was recorded
  std::map<std::string, std::unique_ptr<Dag>, std::less<>> dags_ GUARDED_BY(mutex_);
  std::set<Dag*> touched_ GUARDED_BY(mutex_);  // their schedule and queue are to be looked at
  std::set<std::pair<Instant, Dag*>> dag_timers_ GUARDED_BY(mutex_);
  std::set<std::pair<Instant, LiveRun*>> run_timers_ GUARDED_BY(mutex_);
  std::deque<ReadyTask> ready_ GUARDED_BY(mutex_);
  std::unordered_map<uint64_t, Running> running_ GUARDED_BY(mutex_);
  std::vector<Completion> completions_ GUARDED_BY(mutex_);
  uint64_t next_attempt_ GUARDED_BY(mutex_) = 1;

  std::set<LiveRun*> changed_runs_ GUARDED_BY(mutex_);
  port::MetadataBatch batch_
      GUARDED_BY(mutex_);  // dags, tries, and tasks that left their dag; the rest is made from changed_runs_
  std::vector<Launch> launches_ GUARDED_BY(mutex_);
  uint64_t batch_number_ GUARDED_BY(mutex_) = 1;  // of the batch that is being put together
  uint64_t recorded_ GUARDED_BY(mutex_) = 0;

  Instant latest_now_ GUARDED_BY(mutex_);
  bool stopping_ GUARDED_BY(mutex_) = false;
  bool woken_ GUARDED_BY(mutex_) = false;
  bool ended_ GUARDED_BY(mutex_) = false;  // the thread is gone
  std::optional<Error> error_ GUARDED_BY(mutex_);
  std::optional<Error> no_room_ GUARDED_BY(mutex_);  // why the batch under way is not recorded yet
};

}  // namespace millrace::dag
