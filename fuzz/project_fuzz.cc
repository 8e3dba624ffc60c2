// rooms: project env base
#include <cstdlib>

#include "project/load.h"
#include "project/memory_files.h"

/// A pipeline file, twice: for the default profile and for one named `p`. Whatever it says, both end, and a project that is given
/// has no error.
extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {
  using namespace millrace::project;
  std::string text(reinterpret_cast<const char*>(data), size);
  MemoryFiles files({{"d/f.yaml", text}, {"d/q.sql", "SELECT\n 1"}, {"d/secret", "hunter2\n"}, {"d/t.csv", "a,b\n"}});
  for (const char* profile : {"", "p"}) {
    LoadResult result = load(files, "d/f.yaml", {profile, {{"A", "a"}, {"B", ""}, {"N", "3"}}});
    bool error = false;
    for (const Fault& fault : result.faults) {
      error = error || fault.severity == Severity::kError;
      bool shown = fault.message.find("hunter2") != std::string::npos || fault.hint.find("hunter2") != std::string::npos;
      if (shown && text.find("hunter") == std::string::npos) std::abort();
    }
    if (result.project.has_value() == error) std::abort();
    if (!result.project.has_value()) continue;
    for (const Query& query : result.project->queries) {
      for (size_t at = 0; at <= query.sql.text.size(); ++at) query.sql.at_offset(at);
    }
  }
  return 0;
}
