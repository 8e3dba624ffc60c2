#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace millrace::connect::file {

/// A file by its beginning: so many of its first bytes, at most kHeadBytes, and what they hash to (FNV-1a, 64 bits).
struct Head {
  uint64_t bytes = 0;
  uint64_t hash = 0;
  friend bool operator==(const Head&, const Head&) = default;
};
inline constexpr size_t kHeadBytes = 1024;
Head head_of(std::string_view first_bytes);

/// How far a file is read.
struct KnownFile {
  std::string name;
  Head head;
  uint64_t offset = 0;    // of the next byte; of Parquet, row
  uint64_t line = 0;      // lines before it
  bool skipping = false;  // within a line that is too long
  bool done = false;      // nothing more is read of it
  friend bool operator==(const KnownFile&, const KnownFile&) = default;
};

/// A file as it stands in the directory now.
struct SeenFile {
  std::string name;
  uint64_t size = 0;
  std::string first_bytes;  // up to kHeadBytes
  bool wanted = true;       // by its name; else only if it is a known one under a new name
};

/// Which file is which.
struct Matched {
  /// What to read, renamed ones that are not wanted by name first, then in the order of the names. Heads have grown with their
  /// files.
  std::vector<KnownFile> files;
  std::vector<std::string> warnings;
};
/// A name whose file begins as it did goes on; so does, under its new name, a file that begins as one whose name is gone or means
/// another file now. A file that is shorter than what was read of it, or begins otherwise, is read from its start, with a warning
/// if its rest was not found elsewhere. `rows`: offsets are rows, which sizes say nothing of.
Matched match_files(const std::vector<KnownFile>& known, const std::vector<SeenFile>& seen, bool rows);

/// JSON: {"version":1,"files":[{"name","head_bytes","head","offset","line","skipping","done"}]}, the last two only when true.
std::string encode_feed_position(const std::vector<KnownFile>& files);
/// kInvalidArgument for anything else, or more than kFilesMax files.
Result<std::vector<KnownFile>> decode_feed_position(std::string_view position);
inline constexpr size_t kFilesMax = 10'000;

}  // namespace millrace::connect::file
