#include "env/machine.h"

#include <unistd.h>

#include <algorithm>
#include <fstream>

namespace millrace::env {

uint64_t memory_bytes() {
  uint64_t bytes = static_cast<uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
  // A container sees its own group at the root of the hierarchy. "max" is no number, and stands for no limit.
  for (const char* path : {"/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"}) {
    std::ifstream file(path);
    uint64_t limit = 0;
    if (file >> limit) bytes = std::min(bytes, limit);
  }
  return bytes;
}

}  // namespace millrace::env
