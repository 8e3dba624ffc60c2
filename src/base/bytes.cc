#include "base/bytes.h"

#include <array>

namespace millrace {

void append_varint(std::string& out, uint64_t v) {
  char bytes[10];
  size_t n = 0;
  while (v >= 0x80) {
    bytes[n++] = static_cast<char>(v | 0x80);
    v >>= 7;
  }
  bytes[n++] = static_cast<char>(v);
  out.append(bytes, n);
}

void append_sized(std::string& out, std::string_view bytes) {
  append_varint(out, bytes.size());
  out.append(bytes);
}

uint64_t ByteReader::varint() {
  uint64_t v = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    if (rest_.empty()) return give_up<uint64_t>();
    auto byte = static_cast<uint8_t>(rest_.front());
    rest_.remove_prefix(1);
    if (shift == 63 && byte > 1) return give_up<uint64_t>();
    v |= static_cast<uint64_t>(byte & 0x7f) << shift;
    if (byte < 0x80) return v;
  }
  return give_up<uint64_t>();
}

std::string to_hex(std::string_view bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  std::string out;
  out.reserve(bytes.size() * 2);
  for (char c : bytes) {
    out += kDigits[static_cast<uint8_t>(c) >> 4];
    out += kDigits[static_cast<uint8_t>(c) & 15];
  }
  return out;
}

std::optional<std::string> from_hex(std::string_view digits) {
  if (digits.size() % 2 != 0) return std::nullopt;
  std::string out;
  for (size_t i = 0; i < digits.size(); i += 2) {
    int high = hex_digit(digits[i]), low = hex_digit(digits[i + 1]);
    if (high < 0 || low < 0) return std::nullopt;
    out += static_cast<char>(high << 4 | low);
  }
  return out;
}

namespace {
constexpr char kBase64[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

constexpr std::array<int8_t, 256> base64_values() {
  std::array<int8_t, 256> values{};
  values.fill(-1);
  for (int8_t i = 0; i < 64; ++i) values[static_cast<uint8_t>(kBase64[i])] = i;
  return values;
}
}  // namespace

std::string to_base64(std::string_view bytes) {
  std::string out;
  out.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    size_t n = std::min<size_t>(3, bytes.size() - i);
    uint32_t v = 0;
    for (size_t j = 0; j < 3; ++j) v = v << 8 | (j < n ? static_cast<uint8_t>(bytes[i + j]) : 0);
    for (size_t j = 0; j < 4; ++j) out += j <= n ? kBase64[v >> (18 - 6 * j) & 63] : '=';
  }
  return out;
}

std::optional<std::string> from_base64(std::string_view text) {
  static constexpr auto kValues = base64_values();
  if (text.size() % 4 != 0) return std::nullopt;
  size_t padding = 0;
  while (padding < 2 && padding < text.size() && text[text.size() - 1 - padding] == '=') ++padding;
  std::string out;
  for (size_t i = 0; i < text.size(); i += 4) {
    bool last = i + 4 == text.size();
    size_t digits = last ? 4 - padding : 4;
    uint32_t v = 0;
    for (size_t j = 0; j < 4; ++j) {
      int8_t value = j < digits ? kValues[static_cast<uint8_t>(text[i + j])] : int8_t{0};
      if (value < 0) return std::nullopt;
      v = v << 6 | static_cast<uint32_t>(value);
    }
    for (size_t j = 0; j + 1 < digits; ++j) out += static_cast<char>(v >> (16 - 8 * j));
  }
  return out;
}

bool is_utf8(std::string_view bytes) {
  if (is_ascii(bytes)) return true;
  size_t i = 0;
  auto continues = [&](size_t at, uint8_t low, uint8_t high) {
    if (at >= bytes.size()) return false;
    auto b = static_cast<uint8_t>(bytes[at]);
    return b >= low && b <= high;
  };
  while (i < bytes.size()) {
    auto b = static_cast<uint8_t>(bytes[i]);
    // Table 3-7 of the Unicode Standard: the second byte's range depends on the first.
    if (b < 0x80) {
      i += 1;
    } else if (b >= 0xc2 && b <= 0xdf) {
      if (!continues(i + 1, 0x80, 0xbf)) return false;
      i += 2;
    } else if (b >= 0xe0 && b <= 0xef) {
      if (!continues(i + 1, b == 0xe0 ? 0xa0 : 0x80, b == 0xed ? 0x9f : 0xbf) || !continues(i + 2, 0x80, 0xbf)) return false;
      i += 3;
    } else if (b >= 0xf0 && b <= 0xf4) {
      if (!continues(i + 1, b == 0xf0 ? 0x90 : 0x80, b == 0xf4 ? 0x8f : 0xbf) || !continues(i + 2, 0x80, 0xbf) ||
          !continues(i + 3, 0x80, 0xbf))
        return false;
      i += 4;
    } else {
      return false;
    }
  }
  return true;
}

}  // namespace millrace
