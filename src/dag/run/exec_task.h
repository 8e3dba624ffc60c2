#pragma once

#include <map>
#include <stop_token>
#include <string>

#include "dag/run/task_runner.h"
#include "env/env.h"

namespace millrace::dag {

/// PATH, HOME, LANG and TZ of this process: all that a task's program gets of our environment.
std::map<std::string, std::string> inherited_environment();

/// Runs the program of an ExecTask. Its environment: `inherited`, MILLRACE_* and AIRFLOW_CTX_* variables about the attempt, the
/// task's own (which win). Exit code 0 is success, 99 skipped; anything else failed.
Outcome run_exec(env::Env env, const TaskContext& context, const std::map<std::string, std::string>& inherited, Duration grace,
                 const std::string& pid_path, TaskLog& log, std::stop_token stop);

}  // namespace millrace::dag
