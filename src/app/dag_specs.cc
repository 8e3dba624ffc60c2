#include "app/dag_specs.h"

#include <fmt/format.h>

#include <filesystem>

namespace millrace::app {
namespace {

/// A wall time of the zone as an instant. Where the clocks jump, the offset after the jump counts.
Instant in_zone(const project::WrittenTime& time, const dag::Zone& zone) {
  if (time.zoned) return time.as_utc;
  int64_t local = to_micros(time.as_utc) / 1'000'000;
  int64_t offset = zone.segment_at(local).offset;
  offset = zone.segment_at(local - offset).offset;
  return time.as_utc - std::chrono::seconds(offset);
}

struct KindOf {
  const project::Project& project;

  dag::TaskKind operator()(const project::IngestTask& task) const {
    return dag::IngestTask{task.source.name, task.length.value_or(Duration(0))};
  }
  dag::TaskKind operator()(const project::SqlTask& task) const { return dag::SqlTask{task.sql.text}; }
  dag::TaskKind operator()(const project::CheckTask& task) const { return dag::CheckTask{task.sql.text}; }
  dag::TaskKind operator()(const project::WaitTask& task) const { return dag::WaitForTask{task.query.name}; }
  dag::TaskKind operator()(const project::ExecTask& task) const {
    dag::ExecTask exec;
    for (const project::Text& argument : task.argv) exec.argv.push_back(argument.value);
    for (const auto& [name, value] : task.env) exec.env[name] = value.value;
    // Programs run where the pipeline file is, so that it can name scripts beside it.
    exec.directory = std::filesystem::absolute(project.file).parent_path().string();
    return exec;
  }
};

dag::TaskSpec task_spec(const project::Project& project, const project::Task& task) {
  dag::TaskSpec spec;
  spec.id = task.name;
  spec.kind = std::visit(KindOf{project}, task.does);
  for (const project::Mention& before : task.after) spec.after.push_back(before.name);
  spec.retries = static_cast<int>(task.retries);
  spec.retry_delay = task.retry_delay;
  spec.timeout = task.timeout;
  if (const auto* wait = std::get_if<project::WaitTask>(&task.does); wait != nullptr && wait->timeout)
    spec.timeout = wait->timeout;
  return spec;
}

}  // namespace

std::vector<dag::DagSpec> dag_specs(const project::Project& project, project::FaultList& faults) {
  std::vector<dag::DagSpec> out;
  for (const project::Dag& dag : project.dags) {
    dag::DagSpec spec;
    spec.id = dag.name;
    spec.catchup = dag.catchup;
    spec.max_active_runs = static_cast<int>(dag.max_active_runs);
    auto zone = dag::Zone::find(dag.timezone);
    if (!zone) {
      faults.add(dag.timezone_location, "bad-timezone", zone.error().message, zone.error().hint);
      continue;
    }
    spec.zone = *zone;
    if (dag.schedule) {
      auto schedule = dag::parse_schedule(*dag.schedule);
      if (!schedule) {
        faults.add(dag.schedule_location, schedule.error().code == Errc::kUnimplemented ? "not-yet" : "bad-cron",
                   schedule.error().message, schedule.error().hint);
        continue;
      }
      spec.schedule = std::move(*schedule);
    }
    if (dag.start_date) spec.start_date = in_zone(*dag.start_date, spec.zone);
    if (dag.end_date) spec.end_date = in_zone(*dag.end_date, spec.zone);
    for (const project::Task& task : dag.tasks) spec.tasks.push_back(task_spec(project, task));
    if (auto graph = dag::Graph::build(spec); !graph) {
      faults.add(dag.location, "bad-name", graph.error().message, graph.error().hint);
      continue;
    }
    out.push_back(std::move(spec));
  }
  return out;
}

}  // namespace millrace::app
