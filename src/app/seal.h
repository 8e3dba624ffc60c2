#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/damage.h"
#include "env/file.h"

namespace millrace::app {

/// What a clean stop left: the files that must be there at the next start, as `<data>/seal` (docs/formats/seal.md). It finds what
/// no file can tell of itself: that it is gone, or shorter, or that the end of it, which could be an interrupted write, is not.
struct Seal {
  struct File {
    std::string name;  // relative to the data directory
    uint64_t bytes = 0;
    std::optional<uint32_t> crc;  // CRC-32C; absent where the file's content has checksums of its own
    friend bool operator==(const File&, const File&) = default;
  };
  std::vector<File> files;  // by name
  friend bool operator==(const Seal&, const Seal&) = default;
};

inline constexpr size_t kSealBytesMax = 64 << 20;

/// Format 1.
std::string encode_seal(const Seal& seal);
/// Errors: kCorruption (not whole, or not ours), kFailedPrecondition (a newer format).
Result<Seal> decode_seal(std::string_view text);

std::string seal_path(const std::string& data);
/// Writes the seal of a directory in which nothing is open; all files are made durable first.
Status write_seal(env::FileSystem& files, const std::string& data);
/// Takes the seal away, durably: before the first change. No error when there is none.
Status break_seal(env::FileSystem& files, const std::string& data);
/// Every file that is not what the seal says, or that it does not know. Empty without a seal. Errors: as decode_seal, kIo.
Result<std::vector<Damage>> compare_with_seal(env::FileSystem& files, const std::string& data);
/// The same as one error: kDataLoss when a file is gone, else kCorruption.
Status check_seal(env::FileSystem& files, const std::string& data);

}  // namespace millrace::app
