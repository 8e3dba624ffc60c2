#pragma once

#include <duckdb.h>

#include <cstdint>

#include "base/result.h"
#include "base/uuid.h"

namespace millrace::sql {

/// What makes one call of uuid() or random() in a query: the same seed gives the same value, for ever.
struct CallSeed {
  Uuid topic;
  int32_t partition = 0;
  int64_t offset = 0;
  int64_t call = 0;     // which call in the statement
  int64_t ordinal = 0;  // which row of the record
};

/// 128 bits from the seed: two lanes that absorb its six words by SplitMix64's finalizer (Steele, Lea, Flood: Fast Splittable
/// Pseudorandom Number Generators, 2014), each lane with its own start. Not for secrets.
struct Mixed {
  uint64_t high;
  uint64_t low;
};
Mixed mix(const CallSeed& seed);

/// Version 4 (RFC 9562) with the random bits from mix().
Uuid seeded_uuid(const CallSeed& seed);
/// In [0, 1): 53 bits of mix().
double seeded_random(const CallSeed& seed);

/// `millrace_uuid(topic UUID, partition INTEGER, offset BIGINT, call BIGINT, ordinal BIGINT)` and `millrace_random(…)` of the
/// same.
Status register_functions(duckdb_connection connection);

}  // namespace millrace::sql
