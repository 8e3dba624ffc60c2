#pragma once

#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "base/time.h"
#include "dag/core/dag_spec.h"
#include "dag/core/state.h"

namespace millrace::dag {

struct RunInfo {
  std::string run_id;
  RunType type = RunType::kScheduled;
  Instant logical_date;
  DataInterval interval;
  Instant run_after;
  Instant queued_at;
  std::string conf;  // a JSON object
};

struct TaskInstance {
  TaskState state = TaskState::kNone;
  int try_number = 0;  // attempts begun
  int max_tries = 0;   // a failed attempt is retried while try_number <= max_tries
  std::optional<Instant> start_date;
  std::optional<Instant> end_date;
  std::optional<Instant> retry_at;
  std::string message;
};

/// How an attempt ended.
struct Outcome {
  enum class Kind { kSuccess, kSkipped, kFailed, kFailedForGood };
  Kind kind = Kind::kSuccess;
  std::string message;
  std::optional<int> exit_code;
};

/// What can happen to a run.
struct Admitted {};  // it may begin: the dag has a free place among its active runs
struct TaskStarted {
  size_t task;
};
struct TaskEnded {
  size_t task;
  int try_number;
  Outcome outcome;
};
struct TimePassed {};
/// These tasks and their results are forgotten; the run goes back to the queue.
struct Cleared {
  std::vector<size_t> tasks;
};
/// The process that ran its tasks is gone.
struct ServerRestarted {};
using Event = std::variant<Admitted, TaskStarted, TaskEnded, TimePassed, Cleared, ServerRestarted>;

struct Transition {
  size_t task;
  TaskState from;
  TaskState to;
  friend bool operator==(const Transition&, const Transition&) = default;
};
/// An attempt that began (no end date) or ended.
struct Attempt {
  size_t task;
  int try_number;
  TaskState state;  // running, success, failed, skipped
  Instant start_date;
  std::optional<Instant> end_date;
  std::optional<int> exit_code;
  std::string message;
};

/// What a run does next: `record`, `attempts` and the run's own change are persisted before anything is started.
struct Step {
  std::vector<Transition> record;
  std::vector<Attempt> attempts;
  bool run_changed = false;
  std::vector<size_t> ready;  // newly scheduled: start them when there is a slot, and say TaskStarted
  std::vector<size_t> stop;   // running tasks whose attempt is to be ended
};

/// The state machine of one run. Pure: no clock, no I/O; `now` is an argument and everything to be done is in the Step. An event
/// costs time in proportion to the edges of the tasks it finishes, whatever the size of the dag; only Cleared looks at all of it.
class DagRun {
 public:
  DagRun(std::shared_ptr<const Graph> graph, RunInfo info);
  /// A run as it was stored; `tasks` in the graph's order.
  DagRun(std::shared_ptr<const Graph> graph, RunInfo info, RunState state, std::optional<Instant> start_date,
         std::vector<TaskInstance> tasks);

  Step advance(const Event& event, Instant now);

  const Graph& graph() const { return *graph_; }
  const RunInfo& info() const { return info_; }
  RunState state() const { return state_; }
  std::optional<Instant> start_date() const { return start_date_; }
  std::optional<Instant> end_date() const { return end_date_; }
  const std::string& message() const { return message_; }
  const TaskInstance& task(size_t i) const { return tasks_[i]; }
  /// When TimePassed has an effect, at the earliest.
  std::optional<Instant> wake_at() const;

 private:
  struct Parents {
    size_t success = 0, skipped = 0, failed = 0, upstream_failed = 0;
  };
  void on(const Admitted&, Instant now, Step& step);
  void on(const TaskStarted& started, Instant now, Step& step);
  void on(const TaskEnded& ended, Instant now, Step& step);
  void on(const TimePassed&, Instant now, Step& step);
  void on(const Cleared& cleared, Instant now, Step& step);
  void on(const ServerRestarted&, Instant now, Step& step);

  void count();
  void move(size_t i, TaskState to, Step& step);
  void finish(size_t i, TaskState to, std::string message, Instant now, Step& step);
  void consider(size_t i, Instant now, Step& step);
  void schedule(size_t i, Step& step);
  void forget(size_t i, Step& step);
  void end_attempt(size_t i, const Outcome& outcome, Instant now, Step& step);
  void settle(Instant now, Step& step);
  void end_run(RunState state, std::string message, Instant now, Step& step);
  void time_out(Instant now, Step& step);
  Duration retry_delay(size_t i) const;

  std::shared_ptr<const Graph> graph_;
  RunInfo info_;
  RunState state_ = RunState::kQueued;
  std::optional<Instant> start_date_;
  std::optional<Instant> end_date_;
  std::string message_;
  std::vector<TaskInstance> tasks_;

  // Derived from tasks_, kept in step with it.
  std::vector<Parents> parents_;
  size_t unfinished_ = 0;
  size_t active_ = 0;  // scheduled, queued, running, restarting, up for retry
  size_t bad_leaves_ = 0;
  std::vector<size_t> just_finished_;  // their children have not been considered yet
  std::set<std::pair<Instant, size_t>> retries_;
};

}  // namespace millrace::dag
