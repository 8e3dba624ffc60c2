#include "codec/cql/primitive.h"

#include <arpa/inet.h>
#include <fmt/format.h>

#include <algorithm>
#include <bit>

#include "base/check.h"

namespace millrace::codec::cql {

std::string format_inet(const InetAddress& address) {
  char text[INET6_ADDRSTRLEN] = "";
  inet_ntop(address.size == 4 ? AF_INET : AF_INET6, address.bytes.data(), text, sizeof text);
  return text;
}

std::optional<InetAddress> parse_inet(std::string_view text) {
  std::string ended(text);
  if (ended.find('\0') != std::string::npos) return std::nullopt;
  InetAddress address;
  if (inet_pton(AF_INET, ended.c_str(), address.bytes.data()) == 1) return address;
  address.size = 16;
  if (inet_pton(AF_INET6, ended.c_str(), address.bytes.data()) == 1) return address;
  return std::nullopt;
}

void put_string(std::string& out, std::string_view text) {
  CHECK(text.size() <= UINT16_MAX, "a [string] has at most 65535 bytes");
  put_short(out, static_cast<uint16_t>(text.size()));
  out += text;
}

void put_cut_string(std::string& out, std::string_view text) {
  size_t size = std::min<size_t>(text.size(), UINT16_MAX);
  while (size < text.size() && size > 0 && (static_cast<uint8_t>(text[size]) & 0xC0) == 0x80) --size;
  put_string(out, text.substr(0, size));
}

void put_value(std::string& out, const Value& value) {
  switch (value.kind) {
    case Value::Kind::kBytes: return put_bytes(out, value.bytes);
    case Value::Kind::kNull: return put_null(out);
    case Value::Kind::kUnset: return put_unset(out);
  }
}

void put_string_list(std::string& out, const std::vector<std::string>& list) {
  CHECK(list.size() <= UINT16_MAX, "a [string list] has at most 65535 elements");
  put_short(out, static_cast<uint16_t>(list.size()));
  for (const std::string& text : list) put_string(out, text);
}

void put_string_map(std::string& out, const StringMap& map) {
  CHECK(map.size() <= UINT16_MAX, "a [string map] has at most 65535 entries");
  put_short(out, static_cast<uint16_t>(map.size()));
  for (const auto& [key, value] : map) {
    put_string(out, key);
    put_string(out, value);
  }
}

void put_string_multimap(std::string& out, const StringMultimap& map) {
  CHECK(map.size() <= UINT16_MAX, "a [string multimap] has at most 65535 entries");
  put_short(out, static_cast<uint16_t>(map.size()));
  for (const auto& [key, values] : map) {
    put_string(out, key);
    put_string_list(out, values);
  }
}

void put_uuid(std::string& out, const Uuid& uuid) { out.append(reinterpret_cast<const char*>(uuid.bytes.data()), 16); }

void put_inet_address(std::string& out, const InetAddress& address) {
  put_byte(out, address.size);
  out.append(reinterpret_cast<const char*>(address.bytes.data()), address.size);
}

void put_inet(std::string& out, const Inet& inet) {
  put_inet_address(out, inet.address);
  put_int(out, inet.port);
}

void put_unsigned_vint(std::string& out, uint64_t v) {
  // n bytes behind the first leave it 7 - n bits of the number; eight leave none.
  int bits = static_cast<int>(std::bit_width(v | 1));
  int more = bits > 56 ? 8 : (bits - 1) / 7;
  uint64_t leading_ones = 0xFF00u >> more & 0xFF;
  if (more < 8) {
    put_byte(out, static_cast<uint8_t>(leading_ones | v >> (8 * more)));
  } else {
    put_byte(out, 0xFF);
  }
  for (int i = more - 1; i >= 0; --i) put_byte(out, static_cast<uint8_t>(v >> (8 * i)));
}

void put_vint(std::string& out, int64_t v) {
  put_unsigned_vint(out, (static_cast<uint64_t>(v) << 1) ^ static_cast<uint64_t>(v >> 63));
}

Status Reader::failure(std::string_view what) const {
  return millrace::fail(Errc::kCorruption, fmt::format("{}: {} at byte {}", what, why_, failed_at_));
}

void Reader::fail(const char* why) {
  if (why_ != nullptr) return;
  why_ = why;
  failed_at_ = whole_ - rest_.size();
  rest_ = {};
}

size_t Reader::count(size_t bytes_each, size_t max) {
  int32_t n = i32();
  if (n < 0) {
    fail("a negative count");
    return 0;
  }
  auto count = static_cast<size_t>(n);
  if (count > max || (bytes_each != 0 && count > rest_.size() / bytes_each)) {
    fail("a count of more than there is");
    return 0;
  }
  return count;
}

std::string_view Reader::take(size_t n) {
  if (rest_.size() < n) [[unlikely]] {
    fail("cut short");
    return {};
  }
  std::string_view out = rest_.substr(0, n);
  rest_.remove_prefix(n);
  return out;
}

std::string_view Reader::long_string() {
  int32_t n = i32();
  if (n < 0) {
    fail("a negative length");
    return {};
  }
  return take(static_cast<size_t>(n));
}

std::optional<std::string_view> Reader::bytes() {
  int32_t n = i32();
  if (n < 0) return std::nullopt;
  return take(static_cast<size_t>(n));
}

Value Reader::value() {
  int32_t n = i32();
  if (n >= 0) return Value::of(take(static_cast<size_t>(n)));
  if (n == -2) return Value::unset();
  if (n != -1) fail("a length below -2");
  return Value::null();
}

std::vector<std::string> Reader::string_list() {
  std::vector<std::string> list;
  for (uint16_t n = u16(); n > 0 && ok(); --n) list.emplace_back(string());
  return list;
}

StringMap Reader::string_map() {
  StringMap map;
  for (uint16_t n = u16(); n > 0 && ok(); --n) {
    std::string_view key = string();
    map.emplace_back(key, string());
  }
  return map;
}

StringMultimap Reader::string_multimap() {
  StringMultimap map;
  for (uint16_t n = u16(); n > 0 && ok(); --n) {
    std::string_view key = string();
    map.emplace_back(key, string_list());
  }
  return map;
}

Uuid Reader::uuid() {
  Uuid uuid;
  std::string_view bytes = take(16);
  if (!bytes.empty()) std::memcpy(uuid.bytes.data(), bytes.data(), 16);
  return uuid;
}

InetAddress Reader::inet_address() {
  InetAddress address;
  uint8_t size = byte();
  if (size != 4 && size != 16) {
    fail("an address of neither 4 nor 16 bytes");
    return address;
  }
  address.size = size;
  std::string_view bytes = take(size);
  if (!bytes.empty()) std::memcpy(address.bytes.data(), bytes.data(), bytes.size());
  return address;
}

Inet Reader::inet() {
  InetAddress address = inet_address();
  return {address, i32()};
}

uint64_t Reader::unsigned_vint() {
  uint8_t first = byte();
  int more = std::countl_one(first);
  uint64_t v = first & (0xFFu >> (more + 1));
  for (int i = 0; i < more; ++i) v = v << 8 | byte();
  return v;
}

}  // namespace millrace::codec::cql
