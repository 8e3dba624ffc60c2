#include "codec/cql/segment.h"

#include <fmt/format.h>
#include <lz4.h>

#include <algorithm>
#include <array>

#include "base/bytes.h"
#include "base/check.h"

namespace millrace::codec::cql {
namespace {

constexpr size_t kCrc24Bytes = 3;
constexpr size_t kCrc32Bytes = 4;
constexpr uint64_t kLengthMask = kSegmentPayloadMax;  // 17 ones

constexpr size_t header_bytes(Compression compression) { return compression == Compression::kNone ? 3 : 5; }

/// Eight tables, so that eight bytes are folded at a time ("slicing by 8").
constexpr auto kCrc32Tables = [] {
  std::array<std::array<uint32_t, 256>, 8> tables{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = crc >> 1 ^ ((crc & 1) != 0 ? 0xEDB88320u : 0);
    tables[0][i] = crc;
  }
  for (size_t t = 1; t < 8; ++t) {
    for (size_t i = 0; i < 256; ++i) tables[t][i] = tables[t - 1][i] >> 8 ^ tables[0][tables[t - 1][i] & 0xFF];
  }
  return tables;
}();

uint32_t crc32_bytes(uint32_t crc, std::string_view bytes) {
  const auto& t = kCrc32Tables;
  for (; bytes.size() >= 8; bytes.remove_prefix(8)) {
    uint64_t word = load_le<uint64_t>(bytes.data()) ^ crc;
    crc = t[7][word & 0xFF] ^ t[6][word >> 8 & 0xFF] ^ t[5][word >> 16 & 0xFF] ^ t[4][word >> 24 & 0xFF] ^
          t[3][word >> 32 & 0xFF] ^ t[2][word >> 40 & 0xFF] ^ t[1][word >> 48 & 0xFF] ^ t[0][word >> 56];
  }
  for (char c : bytes) crc = crc >> 8 ^ t[0][(crc ^ static_cast<uint8_t>(c)) & 0xFF];
  return crc;
}

const uint32_t kCrc32Seed = crc32_bytes(0xFFFFFFFF, "\xFA\x2D\x55\xCA");

void append_low_bytes(std::string& out, uint64_t v, size_t n) { out.append(reinterpret_cast<const char*>(&v), n); }

uint64_t load_low_bytes(const char* p, size_t n) {
  uint64_t v = 0;
  std::memcpy(&v, p, n);
  return v;
}

void append_header(std::string& out, uint64_t header, Compression compression) {
  const size_t at = out.size();
  append_low_bytes(out, header, header_bytes(compression));
  append_low_bytes(out, crc24(std::string_view(out).substr(at)), kCrc24Bytes);
}

void append_plain(std::string& out, std::string_view payload, bool self_contained) {
  append_header(out, payload.size() | uint64_t{self_contained} << 17, Compression::kNone);
  out += payload;
  append_le(out, payload_crc32(payload));
}

void append_lz4(std::string& out, std::string_view payload, bool self_contained) {
  std::string packed(static_cast<size_t>(LZ4_compressBound(static_cast<int>(payload.size()))), '\0');
  int size =
      LZ4_compress_default(payload.data(), packed.data(), static_cast<int>(payload.size()), static_cast<int>(packed.size()));
  packed.resize(static_cast<size_t>(std::max(size, 0)));
  const bool smaller = size > 0 && packed.size() < payload.size();
  std::string_view stored = smaller ? std::string_view(packed) : payload;
  append_header(out, stored.size() | (smaller ? payload.size() : 0) << 17 | uint64_t{self_contained} << 34, Compression::kLz4);
  out += stored;
  append_le(out, payload_crc32(stored));
}

void append_segment(std::string& out, std::string_view payload, bool self_contained, Compression compression) {
  compression == Compression::kNone ? append_plain(out, payload, self_contained) : append_lz4(out, payload, self_contained);
}

size_t envelope_bytes(std::string_view envelopes) {
  CHECK(envelopes.size() >= kHeaderBytes, "segments are made of whole envelopes");
  size_t bytes = kHeaderBytes + load_be<uint32_t>(envelopes.data() + kHeaderBytes - 4);
  CHECK(bytes <= envelopes.size(), "segments are made of whole envelopes");
  return bytes;
}

tl::unexpected<Error> bad(std::string_view why) { return fail(Errc::kCorruption, fmt::format("CQL segment: {}", why)); }

}  // namespace

uint32_t crc24(std::string_view header) {
  uint32_t crc = 0x875060;
  for (char c : header) {
    crc ^= static_cast<uint32_t>(static_cast<uint8_t>(c)) << 16;
    for (int bit = 0; bit < 8; ++bit) {
      crc <<= 1;
      if ((crc & 0x1000000) != 0) crc ^= 0x1974F0B;
    }
  }
  return crc;
}

uint32_t payload_crc32(std::string_view payload) { return ~crc32_bytes(kCrc32Seed, payload); }

void append_segments(std::string& out, std::string_view envelopes, Compression compression) {
  while (!envelopes.empty()) {
    size_t payload = envelope_bytes(envelopes);
    if (payload > kSegmentPayloadMax) {
      for (size_t at = 0; at < payload; at += kSegmentPayloadMax) {
        append_segment(out, envelopes.substr(at, std::min(kSegmentPayloadMax, payload - at)), false, compression);
      }
      envelopes.remove_prefix(payload);
      continue;
    }
    while (payload < envelopes.size()) {
      size_t next = envelope_bytes(envelopes.substr(payload));
      if (payload + next > kSegmentPayloadMax) break;
      payload += next;
    }
    append_segment(out, envelopes.substr(0, payload), true, compression);
    envelopes.remove_prefix(payload);
  }
}

Result<std::optional<Segment>> read_segment(std::string_view bytes, Compression compression, std::string& scratch) {
  const size_t head = header_bytes(compression);
  if (bytes.size() < head + kCrc24Bytes) return std::nullopt;
  uint64_t header = load_low_bytes(bytes.data(), head);
  if (load_low_bytes(bytes.data() + head, kCrc24Bytes) != crc24(bytes.substr(0, head)))
    return bad("the header's checksum is wrong");
  const bool lz4 = compression == Compression::kLz4;
  const size_t stored_bytes = header & kLengthMask;
  const size_t unpacked_bytes = lz4 ? header >> 17 & kLengthMask : 0;
  Segment segment;
  segment.self_contained = (header >> (lz4 ? 34 : 17) & 1) != 0;
  segment.bytes = head + kCrc24Bytes + stored_bytes + kCrc32Bytes;
  if (bytes.size() < segment.bytes) return std::nullopt;
  std::string_view stored = bytes.substr(head + kCrc24Bytes, stored_bytes);
  if (load_le<uint32_t>(stored.data() + stored.size()) != payload_crc32(stored)) return bad("the payload's checksum is wrong");
  segment.payload = stored;
  if (unpacked_bytes != 0) {
    scratch.resize(unpacked_bytes);
    int size =
        LZ4_decompress_safe(stored.data(), scratch.data(), static_cast<int>(stored.size()), static_cast<int>(unpacked_bytes));
    if (size < 0 || static_cast<size_t>(size) != unpacked_bytes) return bad("the payload is not LZ4 of the length that it says");
    segment.payload = scratch;
  }
  return segment;
}

}  // namespace millrace::codec::cql
