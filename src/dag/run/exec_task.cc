#include "dag/run/exec_task.h"

#include <fmt/format.h>
#include <string.h>

#include <cstdlib>

#include "base/log.h"
#include "dag/run/orphan.h"
#include "dag/run/process.h"

namespace millrace::dag {
namespace {

constexpr int kExitSkipped = 99;

std::vector<std::string> environment_of(const TaskContext& context, const ExecTask& exec, const std::string& mark,
                                        std::map<std::string, std::string> all) {
  std::string logical = iso_time(context.logical_date);
  all["MILLRACE_DAG_ID"] = all["AIRFLOW_CTX_DAG_ID"] = context.dag_id;
  all["MILLRACE_RUN_ID"] = all["AIRFLOW_CTX_DAG_RUN_ID"] = context.run_id;
  all["MILLRACE_TASK_ID"] = all["AIRFLOW_CTX_TASK_ID"] = context.task_id;
  all["MILLRACE_TRY_NUMBER"] = all["AIRFLOW_CTX_TRY_NUMBER"] = std::to_string(context.try_number);
  all["MILLRACE_LOGICAL_DATE"] = all["AIRFLOW_CTX_EXECUTION_DATE"] = all["AIRFLOW_CTX_LOGICAL_DATE"] = logical;
  all["MILLRACE_CONF"] = context.conf;
  all["MILLRACE_DATA_INTERVAL_START"] = all["DATA_INTERVAL_START"] = iso_time(context.interval.start);
  all["MILLRACE_DATA_INTERVAL_END"] = all["DATA_INTERVAL_END"] = iso_time(context.interval.end);
  for (const auto& [name, value] : exec.env) all[name] = value;
  all[std::string(kMarkVariable)] = mark;
  std::vector<std::string> out;
  out.reserve(all.size());
  for (const auto& [name, value] : all) out.push_back(name + "=" + value);
  return out;
}

Outcome judge(const ProcessEnd& end) {
  if (end.signal != 0) {
    const char* name = ::sigabbrev_np(end.signal);
    return {Outcome::Kind::kFailed, fmt::format("signal SIG{} ended the program", name == nullptr ? "?" : name),
            128 + end.signal};
  }
  if (end.exit_code == 0) return {Outcome::Kind::kSuccess, "", 0};
  if (end.exit_code == kExitSkipped) return {Outcome::Kind::kSkipped, "exit code 99: skipped", kExitSkipped};
  return {Outcome::Kind::kFailed, fmt::format("exit code {}", end.exit_code), end.exit_code};
}

}  // namespace

std::map<std::string, std::string> inherited_environment() {
  std::map<std::string, std::string> out{{"PATH", "/usr/local/bin:/usr/bin:/bin"}};
  for (const char* name : {"PATH", "HOME", "LANG", "TZ"}) {
    if (const char* value = std::getenv(name)) out[name] = value;
  }
  return out;
}

Outcome run_exec(env::Env env, const TaskContext& context, const std::map<std::string, std::string>& inherited, Duration grace,
                 const std::string& pid_path, TaskLog& log, std::stop_token stop) {
  const auto& exec = std::get<ExecTask>(context.kind);
  std::string mark = make_mark(env.random);
  ProcessSpec spec{exec.argv, environment_of(context, exec, mark, inherited), exec.directory, grace};
  auto started = [&](pid_t pid) {
    if (auto noted = note_process(env.files, pid_path, pid, mark); !noted) {
      log_warn("dag", fmt::format("a program that outlives this server would not be found: {}", noted.error().message));
    }
  };
  auto output = [&](std::string_view bytes) {
    log.output(bytes);
    log.flush();
  };
  auto end = run_process(spec, env.clock, std::move(stop), started, output);
  if (size_t left = kill_marked(env.files, mark); left > 0) {
    log.line(fmt::format("killed {} of its processes that had left its group", left));
  }
  forget_process(env.files, pid_path);
  if (!end) return {Outcome::Kind::kFailed, end.error().message, std::nullopt};
  return judge(*end);
}

}  // namespace millrace::dag
