// One attempt of a task, on a worker thread.
#include <fmt/format.h>

#include "dag/core/template.h"
#include "dag/run/engine.h"
#include "dag/run/exec_task.h"

namespace millrace::dag {
namespace {

Status render(std::string& text, const TemplateValues& values) {
  TRY(text, render_template(text, values));
  return {};
}

Status render(TaskKind& kind, const TemplateValues& values) {
  if (auto* sql = std::get_if<SqlTask>(&kind)) return render(sql->sql, values);
  if (auto* check = std::get_if<CheckTask>(&kind)) return render(check->sql, values);
  if (auto* exec = std::get_if<ExecTask>(&kind)) {
    for (std::string& arg : exec->argv) TRY_DO(render(arg, values));
    for (auto& [name, value] : exec->env) TRY_DO(render(value, values));
  }
  return {};
}

std::string_view outcome_name(Outcome::Kind kind) {
  switch (kind) {
    case Outcome::Kind::kSuccess: return "success";
    case Outcome::Kind::kSkipped: return "skipped";
    case Outcome::Kind::kFailed: return "failed";
    case Outcome::Kind::kFailedForGood: return "failed, and will not be retried";
  }
  return "";
}

}  // namespace

void Scheduler::Impl::work(Launch& launch) {
  const TaskContext& c = launch.context;
  Outcome outcome;
  auto log = TaskLog::create(env_, attempt_path(options_.data, c.dag_id, c.run_id, c.task_id, c.try_number, "log"),
                             options_.log_bytes_max);
  if (!log) {
    outcome = {Outcome::Kind::kFailed, fmt::format("its log cannot be written: {}", log.error().message), std::nullopt};
  } else {
    (*log)->line(fmt::format("task {} ({}), try {} of {}", c.task_id, task_kind_name(c.kind), c.try_number, c.max_tries + 1));
    outcome = attempt(launch, **log, attempt_path(options_.data, c.dag_id, c.run_id, c.task_id, c.try_number, "pid"));
    std::string_view name = outcome_name(outcome.kind);
    (*log)->line(outcome.message.empty() ? std::string(name) : fmt::format("{}: {}", name, outcome.message));
    // Whoever sees the end of the attempt finds all of its log.
    log->reset();
  }
  MutexLock lock(mutex_);
  completions_.push_back({launch.attempt, std::move(outcome)});
  work_.notify_all();
}

Outcome Scheduler::Impl::attempt(Launch& launch, TaskLog& log, const std::string& pid_path) {
  TaskContext& c = launch.context;
  TemplateValues values{c.dag_id, c.run_id, c.task_id, c.try_number, c.logical_date, c.interval, std::move(launch.conf)};
  if (auto rendered = render(c.kind, values); !rendered)
    return {Outcome::Kind::kFailedForGood, rendered.error().message, std::nullopt};
  if (std::holds_alternative<ExecTask>(c.kind)) {
    return run_exec(env_, c, environment_, options_.grace, pid_path, log, std::move(launch.stop));
  }
  return runner_.run(c, log, std::move(launch.stop));
}

}  // namespace millrace::dag
