#pragma once

#include <cstdint>
#include <string_view>

#include "base/result.h"

namespace millrace {

/// `4096`, `64KiB`, `10MB` as bytes: B, kB/MB/GB/TB are powers of 1000, KiB/MiB/GiB/TiB of 1024. Never negative.
Result<int64_t> parse_size(std::string_view text);

}  // namespace millrace
