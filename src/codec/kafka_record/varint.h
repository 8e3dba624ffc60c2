#pragma once

#include <bit>
#include <cstdint>
#include <cstring>

/// The varints of the record body, for the hot path: the writer has made room before, the reader never passes `end`.
namespace millrace::codec::kafka_record {

inline uint64_t zigzag(int64_t v) { return (static_cast<uint64_t>(v) << 1) ^ static_cast<uint64_t>(v >> 63); }

/// Bytes that the zigzag varint of v takes.
inline size_t varint_size(int64_t v) { return static_cast<size_t>(std::bit_width(zigzag(v) | 1) + 6) / 7; }

inline char* put_varint(char* p, int64_t v) {
  uint64_t u = zigzag(v);
  while (u >= 0x80) {
    *p++ = static_cast<char>(u | 0x80);
    u >>= 7;
  }
  *p++ = static_cast<char>(u);
  return p;
}

/// Like read_varint, for three bytes and more.
const char* read_long_varint(const char* p, const char* end, int64_t& out);

/// Where to read on; null when the varint passes `end` or 64 bits.
inline const char* read_varint(const char* p, const char* end, int64_t& out) {
  if (end - p >= 2) [[likely]] {
    uint64_t first = static_cast<uint8_t>(p[0]);
    if (first < 0x80) {
      out = static_cast<int64_t>(first >> 1) ^ -static_cast<int64_t>(first & 1);
      return p + 1;
    }
    uint64_t second = static_cast<uint8_t>(p[1]);
    if (second < 0x80) {
      uint64_t u = (first & 0x7f) | second << 7;
      out = static_cast<int64_t>(u >> 1) ^ -static_cast<int64_t>(u & 1);
      return p + 2;
    }
  }
  return read_long_varint(p, end, out);
}

}  // namespace millrace::codec::kafka_record
