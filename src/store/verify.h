#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/damage.h"
#include "base/result.h"

namespace millrace::store {

/// Whether a file of that name in a store's directory is data: not RocksDB's lock and own log, nor the folder of ingestions.
bool is_data_file(std::string_view name);

/// What can be told of a store's files before RocksDB opens it, which would take some damage for an interrupted write and go on
/// with less: FORMAT and CURRENT are right, and no record of the manifest or of a write-ahead log is broken with whole ones
/// behind it. A torn end is not damage. Reads only. No store at all has none. Errors: kFailedPrecondition (a newer format,
/// or somebody else's database), kIo.
Result<std::vector<Damage>> scan_files(const std::string& path);

/// The same as one error: kCorruption naming the first file and position.
Status check_files(const std::string& path);

struct VerifyReport {
  std::vector<Damage> damage;
  uint64_t files = 0;
};

/// scan_files, and every byte of every sorted file against the checksum that the manifest has of it. The store is at rest.
Result<VerifyReport> verify(const std::string& path);

}  // namespace millrace::store
