#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <unordered_map>
#include <variant>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "dag/core/timetable.h"

namespace millrace::dag {

/// Polls a source into its topic for a while.
struct IngestTask {
  std::string source;
  Duration for_time{};
};
/// Executes a statement.
struct SqlTask {
  std::string sql;
};
/// Judges: fails unless the statement's one value is true.
struct CheckTask {
  std::string sql;
};
/// Runs a program, without a shell. Exit code 0 is success, 99 skipped, any other failed.
struct ExecTask {
  std::vector<std::string> argv;
  std::map<std::string, std::string> env;
  std::string directory;  // empty: the server's own
};
/// Waits until a query has processed what was in its topics when the task began.
struct WaitForTask {
  std::string query;
};
using TaskKind = std::variant<IngestTask, SqlTask, CheckTask, ExecTask, WaitForTask>;
/// `ingest`, `sql`, `check`, `exec`, `wait_for`: the key in the file.
std::string_view task_kind_name(const TaskKind& kind);

enum class TriggerRule { kAllSuccess };

struct TaskSpec {
  std::string id;
  TaskKind kind;
  std::vector<std::string> after;
  TriggerRule trigger_rule = TriggerRule::kAllSuccess;
  int retries = 0;
  Duration retry_delay = std::chrono::minutes(5);
  bool retry_exponential_backoff = false;
  std::optional<Duration> max_retry_delay;
  std::optional<Duration> timeout;  // of one attempt
};

struct DagSpec {
  std::string id;
  Schedule schedule;
  Zone zone;
  std::optional<Instant> start_date;  // none: the moment the dag was first seen
  std::optional<Instant> end_date;
  bool catchup = false;
  int max_active_runs = 16;
  std::optional<Duration> dagrun_timeout;
  std::vector<TaskSpec> tasks;
};

inline constexpr size_t kTasksMax = 10'000;
inline constexpr size_t kIdBytesMax = 200;
inline constexpr int kRetriesMax = 1'000;

/// A dag that was found sound, with its edges both ways. Immutable, shared by its runs.
class Graph {
 public:
  /// Errors: kInvalidArgument naming the dag, the task and what is wrong: empty or odd ids, doubles, unknown `after`, cycles,
  /// unknown template names, numbers out of range.
  static Result<std::shared_ptr<const Graph>> build(DagSpec spec);

  const DagSpec& spec() const { return spec_; }
  size_t size() const { return spec_.tasks.size(); }
  const TaskSpec& task(size_t i) const { return spec_.tasks[i]; }
  const std::vector<size_t>& parents(size_t i) const { return parents_[i]; }
  const std::vector<size_t>& children(size_t i) const { return children_[i]; }
  std::optional<size_t> find(std::string_view task_id) const;
  /// The task and everything that comes after it.
  std::vector<size_t> with_descendants(size_t task) const;
  /// Changes when anything in the dag does.
  std::string hash() const;

 private:
  DagSpec spec_;
  std::vector<std::vector<size_t>> parents_;
  std::vector<std::vector<size_t>> children_;
  std::unordered_map<std::string, size_t> by_id_;
};

}  // namespace millrace::dag
