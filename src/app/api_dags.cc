#include <fmt/format.h>

#include "app/api.h"

namespace millrace::app {
namespace {

using format::Json;

Json time_json(const std::optional<Instant>& time) { return time ? Json(format_instant(*time)) : Json(); }
Json seconds_between(const std::optional<Instant>& from, const std::optional<Instant>& to) {
  return from && to ? Json(static_cast<double>((*to - *from).count()) / 1e6) : Json();
}

// Names and shapes are Airflow's (stable REST API), so that scripts which read them go on reading.
Json run_json(const port::RunRow& run) {
  Json json = Json::object();
  json.set("dag_id", run.dag_id)
      .set("dag_run_id", run.run_id)
      .set("run_type", run.run_type)
      .set("state", run.state)
      .set("logical_date", format_instant(run.logical_date))
      .set("data_interval_start", format_instant(run.data_interval_start))
      .set("data_interval_end", format_instant(run.data_interval_end))
      .set("start_date", time_json(run.start_date))
      .set("end_date", time_json(run.end_date))
      .set("conf", format::parse_json(run.conf).value_or(Json::object()))
      .set("note", run.message.empty() ? Json() : Json(run.message));
  return json;
}

Json task_json(const port::TaskRow& task) {
  Json json = Json::object();
  json.set("dag_id", task.dag_id)
      .set("dag_run_id", task.run_id)
      .set("task_id", task.task_id)
      .set("state", task.state.empty() || task.state == "none" ? Json() : Json(task.state))
      .set("try_number", task.try_number)
      .set("max_tries", task.max_tries)
      .set("start_date", time_json(task.start_date))
      .set("end_date", time_json(task.end_date))
      .set("duration", seconds_between(task.start_date, task.end_date))
      .set("note", task.message.empty() ? Json() : Json(task.message));
  return json;
}

Json dag_json(const dag::DagInfo& info) {
  Json json = Json::object();
  json.set("dag_id", info.row.dag_id)
      .set("is_paused", info.row.paused)
      .set("schedule", dag::schedule_text(info.graph->spec().schedule))
      .set("timezone", info.graph->spec().zone.name())
      .set("catchup", info.graph->spec().catchup)
      .set("max_active_runs", info.graph->spec().max_active_runs)
      .set("start_date", time_json(info.graph->spec().start_date))
      .set("end_date", time_json(info.graph->spec().end_date))
      .set("next_dagrun", info.next ? Json(format_instant(info.next->logical_date)) : Json())
      .set("next_dagrun_create_after", info.next ? Json(format_instant(info.next->run_after)) : Json())
      .set("runs_running", info.runs_running)
      .set("runs_queued", info.runs_queued);
  return json;
}

/// kUnavailable for the moment in which `apply` exchanges it.
Result<std::shared_ptr<dag::Scheduler>> scheduler_of(const Call& call) {
  if (auto scheduler = call.instance.scheduler()) return scheduler;
  return fail(Errc::kUnavailable, "the scheduler is not running", "try again in a moment");
}

Result<Response> list(const Call& call) {
  Json dags = Json::array();
  if (auto scheduler = call.instance.scheduler()) {
    for (const dag::DagInfo& info : scheduler->dags()) dags.push(dag_json(info));
  } else if (call.instance.metadata() != nullptr) {
    TRY(auto rows, call.instance.metadata()->dags());
    for (const port::DagRow& row : rows) dags.push(Json::object().set("dag_id", row.dag_id).set("is_paused", row.paused));
  }
  return json_response(dags);
}

Result<Response> describe(const Call& call) {
  TRY(auto scheduler, scheduler_of(call));
  TRY(dag::DagInfo info, scheduler->describe(call.path[0]));
  Json json = dag_json(info);
  Json tasks = Json::array();
  for (const dag::TaskSpec& task : info.graph->spec().tasks) {
    Json after = Json::array();
    for (const std::string& name : task.after) after.push(name);
    Json one = Json::object();
    one.set("task_id", task.id)
        .set("kind", dag::task_kind_name(task.kind))
        .set("after", std::move(after))
        .set("retries", task.retries);
    tasks.push(std::move(one));
  }
  json.set("tasks", std::move(tasks));
  return json_response(json);
}

Result<Response> trigger(const Call& call) {
  TRY(auto scheduler, scheduler_of(call));
  TRY(Json body, call.body_object());
  dag::TriggerRequest request;
  if (const Json* conf = body.find("conf"); conf != nullptr && !conf->is_null()) request.conf = to_json(*conf);
  if (std::string date = body.string_or("logical_date", ""); !date.empty()) {
    TRY(request.logical_date, parse_instant(date));
  }
  request.run_id = body.string_or("dag_run_id", "");
  TRY_DO(call.instance.check_room());
  TRY(std::string run_id, scheduler->trigger(call.path[0], request));
  TRY(port::StoredRun stored, call.instance.metadata()->run(call.path[0], run_id));
  return json_response(run_json(stored.run));
}

Result<Response> runs(const Call& call) {
  TRY(int64_t limit, call.number("limit", 100, 1, 10'000));
  if (auto scheduler = call.instance.scheduler()) TRY_DO(scheduler->describe(call.path[0]));
  if (call.instance.metadata() == nullptr) return json_response(Json::array());
  TRY(auto rows, call.instance.metadata()->runs(call.path[0], static_cast<size_t>(limit)));
  Json json = Json::array();
  for (const port::RunRow& row : rows) json.push(run_json(row));
  return json_response(json);
}

/// `latest` stands for the run with the newest logical date.
Result<std::string> run_id_of(const Call& call) {
  if (call.instance.metadata() == nullptr) return fail(Errc::kNotFound, fmt::format("dag {} has no runs", call.path[0]));
  if (call.path[1] != "latest") return call.path[1];
  TRY(auto rows, call.instance.metadata()->runs(call.path[0], 1));
  if (rows.empty())
    return fail(Errc::kNotFound, fmt::format("dag {} has no runs", call.path[0]),
                fmt::format("start one with `millrace dags trigger {}`", call.path[0]));
  return rows[0].run_id;
}

Result<Response> tasks(const Call& call) {
  TRY(std::string run_id, run_id_of(call));
  TRY(port::StoredRun stored, call.instance.metadata()->run(call.path[0], run_id));
  Json json = Json::array();
  for (const port::TaskRow& row : stored.tasks) json.push(task_json(row));
  return json_response(json);
}

Result<Response> logs(const Call& call) {
  TRY(auto scheduler, scheduler_of(call));
  TRY(std::string run_id, run_id_of(call));
  TRY(int64_t number, call.number("try", 0, 0, 1'000'000));
  TRY(std::string text, scheduler->log_tail(call.path[0], run_id, call.path[2], static_cast<int>(number)));
  Response response;
  response.content_type = "text/plain; charset=utf-8";
  response.body = std::move(text);
  return response;
}

Result<Response> set_paused(const Call& call) {
  TRY(auto scheduler, scheduler_of(call));
  TRY(Json body, call.body_object());
  const Json* paused = body.find("is_paused");
  if (paused == nullptr || paused->as_bool() == nullptr)
    return fail(Errc::kInvalidArgument, "the body must be {\"is_paused\": true} or false");
  TRY_DO(*paused->as_bool() ? scheduler->pause(call.path[0]) : scheduler->unpause(call.path[0]));
  TRY(dag::DagInfo info, scheduler->describe(call.path[0]));
  return json_response(dag_json(info));
}

Result<Response> next(const Call& call) {
  TRY(auto scheduler, scheduler_of(call));
  TRY(int64_t count, call.number("count", 5, 1, 1000));
  TRY(auto due, scheduler->next(call.path[0], static_cast<size_t>(count)));
  Json json = Json::array();
  for (const dag::DueRun& run : due) {
    Json one = Json::object();
    one.set("dag_id", call.path[0])
        .set("logical_date", format_instant(run.logical_date))
        .set("data_interval_start", format_instant(run.interval.start))
        .set("data_interval_end", format_instant(run.interval.end))
        .set("run_after", format_instant(run.run_after));
    json.push(std::move(one));
  }
  return json_response(json);
}

Result<Response> clear(const Call& call) {
  TRY(auto scheduler, scheduler_of(call));
  TRY(Json body, call.body_object());
  TRY(std::string run_id, run_id_of(call));
  std::optional<std::string> task;
  if (std::string name = body.string_or("task_id", ""); !name.empty()) task = name;
  TRY_DO(scheduler->clear(call.path[0], run_id, task, body.bool_or("downstream", true)));
  TRY(port::StoredRun stored, call.instance.metadata()->run(call.path[0], run_id));
  return json_response(run_json(stored.run));
}

Result<Response> why(const Call& call) {
  TRY(auto scheduler, scheduler_of(call));
  TRY(std::string run_id, run_id_of(call));
  std::optional<std::string> task;
  if (auto name = call.request.parameter("task")) task = std::string(*name);
  TRY(auto sentences, scheduler->why(call.path[0], run_id, task));
  Json reasons = Json::array();
  for (const std::string& sentence : sentences) reasons.push(sentence);
  Json json = Json::object();
  json.set("dag_id", call.path[0])
      .set("dag_run_id", run_id)
      .set("task_id", task ? Json(*task) : Json())
      .set("why", std::move(reasons));
  return json_response(json);
}

constexpr Route kRoutes[] = {
    {"GET", "/v1/dags", true, list},
    {"GET", "/v1/dags/*", false, describe},
    {"PATCH", "/v1/dags/*", false, set_paused},
    {"GET", "/v1/dags/*/next", false, next},
    {"GET", "/v1/dags/*/runs", true, runs},
    {"POST", "/v1/dags/*/runs", false, trigger},
    {"GET", "/v1/dags/*/runs/*/tasks", true, tasks},
    {"GET", "/v1/dags/*/runs/*/tasks/*/logs", false, logs},
    {"POST", "/v1/dags/*/runs/*/clear", false, clear},
    {"GET", "/v1/dags/*/runs/*/why", false, why},
};

}  // namespace

std::span<const Route> dag_routes() { return kRoutes; }

}  // namespace millrace::app
