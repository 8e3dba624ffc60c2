#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "codec/cql/frame.h"

/// The outer frames of v5 (native protocol v5, section 2.2), little-endian:
///   plain  3 bytes header (17 bits length, 1 bit self-contained), 3 bytes CRC24, payload, 4 bytes CRC32
///   LZ4    5 bytes header (17 bits packed length, 17 bits unpacked length, 1 bit self-contained), then the same; unpacked length
///   0:
///          the payload stands as it is
/// A self-contained segment holds whole envelopes; a longer envelope goes over several that are not, one behind the other.
namespace millrace::codec::cql {

inline constexpr size_t kSegmentPayloadMax = 131071;

/// Packs `envelopes`, whole ones one behind the other, into as few segments as their order allows and appends them to `out`.
void append_segments(std::string& out, std::string_view envelopes, Compression compression);

struct Segment {
  std::string_view payload;  // unpacked: in the bytes that were read, or in the scratch
  bool self_contained = true;
  size_t bytes = 0;  // what it took of the input
};
/// The segment at the start of `bytes`, none when it is not whole. Errors: kCorruption (a checksum, LZ4, a length).
Result<std::optional<Segment>> read_segment(std::string_view bytes, Compression compression, std::string& scratch);

/// Polynomial 0x1974F0B, start 0x875060, over the header's bytes.
uint32_t crc24(std::string_view header);
/// CRC-32 (IEEE) that has seen FA 2D 55 CA before the payload.
uint32_t payload_crc32(std::string_view payload);

}  // namespace millrace::codec::cql
