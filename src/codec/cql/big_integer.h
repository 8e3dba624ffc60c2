#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

/// The bytes of varint: two's complement, most significant first, as few as it takes.
namespace millrace::codec::cql {

/// Appends at least one byte.
void append_big_integer(std::string& out, __int128 v);
/// None when it does not fit, or there are no bytes.
std::optional<__int128> read_big_integer(std::string_view bytes);

/// 10^exponent, which is at most 38.
__int128 power_of_ten(int exponent);
/// v × 10^exponent (v / 10^-exponent), none when that is not exact or does not fit.
std::optional<__int128> scaled(__int128 v, int64_t exponent);

}  // namespace millrace::codec::cql
