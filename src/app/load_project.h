#pragma once

#include <string>

#include "env/env.h"
#include "format/json_doc.h"
#include "project/load.h"

namespace millrace::app {

/// project::load with this process's environment variables.
project::LoadResult load_project(env::Env env, const std::string& file, const std::string& profile);
/// Several files as one project; a name may stand in one of them only. Each file is sound by itself.
project::LoadResult load_projects(env::Env env, const std::vector<std::string>& files, const std::string& profile);

/// A project and everything that is wrong with it: what the file says, and what only the SQL engine and the scheduler's rules can
/// tell. Touches no data. `project` is set only when no fault is an error.
struct Checked {
  std::optional<project::Project> project;
  std::vector<project::Fault> faults;
  std::vector<std::string> explanation;  // of each pipeline, for `explain`
  format::Json explanation_json;
};
Result<Checked> check_project(env::Env env, const std::string& file, const std::string& profile);

/// `{file, line, column, severity, code, message, hint}`
format::Json fault_json(const project::Fault& fault);

}  // namespace millrace::app
