#include <fmt/format.h>

#include "cli/command.h"

namespace millrace::cli {
namespace {

using format::Json;

struct DagOptions {
  std::string dag;
  std::string run;
  std::string task;
  std::string conf;
  std::string logical_date;
  std::string run_id;
  int64_t try_number = 0;
  int64_t count = 5;
};
using Options = std::shared_ptr<DagOptions>;

std::string path_of(const DagOptions& options) { return "/v1/dags/" + path_segment(options.dag); }
std::string run_path(const DagOptions& options) { return path_of(options) + "/runs/" + path_segment(options.run); }

CLI::App* add_verb(CLI::App& command, Session& session, const Options& options, const char* name, const char* help, bool reads,
                   std::function<Status(ApiClient&, const DagOptions&)> action) {
  CLI::App* verb = add_api_verb(command, session, name, help, reads,
                                [options, action = std::move(action)](ApiClient& api) { return action(api, *options); });
  verb->add_option("dag", options->dag, "the dag's id")->required()->type_name("DAG");
  return verb;
}

/// The log as it stands, or as JSON: an array of `{timestamp, message}`, one a line.
void print_log(const Session& session, std::string_view text) {
  if (!session.json()) {
    std::fwrite(text.data(), 1, text.size(), stdout);
    return;
  }
  Json lines = Json::array();
  while (!text.empty()) {
    std::string_view line = text.substr(0, text.find('\n'));
    text.remove_prefix(std::min(text.size(), line.size() + 1));
    size_t space = line.find(' ');
    lines.push(Json::object()
                   .set("timestamp", line.substr(0, space))
                   .set("message", space == std::string_view::npos ? "" : line.substr(space + 1)));
  }
  fmt::print("{}\n", to_json(lines));
}

void add_run_option(CLI::App* verb, const Options& options) {
  verb->add_option("run", options->run, "the run's id, or `latest`")->required()->type_name("RUN");
}

void add_listings(CLI::App& command, Session& session, const Options& options) {
  add_api_verb(command, session, "list", "all dags", true, [&session](ApiClient& api) -> Status {
    TRY(Json dags, api.get("/v1/dags"));
    print_list(session, dags,
               {{"dag_id", "DAG"},
                {"schedule", "SCHEDULE"},
                {"is_paused", "PAUSED"},
                {"next_dagrun_create_after", "NEXT RUN"},
                {"runs_running", "RUNNING"}});
    return {};
  });
  add_verb(command, session, options, "describe", "schedule and tasks", false,
           [&session](ApiClient& api, const DagOptions& chosen) -> Status {
             TRY(Json dag, api.get(path_of(chosen)));
             print_object(session, dag);
             return {};
           });
  add_verb(command, session, options, "runs", "the runs of a dag, newest first", true,
           [&session](ApiClient& api, const DagOptions& chosen) -> Status {
             TRY(Json runs, api.get(path_of(chosen) + "/runs"));
             print_list(
                 session, runs,
                 {{"dag_run_id", "RUN"}, {"state", "STATE"}, {"start_date", "STARTED"}, {"end_date", "ENDED"}, {"note", "NOTE"}});
             return {};
           });
  CLI::App* tasks = add_verb(command, session, options, "tasks", "the tasks of a run", true,
                             [&session](ApiClient& api, const DagOptions& chosen) -> Status {
                               TRY(Json rows, api.get(run_path(chosen) + "/tasks"));
                               print_list(session, rows,
                                          {{"task_id", "TASK"},
                                           {"state", "STATE"},
                                           {"try_number", "TRY"},
                                           {"start_date", "STARTED"},
                                           {"duration", "SECONDS"},
                                           {"note", "NOTE"}});
                               return {};
                             });
  add_run_option(tasks, options);
  CLI::App* next = add_verb(
      command, session, options, "next", "when the schedule runs next", false,
      [&session](ApiClient& api, const DagOptions& chosen) -> Status {
        TRY(Json rows, api.get(path_of(chosen) + fmt::format("/next?count={}", chosen.count)));
        print_list(session, rows,
                   {{"run_after", "RUN AFTER"}, {"logical_date", "LOGICAL DATE"}, {"data_interval_end", "INTERVAL END"}});
        return {};
      });
  next->add_option("-n,--count", options->count, "how many")->check(CLI::Range(1, 1000))->capture_default_str();
}

void add_actions(CLI::App& command, Session& session, const Options& options) {
  CLI::App* trigger = add_verb(command, session, options, "trigger", "start a run by hand", false,
                               [&session](ApiClient& api, const DagOptions& chosen) -> Status {
                                 Json body = Json::object();
                                 if (!chosen.conf.empty()) {
                                   TRY(Json conf, format::parse_json(chosen.conf));
                                   body.set("conf", std::move(conf));
                                 }
                                 if (!chosen.logical_date.empty()) body.set("logical_date", chosen.logical_date);
                                 if (!chosen.run_id.empty()) body.set("dag_run_id", chosen.run_id);
                                 TRY(Json run, api.post(path_of(chosen) + "/runs", body));
                                 print_object(session, run);
                                 return {};
                               });
  trigger->add_option("-c,--conf", options->conf, "a JSON object for the run's templates")->type_name("JSON");
  trigger->add_option("-e,--logical-date", options->logical_date, "the run's logical date (default: now)")->type_name("TIME");
  trigger->add_option("-r,--run-id", options->run_id, "a name of its own for the run")->type_name("ID");
  trigger->footer("Example:\n  millrace dags trigger user_automation --conf '{\"day\": \"2026-01-31\"}'");
  for (bool paused : {true, false}) {
    add_verb(command, session, options, paused ? "pause" : "unpause",
             paused ? "no run is started until unpause" : "runs are started again", false,
             [&session, paused](ApiClient& api, const DagOptions& chosen) -> Status {
               TRY(Json dag,
                   api.request("PATCH", path_of(chosen), to_json(Json::object().set("is_paused", paused)), "application/json"));
               print_object(session, dag);
               return {};
             });
  }
  CLI::App* logs = add_verb(command, session, options, "logs", "what a task wrote", false,
                            [&session](ApiClient& api, const DagOptions& chosen) -> Status {
                              std::string path = run_path(chosen) + "/tasks/" + path_segment(chosen.task);
                              std::string text;
                              TRY_DO(api.stream("GET", path + fmt::format("/logs?try={}", chosen.try_number), {}, {},
                                                [&](std::string_view bytes) -> Status {
                                                  text += bytes;
                                                  return {};
                                                }));
                              print_log(session, text);
                              return {};
                            });
  add_run_option(logs, options);
  logs->add_option("task", options->task, "the task's id")->required()->type_name("TASK");
  logs->add_option("--try", options->try_number, "which attempt (default: the newest)")->type_name("N");
  CLI::App* clear =
      add_verb(command, session, options, "clear", "forget the results of a run, or of a task and those after it, and run again",
               false, [&session](ApiClient& api, const DagOptions& chosen) -> Status {
                 Json body = Json::object();
                 if (!chosen.task.empty()) body.set("task_id", chosen.task);
                 TRY(Json run, api.post(run_path(chosen) + "/clear", body));
                 print_object(session, run);
                 return {};
               });
  add_run_option(clear, options);
  clear->add_option("task", options->task, "one task and those after it (default: all)")->type_name("TASK");
  CLI::App* why = add_verb(
      command, session, options, "why", "why a run or a task is not running", false,
      [&session](ApiClient& api, const DagOptions& chosen) -> Status {
        TRY(Json answer, api.get(run_path(chosen) + "/why" + (chosen.task.empty() ? "" : "?task=" + path_segment(chosen.task))));
        if (session.json()) {
          print_object(session, answer);
          return {};
        }
        for (const Json& sentence : *answer.find("why")->as_array()) fmt::print("{}\n", *sentence.as_string());
        return {};
      });
  add_run_option(why, options);
  why->add_option("task", options->task, "one task (default: the run)")->type_name("TASK");
}

}  // namespace

void add_dags(CLI::App& program, Session& session) {
  CLI::App* command = program.add_subcommand("dags", "list, describe, trigger, pause, clear dags; their runs, tasks and logs");
  command->require_subcommand(1);
  auto options = std::make_shared<DagOptions>();
  add_listings(*command, session, options);
  add_actions(*command, session, options);
}

}  // namespace millrace::cli
