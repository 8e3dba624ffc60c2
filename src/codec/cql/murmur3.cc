#include "codec/cql/murmur3.h"

#include <bit>
#include <limits>

#include "base/bytes.h"
#include "base/check.h"
#include "codec/cql/primitive.h"

namespace millrace::codec::cql {
namespace {

constexpr uint64_t kC1 = 0x87c37b91114253d5;
constexpr uint64_t kC2 = 0x4cf5ad432745937f;

uint64_t mix1(uint64_t k) { return std::rotl(k * kC1, 31) * kC2; }
uint64_t mix2(uint64_t k) { return std::rotl(k * kC2, 33) * kC1; }

uint64_t final_mix(uint64_t h) {
  h = (h ^ h >> 33) * 0xff51afd7ed558ccd;
  h = (h ^ h >> 33) * 0xc4ceb9fe1a85ec53;
  return h ^ h >> 33;
}

/// Up to 8 bytes of the tail, least significant first, each as Java's signed byte.
uint64_t signed_tail(std::string_view bytes) {
  uint64_t k = 0;
  for (size_t i = 0; i < bytes.size(); ++i) {
    k ^= static_cast<uint64_t>(int64_t{static_cast<int8_t>(bytes[i])}) << (8 * i);
  }
  return k;
}

}  // namespace

int64_t murmur3_token(std::string_view routing_key) {
  if (routing_key.empty()) return std::numeric_limits<int64_t>::min();
  uint64_t h1 = 0;
  uint64_t h2 = 0;
  std::string_view rest = routing_key;
  for (; rest.size() >= 16; rest.remove_prefix(16)) {
    h1 = (std::rotl(h1 ^ mix1(load_le<uint64_t>(rest.data())), 27) + h2) * 5 + 0x52dce729;
    h2 = (std::rotl(h2 ^ mix2(load_le<uint64_t>(rest.data() + 8)), 31) + h1) * 5 + 0x38495ab5;
  }
  if (rest.size() > 8) h2 ^= mix2(signed_tail(rest.substr(8)));
  h1 ^= mix1(signed_tail(rest.substr(0, 8)));
  h1 ^= routing_key.size();
  h2 ^= routing_key.size();
  h1 += h2;
  h2 += h1;
  auto token = static_cast<int64_t>(final_mix(h1) + final_mix(h2));
  return token == std::numeric_limits<int64_t>::min() ? std::numeric_limits<int64_t>::max() : token;
}

void append_key_component(std::string& routing_key, std::string_view component) {
  put_short_bytes(routing_key, component);
  routing_key += '\0';
}

}  // namespace millrace::codec::cql
