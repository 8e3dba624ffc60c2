#pragma once

#include <array>
#include <compare>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace millrace {

/// 16 bytes in the order of the text form (RFC 9562).
struct Uuid {
  std::array<uint8_t, 16> bytes{};

  friend auto operator<=>(const Uuid&, const Uuid&) = default;
  bool is_nil() const { return *this == Uuid{}; }
};

/// 8-4-4-4-12 in lower case.
std::string format_uuid(const Uuid& uuid);
/// Accepts the 36-character form in either case, also without hyphens (32 digits) or in braces.
Result<Uuid> parse_uuid(std::string_view text);

}  // namespace millrace
