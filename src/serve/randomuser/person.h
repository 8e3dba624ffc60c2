#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

#include "base/time.h"
#include "base/uuid.h"
#include "serve/randomuser/nations.h"

namespace millrace::serve::randomuser {

/// splitmix64: fast, and good enough for names. The same numbers for the same
/// start on every machine.
class Dice {
 public:
  explicit Dice(uint64_t start) : state_(start) {}
  uint64_t next() {
    uint64_t z = state_ += 0x9e3779b97f4a7c15;
    z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9;
    z = (z ^ z >> 27) * 0x94d049bb133111eb;
    return z ^ z >> 31;
  }
  uint64_t below(uint64_t n) { return next() % n; }
  template <class T>
  const T& pick(std::span<const T> from) {
    return from[below(from.size())];
  }

 private:
  uint64_t state_;
};

/// Everything about one person that is decided by chance; `dice` goes on for
/// the parts that are only written out (digits, digests).
struct Person {
  const Nation* nation;
  bool female;
  std::string_view title;
  const Name* first;
  const Name* last;
  const Place* place;
  std::string_view street;
  uint64_t street_number;
  uint64_t handle_number;
  uint64_t animal;
  uint64_t portrait;
  Instant born;
  Instant registered;
  Uuid uuid;
  Dice dice;
};

/// FNV-1a, so that a seed's people do not depend on the standard library.
uint64_t hash_seed(std::string_view seed);
Person make_person(uint64_t seed, uint64_t page, uint64_t index, std::span<const Nation* const> from, const bool* female);

/// Fills a pattern of Nation.
void append_pattern(std::string& out, std::string_view pattern, Dice& dice);
void append_number(std::string& out, uint64_t n);
/// `2023-09-03T10:00:00.123Z`
void append_instant(std::string& out, Instant t);
void append_uuid(std::string& out, const Uuid& uuid);
/// "sadwolf123", the login name.
void append_username(std::string& out, const Person& person);
void append_portrait(std::string& out, const Person& person, std::string_view folder);

}  // namespace millrace::serve::randomuser
