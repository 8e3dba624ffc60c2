#include "connect/webhook/cuts.h"

#include <fmt/format.h>

#include <limits>

#include "base/bytes.h"

namespace millrace::connect::webhook {
namespace {
constexpr uint8_t kVersion = 1;
}

std::string cuts_key(std::string_view query) { return fmt::format("webhook/{}/cuts", query); }

std::string encode_cuts(const Cuts& cuts) {
  std::string out;
  append_le(out, kVersion);
  for (const auto& [partition, offsets] : cuts) {
    append_varint(out, static_cast<uint64_t>(partition));
    append_varint(out, offsets.size());
    for (int64_t offset : offsets) append_zigzag(out, offset);
  }
  return out;
}

std::optional<Cuts> decode_cuts(std::string_view bytes) {
  ByteReader in(bytes);
  if (in.le<uint8_t>() != kVersion) return std::nullopt;
  Cuts cuts;
  while (in.ok() && !in.empty()) {
    uint64_t partition = in.varint();
    if (partition > std::numeric_limits<int32_t>::max()) return std::nullopt;
    auto& offsets = cuts[static_cast<int32_t>(partition)];
    for (uint64_t left = in.varint(); left > 0 && in.ok(); --left) offsets.insert(in.zigzag());
  }
  if (!in.ok()) return std::nullopt;
  return cuts;
}

}  // namespace millrace::connect::webhook
