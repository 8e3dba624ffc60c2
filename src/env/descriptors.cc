#include "env/descriptors.h"

#include <fmt/format.h>
#include <sys/resource.h>

namespace millrace::env {

uint64_t descriptor_limit() {
  rlimit files{};
  return getrlimit(RLIMIT_NOFILE, &files) == 0 ? files.rlim_cur : kDescriptorsMin;
}

Status raise_descriptor_limit() {
  rlimit files{};
  if (getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {
    files.rlim_cur = files.rlim_max;
    (void)setrlimit(RLIMIT_NOFILE, &files);
  }
  uint64_t limit = descriptor_limit();
  if (limit >= kDescriptorsMin) return {};
  return fail(Errc::kResourceExhausted,
              fmt::format("this process may open {} files, and a server needs {} at least", limit, kDescriptorsMin),
              "raise the limit with `ulimit -n 4096`, or LimitNOFILE= in its systemd unit");
}

}  // namespace millrace::env
