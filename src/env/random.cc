#include "env/random.h"

#include <sys/random.h>

#include <cerrno>
#include <cstring>

#include "base/bytes.h"
#include "base/check.h"

namespace millrace::env {
namespace {

class KernelRandom : public Random {
 public:
  uint64_t next() override {
    uint64_t out = 0;
    // Up to 256 bytes come whole or not at all (getrandom(2)).
    while (getrandom(&out, sizeof out, 0) != sizeof out) CHECK(errno == EINTR, "the kernel has no random numbers");
    return out;
  }
};

}  // namespace

Random& real_random() {
  static KernelRandom random;
  return random;
}

// SplitMix64 (Steele, Lea, Flood 2014): its state is a counter, so that one atomic addition makes it safe from any thread.
uint64_t SeededRandom::next() {
  uint64_t z = __atomic_add_fetch(&state_, 0x9e3779b97f4a7c15, __ATOMIC_RELAXED);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

Uuid make_uuid(Random& random) {
  Uuid uuid;
  uint64_t high = random.next(), low = random.next();
  std::memcpy(uuid.bytes.data(), &high, 8);
  std::memcpy(uuid.bytes.data() + 8, &low, 8);
  uuid.bytes[6] = static_cast<uint8_t>((uuid.bytes[6] & 0x0f) | 0x40);
  uuid.bytes[8] = static_cast<uint8_t>((uuid.bytes[8] & 0x3f) | 0x80);
  return uuid;
}

}  // namespace millrace::env
