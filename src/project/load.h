#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "env/file.h"
#include "project/fault.h"
#include "project/limits.h"
#include "project/project.h"

namespace millrace::project {

struct LoadOptions {
  std::string profile;                             // empty: `dev`
  std::map<std::string, std::string> environment;  // what ${VAR} sees
};

struct LoadResult {
  std::optional<Project> project;  // only when no fault is an error
  std::optional<Project> draft;    // what could be read of a file with errors: to look for more faults in, never to be run
  std::vector<Fault> faults;       // sorted by place; errors and warnings
};

/// Reads and checks a pipeline file and the files it names. Every fault is found in one go; nothing else is touched.
LoadResult load(env::FileSystem& files, const std::string& path, const LoadOptions& options);

}  // namespace millrace::project
