#pragma once

#include <cstdint>

namespace millrace::env {

/// Bytes of memory that this process may count on: the machine's, or the limit of its control group (v2 or v1) when that is less.
uint64_t memory_bytes();

}  // namespace millrace::env
