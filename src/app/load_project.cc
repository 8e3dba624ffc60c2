#include "app/load_project.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>

#include "app/compile.h"
#include "app/guarantee.h"
#include "app/parts.h"
#include "sql/duck_engine.h"

namespace millrace::app {
namespace {

using format::Json;

std::map<std::string, std::string> environment_variables() {
  std::map<std::string, std::string> out;
  for (char** entry = environ; entry != nullptr && *entry != nullptr; ++entry) {
    std::string_view text(*entry);
    size_t equals = text.find('=');
    if (equals != std::string_view::npos) out.emplace(text.substr(0, equals), text.substr(equals + 1));
  }
  return out;
}

void explain(const project::Project& project, const Compiled& compiled, Checked& out) {
  out.explanation_json = Json::array();
  for (const CompiledQuery& query : compiled.queries) {
    out.explanation.push_back(fmt::format("query {}: {} -> {}", query.name, query.topic.empty() ? "?" : query.topic, query.into));
    Json stages = Json::array();
    for (const std::string& stage : query.plan) {
      out.explanation.push_back("  " + stage);
      stages.push(stage);
    }
    if (!query.ready)
      out.explanation.push_back(
          fmt::format("  waits: topic {} has no schema; it is inferred from its first records", query.topic));
    std::string promise = guarantee_of(project, query);
    out.explanation.push_back("  state: none (each record by itself)");
    out.explanation.push_back("  guarantee: " + promise);
    Json json = Json::object();
    json.set("query", query.name)
        .set("topic", query.topic)
        .set("into", query.into)
        .set("stages", std::move(stages))
        .set("state", "none")
        .set("guarantee", promise);
    out.explanation_json.push(std::move(json));
  }
}

}  // namespace

project::LoadResult load_project(env::Env env, const std::string& file, const std::string& profile) {
  return project::load(env.files, file, {profile, environment_variables()});
}

namespace {

/// Moves the things of `from` behind those of `to`; a name that is taken is a fault.
template <class T>
void merge(std::vector<T>& to, std::vector<T>& from, std::string_view kind, project::FaultList& faults) {
  for (T& thing : from) {
    if (project::find(to, thing.name) != nullptr) {
      faults.add(thing.location, "duplicate-name", fmt::format("{} {} is in another file too", kind, thing.name));
    } else {
      to.push_back(std::move(thing));
    }
  }
}

}  // namespace

project::LoadResult load_projects(env::Env env, const std::vector<std::string>& files, const std::string& profile) {
  project::LoadResult all;
  bool sound = true;
  project::FaultList faults;
  for (const std::string& file : files) {
    project::LoadResult one = load_project(env, file, profile);
    all.faults.insert(all.faults.end(), one.faults.begin(), one.faults.end());
    sound = sound && one.project;
    if (!one.project) continue;
    if (!all.project) {
      all.project = std::move(one.project);
      continue;
    }
    merge(all.project->sources, one.project->sources, "source", faults);
    merge(all.project->topics, one.project->topics, "topic", faults);
    merge(all.project->queries, one.project->queries, "query", faults);
    merge(all.project->tables, one.project->tables, "table", faults);
    merge(all.project->dags, one.project->dags, "dag", faults);
    merge(all.project->connections, one.project->connections, "connection", faults);
  }
  if (faults.has_errors()) sound = false;
  for (project::Fault& fault : std::move(faults).take()) all.faults.push_back(std::move(fault));
  if (!sound) all.project.reset();
  return all;
}

Result<Checked> check_project(env::Env env, const std::string& file, const std::string& profile) {
  project::LoadResult loaded = load_project(env, file, profile);
  Checked checked;
  checked.faults = std::move(loaded.faults);
  // A file with faults is looked through all the same, so that those of its SQL come in the same answer.
  const std::optional<project::Project>& readable = loaded.project ? loaded.project : loaded.draft;
  if (!readable) return checked;
  TRY(auto engine, sql::DuckEngine::open({}));
  project::FaultList of_parts;
  check_parts(*readable, of_parts);
  for (project::Fault& fault : std::move(of_parts).take()) checked.faults.push_back(std::move(fault));
  Compiled compiled = compile(*readable, *engine, {});
  checked.faults.insert(checked.faults.end(), compiled.faults.begin(), compiled.faults.end());
  std::sort(checked.faults.begin(), checked.faults.end());
  checked.faults.erase(std::unique(checked.faults.begin(), checked.faults.end()), checked.faults.end());
  if (loaded.project) explain(*loaded.project, compiled, checked);
  if (!has_errors(checked.faults)) checked.project = std::move(loaded.project);
  return checked;
}

Json fault_json(const project::Fault& fault) {
  Json json = Json::object();
  json.set("file", fault.file)
      .set("line", fault.line)
      .set("column", fault.column)
      .set("severity", project::severity_name(fault.severity))
      .set("code", fault.code)
      .set("message", fault.message)
      .set("hint", fault.hint);
  return json;
}

}  // namespace millrace::app
