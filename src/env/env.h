#pragma once

#include "env/clock.h"
#include "env/file.h"
#include "env/random.h"

namespace millrace::env {

/// The machine as the rest of the project sees it. Lifetime: outlives everything that is given it.
struct Env {
  FileSystem& files;
  Clock& clock;
  Random& random;
};

inline Env real_env() { return {real_file_system(), real_clock(), real_random()}; }

}  // namespace millrace::env
