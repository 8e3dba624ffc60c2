#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <cstring>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"

namespace millrace {

static_assert(std::endian::native == std::endian::little, "the on-disk codecs are written for little-endian machines");

template <class T>
T load_be(const char* p) {
  T v;
  std::memcpy(&v, p, sizeof v);
  if constexpr (sizeof v == 2) v = static_cast<T>(__builtin_bswap16(static_cast<uint16_t>(v)));
  if constexpr (sizeof v == 4) v = static_cast<T>(__builtin_bswap32(static_cast<uint32_t>(v)));
  if constexpr (sizeof v == 8) v = static_cast<T>(__builtin_bswap64(static_cast<uint64_t>(v)));
  return v;
}
template <class T>
void store_be(char* p, T v) {
  T swapped = load_be<T>(reinterpret_cast<const char*>(&v));
  std::memcpy(p, &swapped, sizeof v);
}
template <class T>
void append_be(std::string& out, T v) {
  char bytes[sizeof v];
  store_be(bytes, v);
  out.append(bytes, sizeof v);
}
template <class T>
T load_le(const char* p) {
  T v;
  std::memcpy(&v, p, sizeof v);
  return v;
}
template <class T>
void append_le(std::string& out, T v) {
  out.append(reinterpret_cast<const char*>(&v), sizeof v);
}

/// Base-128 varints, least significant group first; signed ones are zigzag (Protocol Buffers and Kafka records alike).
void append_varint(std::string& out, uint64_t v);
inline void append_zigzag(std::string& out, int64_t v) {
  append_varint(out, (static_cast<uint64_t>(v) << 1) ^ static_cast<uint64_t>(v >> 63));
}
/// Varint length, then the bytes.
void append_sized(std::string& out, std::string_view bytes);

/// Reads a byte string front to back and never past its end: every failure is nullopt, and `ok()` stays false afterwards.
class ByteReader {
 public:
  explicit ByteReader(std::string_view bytes) : rest_(bytes) {}

  bool ok() const { return ok_; }
  bool empty() const { return rest_.empty(); }
  size_t left() const { return rest_.size(); }

  template <class T>
  T be() {
    if (rest_.size() < sizeof(T)) return give_up<T>();
    T v = load_be<T>(rest_.data());
    rest_.remove_prefix(sizeof(T));
    return v;
  }
  template <class T>
  T le() {
    if (rest_.size() < sizeof(T)) return give_up<T>();
    T v = load_le<T>(rest_.data());
    rest_.remove_prefix(sizeof(T));
    return v;
  }
  uint64_t varint();
  int64_t zigzag() {
    uint64_t v = varint();
    return static_cast<int64_t>(v >> 1) ^ -static_cast<int64_t>(v & 1);
  }
  /// The next n bytes; empty and not ok when fewer are left.
  std::string_view bytes(uint64_t n) {
    if (rest_.size() < n) return give_up<std::string_view>();
    std::string_view out = rest_.substr(0, n);
    rest_.remove_prefix(n);
    return out;
  }
  std::string_view sized() { return bytes(varint()); }
  std::string_view rest() { return bytes(rest_.size()); }

 private:
  template <class T>
  T give_up() {
    ok_ = false;
    rest_ = {};
    return T{};
  }
  std::string_view rest_;
  bool ok_ = true;
};

/// -1 when c is not a hexadecimal digit.
inline int hex_digit(char c) {
  static constexpr auto kValues = [] {
    std::array<int8_t, 256> values{};
    values.fill(-1);
    for (int i = 0; i < 10; ++i) values[static_cast<size_t>('0' + i)] = static_cast<int8_t>(i);
    for (int i = 0; i < 6; ++i)
      values[static_cast<size_t>('a' + i)] = values[static_cast<size_t>('A' + i)] = static_cast<int8_t>(10 + i);
    return values;
  }();
  return kValues[static_cast<uint8_t>(c)];
}
std::string to_hex(std::string_view bytes);
std::optional<std::string> from_hex(std::string_view digits);
/// RFC 4648 with padding.
std::string to_base64(std::string_view bytes);
std::optional<std::string> from_base64(std::string_view text);

inline bool is_ascii(std::string_view bytes) {
  const char* p = bytes.data();
  size_t n = bytes.size();
  if (n < 8) {
    char all = 0;
    for (size_t i = 0; i < n; ++i) all |= p[i];
    return all >= 0;
  }
  // Eight at a time; the last eight overlap with those before.
  uint64_t all = load_le<uint64_t>(p + n - 8);
  for (size_t i = 0; i + 8 < n; i += 8) all |= load_le<uint64_t>(p + i);
  return (all & 0x8080808080808080) == 0;
}
/// True when the bytes are well-formed UTF-8 (no surrogates, no overlong forms).
bool is_utf8(std::string_view bytes);

}  // namespace millrace
