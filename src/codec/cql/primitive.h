#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/bytes.h"
#include "base/result.h"
#include "base/uuid.h"
#include "codec/cql/consistency.h"

/// The notations of the native protocol, section 3, written and read.
namespace millrace::codec::cql {

/// A [value] or a cell: bytes, null, or (requests from v4 on) "leave it as it is".
struct Value {
  enum class Kind : uint8_t { kBytes, kNull, kUnset };
  Kind kind = Kind::kNull;
  std::string_view bytes;

  static Value of(std::string_view bytes) { return {Kind::kBytes, bytes}; }
  static Value null() { return {}; }
  static Value unset() { return {Kind::kUnset, {}}; }
  bool is_null() const { return kind == Kind::kNull; }
  friend bool operator==(const Value&, const Value&) = default;
};

/// [inetaddr]: `size` is 4 or 16.
struct InetAddress {
  uint8_t size = 4;
  std::array<uint8_t, 16> bytes{};
  friend bool operator==(const InetAddress&, const InetAddress&) = default;
};
/// [inet]
struct Inet {
  InetAddress address;
  int32_t port = 0;
  friend bool operator==(const Inet&, const Inet&) = default;
};
/// `127.0.0.1`, `2001:db8::1`.
std::string format_inet(const InetAddress& address);
/// Also takes what format_inet gives. None when the text is no address.
std::optional<InetAddress> parse_inet(std::string_view text);

using StringMap = std::vector<std::pair<std::string, std::string>>;
using StringMultimap = std::vector<std::pair<std::string, std::vector<std::string>>>;

// Writing: each appends to `out`. Texts of [string] and [short bytes] have at most 65535 bytes, lists at most 65535 elements: the
// callers' own names and ids (a CHECK); a [string] from outside (an error's message) is cut by put_cut_string.
inline void put_byte(std::string& out, uint8_t v) { out += static_cast<char>(v); }
inline void put_short(std::string& out, uint16_t v) { append_be(out, v); }
inline void put_int(std::string& out, int32_t v) { append_be(out, v); }
inline void put_long(std::string& out, int64_t v) { append_be(out, v); }
inline void put_consistency(std::string& out, Consistency v) { put_short(out, static_cast<uint16_t>(v)); }
void put_string(std::string& out, std::string_view text);
/// At most 65535 bytes of it, without cutting a character.
void put_cut_string(std::string& out, std::string_view text);
inline void put_long_string(std::string& out, std::string_view text) {
  put_int(out, static_cast<int32_t>(text.size()));
  out += text;
}
inline void put_bytes(std::string& out, std::string_view bytes) { put_long_string(out, bytes); }
inline void put_null(std::string& out) { put_int(out, -1); }
inline void put_unset(std::string& out) { put_int(out, -2); }
void put_value(std::string& out, const Value& value);
inline void put_short_bytes(std::string& out, std::string_view bytes) { put_string(out, bytes); }
void put_string_list(std::string& out, const std::vector<std::string>& list);
void put_string_map(std::string& out, const StringMap& map);
void put_string_multimap(std::string& out, const StringMultimap& map);
void put_uuid(std::string& out, const Uuid& uuid);
void put_inet_address(std::string& out, const InetAddress& address);
void put_inet(std::string& out, const Inet& inet);
/// [unsigned vint]: as many leading ones in the first byte as bytes follow.
void put_unsigned_vint(std::string& out, uint64_t v);
/// [vint]: zigzag.
void put_vint(std::string& out, int64_t v);

/// Reads a body front to back and never past its end. The first failure is kept, every later read gives empty values: read all
/// fields, then ask status() once. Views are into the bytes given. Nothing is allocated for a count that the rest cannot hold.
class Reader {
 public:
  explicit Reader(std::string_view bytes) : rest_(bytes), whole_(bytes.size()) {}

  bool ok() const { return why_ == nullptr; }
  bool empty() const { return rest_.empty(); }
  size_t left() const { return rest_.size(); }
  /// kCorruption: `what: why at byte n`.
  Status status(std::string_view what) const {
    if (ok()) [[likely]]
      return {};
    return failure(what);
  }
  /// Fails with a reason of the caller's (a literal), unless it has failed before.
  void fail(const char* why);

  uint8_t byte() { return number<uint8_t>(); }
  uint16_t u16() { return number<uint16_t>(); }
  int32_t i32() { return number<int32_t>(); }
  int64_t i64() { return number<int64_t>(); }
  /// An i32 that counts things of at least `bytes_each` bytes (0: things without bytes, at most `max`).
  size_t count(size_t bytes_each, size_t max = SIZE_MAX);
  Consistency consistency() { return static_cast<Consistency>(u16()); }
  /// Exactly n bytes.
  std::string_view take(size_t n);
  std::string_view rest() { return take(rest_.size()); }
  std::string_view string() { return take(u16()); }
  std::string_view long_string();
  /// [bytes]: none for null.
  std::optional<std::string_view> bytes();
  Value value();
  std::string_view short_bytes() { return take(u16()); }
  std::vector<std::string> string_list();
  StringMap string_map();
  StringMultimap string_multimap();
  Uuid uuid();
  InetAddress inet_address();
  Inet inet();
  uint64_t unsigned_vint();
  int64_t vint() {
    uint64_t v = unsigned_vint();
    return static_cast<int64_t>(v >> 1) ^ -static_cast<int64_t>(v & 1);
  }

 private:
  template <class T>
  T number() {
    if (rest_.size() < sizeof(T)) [[unlikely]] {
      fail("cut short");
      return T{};
    }
    T v = load_be<T>(rest_.data());
    rest_.remove_prefix(sizeof(T));
    return v;
  }
  Status failure(std::string_view what) const;

  std::string_view rest_;
  size_t whole_;
  size_t failed_at_ = 0;
  const char* why_ = nullptr;
};

}  // namespace millrace::codec::cql
