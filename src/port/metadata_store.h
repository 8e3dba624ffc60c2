#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"

namespace millrace::port {

/// What the scheduler remembers of a dag, whatever its file says today. States and run types are Airflow's words.
struct DagRow {
  std::string dag_id;
  bool paused = false;
  std::string spec_hash;
  Instant created_at;
  /// End of the data interval of the newest scheduled run: where the schedule goes on.
  std::optional<Instant> last_interval_end;
  friend bool operator==(const DagRow&, const DagRow&) = default;
};

struct RunRow {
  std::string dag_id;
  std::string run_id;
  std::string run_type;
  std::string state;
  Instant logical_date;
  Instant data_interval_start;
  Instant data_interval_end;
  Instant run_after;
  Instant queued_at;
  std::optional<Instant> start_date;
  std::optional<Instant> end_date;
  std::string conf;  // a JSON object
  std::string message;
  friend bool operator==(const RunRow&, const RunRow&) = default;
};

struct TaskRow {
  std::string dag_id;
  std::string run_id;
  std::string task_id;
  int32_t position = 0;  // in the dag's file; the order of a listing
  std::string state;
  int32_t try_number = 0;  // attempts begun
  int32_t max_tries = 0;   // the retries end when try_number is above it
  std::optional<Instant> start_date;
  std::optional<Instant> end_date;
  std::optional<Instant> retry_at;
  std::string message;
  friend bool operator==(const TaskRow&, const TaskRow&) = default;
};

/// One attempt of a task; they are kept when the task is cleared.
struct TryRow {
  std::string dag_id;
  std::string run_id;
  std::string task_id;
  int32_t try_number = 1;
  std::string state;
  Instant start_date;
  std::optional<Instant> end_date;
  std::optional<int32_t> exit_code;
  std::string message;
  friend bool operator==(const TryRow&, const TryRow&) = default;
};

/// Rows to insert or replace, by their ids. A task or try belongs to a run that is stored or stands in the same batch.
struct MetadataBatch {
  std::vector<DagRow> dags;
  std::vector<RunRow> runs;
  std::vector<TaskRow> tasks;
  std::vector<TryRow> tries;
  bool empty() const { return dags.empty() && runs.empty() && tasks.empty() && tries.empty(); }
};

struct StoredRun {
  RunRow run;
  std::vector<TaskRow> tasks;  // by position
};

/// Where the scheduler's state lives. Threading: `apply` from one thread at a time; the queries from any, at any time.
/// Errors: kIo, kResourceExhausted (disk full), kCorruption, kUnavailable (a database elsewhere).
class MetadataStore {
 public:
  virtual ~MetadataStore() = default;
  /// All of the batch, durably, or none of it. kFailedPrecondition when a task's run is unknown.
  virtual Status apply(const MetadataBatch& batch) = 0;
  /// By dag_id.
  virtual Result<std::vector<DagRow>> dags() = 0;
  /// Runs that are queued or running, oldest logical date first.
  virtual Result<std::vector<StoredRun>> unfinished_runs() = 0;
  /// The newest logical dates first, at most `limit`.
  virtual Result<std::vector<RunRow>> runs(std::string_view dag_id, size_t limit) = 0;
  /// kNotFound when there is no such run.
  virtual Result<StoredRun> run(std::string_view dag_id, std::string_view run_id) = 0;
  /// The first attempt first.
  virtual Result<std::vector<TryRow>> tries(std::string_view dag_id, std::string_view run_id, std::string_view task_id) = 0;
};

}  // namespace millrace::port
