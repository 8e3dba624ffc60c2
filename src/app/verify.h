#pragma once

#include <string>
#include <vector>

#include "env/env.h"

namespace millrace::app {

struct Damage {
  std::string file;
  uint64_t position = 0;
  std::string what;
};

struct VerifyReport {
  std::vector<Damage> damage;
  uint64_t files = 0;
  uint64_t records = 0;
  uint64_t bytes = 0;
};

/// Reads everything in a data directory at rest and checks it: segments and indexes of the log, every block of the store, that
/// rows, positions and dead letters can be decoded, that positions lie within their topics, the scheduler's database. Changes
/// nothing. Errors: kUnavailable (a process uses the directory), kNotFound.
Result<VerifyReport> verify(env::Env env, const std::string& data);

}  // namespace millrace::app
