#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "dag/core/dag_spec.h"
#include "dag/run/task_runner.h"
#include "env/env.h"
#include "port/metadata_store.h"

namespace millrace::dag {

/// Reads a run's conf, a JSON object, into its values by dotted path (`x`, `x.y`), for templates. kInvalidArgument when it is
/// none.
using ReadConf = std::function<Result<std::map<std::string, std::string>>(std::string_view json)>;

struct SchedulerOptions {
  std::string data;                           // logs stand in <data>/dags
  size_t tasks_at_once = 16;                  // worker threads
  Duration grace = std::chrono::seconds(10);  // between SIGTERM and SIGKILL
  uint64_t log_bytes_max = 10 << 20;          // of one attempt
  size_t queued_runs_max = 10'000;            // of one dag, triggered by hand
  bool paused_at_creation = false;
  ReadConf read_conf;  // without it a conf other than {} is refused
};

struct TriggerRequest {
  std::string conf = "{}";
  std::optional<Instant> logical_date;  // none: now
  std::string run_id;                   // empty: manual__<logical date>; not `latest`, which stands for the newest one
};

struct DagInfo {
  std::shared_ptr<const Graph> graph;
  port::DagRow row;
  size_t runs_running = 0;
  size_t runs_queued = 0;
  std::optional<DueRun> next;  // none when nothing is to come, or the dag is paused
};

/// Runs dags: creates their runs when they are due, starts tasks when they may run, and records every step before it is carried
/// out.
///
/// **Threading**: all methods from any thread. One thread decides and records; a bounded pool runs the tasks.
/// **Lifetime**: the store, the runner and the env outlive it; stop() is called by the destructor if nobody else did.
/// **Errors**: when the store fails, nothing more is started, running tasks are ended, and every call answers with that error
/// (`health`).
class Scheduler {
 public:
  /// Takes up what an earlier process left: a task that ran then counts as a failed try, and what is left of its processes is
  /// killed.
  static Result<std::unique_ptr<Scheduler>> start(env::Env env, port::MetadataStore& store, TaskRunner& runner,
                                                  std::vector<DagSpec> dags, SchedulerOptions options);
  ~Scheduler();

  /// Starts nothing more, ends running tasks with their grace, records their states. Idempotent.
  void stop();
  /// The failure that stopped it, if one did.
  Status health();
  /// Look at the clock again; for clocks that do not run by themselves.
  void wake();

  std::vector<DagInfo> dags();
  Result<DagInfo> describe(std::string_view dag_id);
  /// The run is recorded when this returns its id. A paused dag's run stays queued.
  /// Errors: kNotFound, kAlreadyExists (run id), kInvalidArgument (conf, run id), kResourceExhausted (too many are queued).
  Result<std::string> trigger(std::string_view dag_id, const TriggerRequest& request);
  Status pause(std::string_view dag_id);
  Status unpause(std::string_view dag_id);
  /// The next runs of the schedule if nothing is missed.
  Result<std::vector<DueRun>> next(std::string_view dag_id, size_t count);
  /// Forgets the results of a run's tasks, or of one task and those after it, and lets them run again. A task that runs is
  /// stopped first.
  Status clear(std::string_view dag_id, std::string_view run_id, std::optional<std::string> task_id = {}, bool downstream = true);

  // What is recorded, and nothing that is not.
  Result<std::vector<port::RunRow>> runs(std::string_view dag_id, size_t limit);
  Result<std::vector<port::TaskRow>> tasks(std::string_view dag_id, std::string_view run_id);
  Result<std::vector<port::TryRow>> tries(std::string_view dag_id, std::string_view run_id, std::string_view task_id);
  /// The last `bytes_max` bytes of an attempt's log, from the start of a line; try 0 is the newest. Empty before the attempt
  /// writes.
  Result<std::string> log_tail(std::string_view dag_id, std::string_view run_id, std::string_view task_id, int try_number,
                               uint64_t bytes_max = 1 << 20);
  Result<std::string> log_path(std::string_view dag_id, std::string_view run_id, std::string_view task_id, int try_number);

  /// Sentences that say why a run, or one task of it, is not running (or what it is doing).
  Result<std::vector<std::string>> why(std::string_view dag_id, std::string_view run_id, std::optional<std::string> task_id = {});
  /// Waits until no run is queued or running, but for those of paused dags. False when the time ran out or the scheduler stopped.
  bool wait_idle(Duration timeout);

 private:
  class Impl;
  explicit Scheduler(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace millrace::dag
