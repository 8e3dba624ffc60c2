#pragma once

#include <cstddef>

namespace millrace::connect::registry {

/// Confluent's wire format: the magic byte 0, the schema's id in 4 bytes (most significant first), then the value itself.
inline constexpr char kMagic = 0;
inline constexpr size_t kHeadBytes = 5;

}  // namespace millrace::connect::registry
