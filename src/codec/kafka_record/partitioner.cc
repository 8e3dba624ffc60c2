#include "base/bytes.h"
#include "base/check.h"
#include "codec/kafka_record/record_batch.h"

namespace millrace::codec::kafka_record {

int32_t murmur2(std::string_view key) {
  constexpr uint32_t kSeed = 0x9747b28c;
  constexpr uint32_t kMultiplier = 0x5bd1e995;
  uint32_t h = kSeed ^ static_cast<uint32_t>(key.size());
  for (; key.size() >= 4; key.remove_prefix(4)) {
    auto k = load_le<uint32_t>(key.data()) * kMultiplier;
    k ^= k >> 24;
    h = (h * kMultiplier) ^ (k * kMultiplier);
  }
  if (!key.empty()) {
    for (size_t i = key.size(); i-- > 0;) h ^= static_cast<uint32_t>(static_cast<uint8_t>(key[i])) << (8 * i);
    h *= kMultiplier;
  }
  h = (h ^ (h >> 13)) * kMultiplier;
  return static_cast<int32_t>(h ^ (h >> 15));
}

int32_t partition_of_key(std::string_view key, int32_t partitions) {
  CHECK(partitions > 0, "a topic has partitions");
  return (murmur2(key) & 0x7fffffff) % partitions;
}

}  // namespace millrace::codec::kafka_record
