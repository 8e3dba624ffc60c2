#pragma once

#include "dag/run/task_runner.h"

namespace millrace::app {

class Instance;

/// Runs the tasks that need topics, tables and queries: ingest, sql, check, wait_for.
class Tasks : public dag::TaskRunner {
 public:
  explicit Tasks(Instance& instance) : instance_(instance) {}
  dag::Outcome run(const dag::TaskContext& context, dag::TaskLog& log, std::stop_token stop) override;

 private:
  Instance& instance_;
};

}  // namespace millrace::app
