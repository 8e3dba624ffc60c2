#pragma once

#include <cstdint>

#include "base/uuid.h"

namespace millrace::env {

/// Where chance comes from; a test gives a seeded one. Threading: safe from any thread.
class Random {
 public:
  virtual ~Random() = default;
  virtual uint64_t next() = 0;
};

/// The kernel's random numbers.
Random& real_random();

/// The same numbers for the same seed.
class SeededRandom : public Random {
 public:
  explicit SeededRandom(uint64_t seed) : state_(seed) {}
  uint64_t next() override;

 private:
  uint64_t state_;
};

/// A version 4 uuid (RFC 9562, 5.4).
Uuid make_uuid(Random& random);

}  // namespace millrace::env
