#pragma once

#include <string>
#include <vector>

#include "base/damage.h"
#include "env/env.h"

namespace millrace::app {

struct VerifyReport {
  std::vector<Damage> damage;
  uint64_t files = 0;
  uint64_t records = 0;
  uint64_t bytes = 0;
};

/// Reads everything in a data directory at rest and checks it: the seal of a clean stop, segments and indexes of the log, every
/// byte of the store's files, that rows, positions and dead letters can be decoded, that positions lie within their topics and
/// there are as many dead letters as were counted, the scheduler's database. Changes nothing. A backup is compared with its
/// manifest. Errors: kUnavailable (a process uses the directory), kNotFound.
Result<VerifyReport> verify(env::Env env, const std::string& data);

}  // namespace millrace::app
