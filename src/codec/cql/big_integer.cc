#include "codec/cql/big_integer.h"

#include "base/check.h"

namespace millrace::codec::cql {
namespace {

constexpr int kExponentMax = 38;

}  // namespace

void append_big_integer(std::string& out, __int128 v) {
  int bytes = 1;
  // Another byte is needed as long as the sign does not follow from the first.
  while (bytes < 16 && v >> (8 * bytes - 1) != 0 && v >> (8 * bytes - 1) != -1) ++bytes;
  for (int i = bytes - 1; i >= 0; --i) out += static_cast<char>(static_cast<uint8_t>(v >> (8 * i)));
}

std::optional<__int128> read_big_integer(std::string_view bytes) {
  if (bytes.empty()) return std::nullopt;
  const bool negative = (static_cast<uint8_t>(bytes[0]) & 0x80) != 0;
  const char filling = negative ? '\xFF' : '\0';
  while (bytes.size() > 16 && bytes[0] == filling) bytes.remove_prefix(1);
  if (bytes.size() > 16 || (bytes.size() == 16 && ((static_cast<uint8_t>(bytes[0]) & 0x80) != 0) != negative))
    return std::nullopt;
  auto v = negative ? ~static_cast<unsigned __int128>(0) : 0;
  for (char c : bytes) v = v << 8 | static_cast<uint8_t>(c);
  return static_cast<__int128>(v);
}

__int128 power_of_ten(int exponent) {
  CHECK(exponent >= 0 && exponent <= kExponentMax, "128 bits hold 38 digits");
  __int128 power = 1;
  for (; exponent > 0; --exponent) power *= 10;
  return power;
}

std::optional<__int128> scaled(__int128 v, int64_t exponent) {
  if (v == 0 || exponent == 0) return v;
  if (exponent > kExponentMax || exponent < -kExponentMax) return std::nullopt;
  if (exponent < 0) {
    const __int128 divisor = power_of_ten(static_cast<int>(-exponent));
    if (v % divisor != 0) return std::nullopt;
    return v / divisor;
  }
  __int128 product;
  if (__builtin_mul_overflow(v, power_of_ten(static_cast<int>(exponent)), &product)) return std::nullopt;
  return product;
}

}  // namespace millrace::codec::cql
