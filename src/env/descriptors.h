#pragma once

#include <cstdint>

#include "base/result.h"

namespace millrace::env {

/// Below it a server does not start: its own files take about 30, a partition up to 3.
inline constexpr uint64_t kDescriptorsMin = 128;

/// How many files and sockets this process may have open.
uint64_t descriptor_limit();
/// Raises the soft limit to the hard one. kResourceExhausted when that is below kDescriptorsMin.
Status raise_descriptor_limit();

}  // namespace millrace::env
