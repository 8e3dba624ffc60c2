#pragma once

#include <cstddef>
#include <cstdint>

namespace millrace::project {

/// Limits of a pipeline file: bigger ones are refused before anything is built from them.
inline constexpr uint64_t kFileBytesMax = 4 << 20;
inline constexpr uint64_t kIncludedBytesMax = 1 << 20;  // of a ${file:…} or sql_file
inline constexpr int kNestingMax = 64;
inline constexpr size_t kNodesMax = 200'000;           // values, with aliases expanded
inline constexpr size_t kExpandedBytesMax = 16 << 20;  // texts, with aliases expanded and ${…} replaced

}  // namespace millrace::project
