#include "codec/kafka_record/crc32c.h"

#include <array>

#include "base/bytes.h"
#include "codec/kafka_record/record_batch.h"

#if defined(__SSE4_2__)
#include <nmmintrin.h>
#endif

namespace millrace::codec::kafka_record {
namespace {

constexpr uint32_t kPolynomial = 0x82f63b78;  // reflected

constexpr std::array<uint32_t, 256> make_byte_table() {
  std::array<uint32_t, 256> table{};
  for (uint32_t i = 0; i < 256; ++i) {
    uint32_t crc = i;
    for (int bit = 0; bit < 8; ++bit) crc = crc & 1 ? (crc >> 1) ^ kPolynomial : crc >> 1;
    table[i] = crc;
  }
  return table;
}
constexpr auto kByteTable = make_byte_table();

#if defined(__SSE4_2__)

// The instruction takes 3 cycles and starts every cycle, so three lanes run side by side and are joined by advancing a lane's CRC
// over the zeros of the next: a linear map over GF(2), kept as one table for each byte of the CRC.
constexpr size_t kLaneBytes = 512;
using Matrix = std::array<uint32_t, 32>;

constexpr uint32_t multiply(const Matrix& matrix, uint32_t vector) {
  uint32_t out = 0;
  for (size_t i = 0; vector != 0; ++i, vector >>= 1) {
    if (vector & 1) out ^= matrix[i];
  }
  return out;
}

constexpr Matrix advance_over_zeros(size_t bytes) {
  Matrix matrix{};
  for (size_t bit = 0; bit < 32; ++bit) {
    uint32_t crc = uint32_t{1} << bit;
    matrix[bit] = (crc >> 8) ^ kByteTable[crc & 0xff];
  }
  for (; bytes > 1; bytes /= 2) {  // a power of two
    Matrix squared{};
    for (size_t bit = 0; bit < 32; ++bit) squared[bit] = multiply(matrix, matrix[bit]);
    matrix = squared;
  }
  return matrix;
}

using LaneTable = std::array<std::array<uint32_t, 256>, 4>;
constexpr LaneTable make_lane_table() {
  LaneTable table{};
  constexpr Matrix kMatrix = advance_over_zeros(kLaneBytes);
  for (size_t byte = 0; byte < 4; ++byte) {
    for (uint32_t i = 0; i < 256; ++i) table[byte][i] = multiply(kMatrix, i << (8 * byte));
  }
  return table;
}
constexpr LaneTable kLaneTable = make_lane_table();

uint32_t advance_lane(uint32_t crc) {
  return kLaneTable[0][crc & 0xff] ^ kLaneTable[1][(crc >> 8) & 0xff] ^ kLaneTable[2][(crc >> 16) & 0xff] ^
         kLaneTable[3][crc >> 24];
}

uint32_t crc32c_by_instruction(std::string_view bytes, uint32_t crc) {
  const char* p = bytes.data();
  size_t left = bytes.size();
  uint64_t a = ~crc;
  for (; left >= 3 * kLaneBytes; left -= 3 * kLaneBytes, p += 3 * kLaneBytes) {
    uint64_t b = 0, c = 0;
    for (size_t i = 0; i < kLaneBytes; i += 8) {
      a = _mm_crc32_u64(a, load_le<uint64_t>(p + i));
      b = _mm_crc32_u64(b, load_le<uint64_t>(p + kLaneBytes + i));
      c = _mm_crc32_u64(c, load_le<uint64_t>(p + 2 * kLaneBytes + i));
    }
    a = advance_lane(static_cast<uint32_t>(a)) ^ b;
    a = advance_lane(static_cast<uint32_t>(a)) ^ c;
  }
  for (; left >= 8; left -= 8, p += 8) a = _mm_crc32_u64(a, load_le<uint64_t>(p));
  auto out = static_cast<uint32_t>(a);
  for (; left > 0; --left, ++p) out = _mm_crc32_u8(out, static_cast<uint8_t>(*p));
  return ~out;
}

#endif

}  // namespace

uint32_t crc32c_by_table(std::string_view bytes, uint32_t crc) {
  crc = ~crc;
  for (char c : bytes) crc = (crc >> 8) ^ kByteTable[(crc ^ static_cast<uint8_t>(c)) & 0xff];
  return ~crc;
}

uint32_t crc32c(std::string_view bytes, uint32_t crc) {
#if defined(__SSE4_2__)
  return crc32c_by_instruction(bytes, crc);
#else
  return crc32c_by_table(bytes, crc);
#endif
}

}  // namespace millrace::codec::kafka_record
