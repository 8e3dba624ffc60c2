#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/damage.h"
#include "base/result.h"
#include "env/file.h"
#include "log/catalog.h"

namespace millrace::log {

struct VerifyReport {
  std::vector<Damage> damage;
  uint64_t files = 0;
  uint64_t batches = 0;
  uint64_t records = 0;
  uint64_t bytes = 0;
};

/// Reads every segment and index below a log directory at rest: CRCs, counts, that records decode, that offsets go on without a
/// hole, and that nothing durable is missing. A torn tail that the next open will cut is not damage. Changes nothing.
/// With a catalog, records of a topic that it does not know are damage, too, and what the next open finishes of a topic half made
/// or half dropped is none. Errors: kNotFound (no such directory), kIo.
Result<VerifyReport> verify(env::FileSystem& files, const std::string& dir, const Catalog* catalog = nullptr);

}  // namespace millrace::log
