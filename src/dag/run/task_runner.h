#pragma once

#include <map>
#include <stop_token>
#include <string>

#include "dag/core/dag_run.h"
#include "dag/core/dag_spec.h"
#include "dag/core/template.h"
#include "dag/run/task_log.h"

namespace millrace::dag {

/// One attempt of one task.
struct TaskContext {
  std::string dag_id;
  std::string run_id;
  std::string task_id;
  int try_number = 1;
  int max_tries = 0;
  RunType run_type = RunType::kScheduled;
  Instant logical_date;
  DataInterval interval;
  std::string conf;  // a JSON object
  TaskKind kind;     // with its templates rendered
};

/// Runs the tasks that are not programs; given by whoever knows sources, tables and queries.
class TaskRunner {
 public:
  virtual ~TaskRunner() = default;
  /// Blocks until the attempt is over, on one of the scheduler's worker threads; called from several at once. It returns soon
  /// after `stop` is requested (timeout, clear, end of the server); what it returns then is replaced by a failure that says why.
  virtual Outcome run(const TaskContext& context, TaskLog& log, std::stop_token stop) = 0;
};

}  // namespace millrace::dag
