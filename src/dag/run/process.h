#pragma once

#include <sys/types.h>

#include <functional>
#include <stop_token>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "env/clock.h"

namespace millrace::dag {

struct ProcessSpec {
  std::vector<std::string> argv;         // argv[0] is looked for in PATH
  std::vector<std::string> environment;  // NAME=value; all of it
  std::string directory;                 // empty: ours
  Duration grace = std::chrono::seconds(10);
};

struct ProcessEnd {
  int exit_code = 0;  // meaningless when a signal ended it
  int signal = 0;
};

/// Runs a program in a session and process group of its own, with /dev/null as stdin, its output and error output in one pipe, no
/// other descriptor of ours and no blocked or ignored signal. Blocks until the program has ended; what it left running in its
/// group is killed then. When `stop` is requested the group gets SIGTERM, and SIGKILL after the grace. `started` is called with
/// the pid, `output` with bytes as they come, both on the calling thread. Errors: kNotFound, kPermissionDenied, kIo when the
/// program could not be started.
Result<ProcessEnd> run_process(const ProcessSpec& spec, env::Clock& clock, std::stop_token stop,
                               const std::function<void(pid_t)>& started, const std::function<void(std::string_view)>& output);

}  // namespace millrace::dag
