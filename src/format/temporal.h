#pragma once

#include <cstdint>
#include <limits>
#include <string>
#include <string_view>

namespace millrace::format {

// DuckDB's elements for the two infinities.
inline constexpr int32_t kDateInfinity = std::numeric_limits<int32_t>::max();
inline constexpr int64_t kTimestampInfinity = std::numeric_limits<int64_t>::max();

/// The texts of text.h; false when it is none. Dates are days, times microseconds of the day, timestamps microseconds since 1970.
bool read_date(std::string_view text, int32_t& days);
bool read_time(std::string_view text, int64_t& micros);
/// `apply_zone`: subtract the offset behind the time; otherwise it is only checked. `has_zone` may be null.
bool read_timestamp(std::string_view text, bool apply_zone, int64_t& micros, bool* has_zone = nullptr);

/// 2026-01-31; years outside of 0000 to 9999 with a sign, infinities as `infinity` and `-infinity`.
void append_date(std::string& out, int32_t days);
/// 08:00:00, with 3 or 6 digits of fraction where it is not zero.
void append_time(std::string& out, int64_t micros);
/// Date, `separator`, time and `zone`, which infinities go without.
void append_timestamp(std::string& out, int64_t micros, char separator, std::string_view zone);
/// As DuckDB: `1 year 2 months 3 days 04:05:06.789`.
void append_interval(std::string& out, int32_t months, int32_t days, int64_t micros);

}  // namespace millrace::format
