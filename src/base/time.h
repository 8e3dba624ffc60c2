#pragma once

#include <chrono>
#include <cstdint>
#include <string>
#include <string_view>

#include "base/result.h"

namespace millrace {

/// Wall time: microseconds since 1970 in UTC. Only `env::Clock` makes one from the real clock.
using Duration = std::chrono::microseconds;
using Instant = std::chrono::time_point<std::chrono::system_clock, Duration>;

inline Instant instant_from_micros(int64_t micros) { return Instant(Duration(micros)); }
inline Instant instant_from_millis(int64_t millis) { return Instant(std::chrono::milliseconds(millis)); }
inline int64_t to_micros(Instant t) { return t.time_since_epoch().count(); }
/// Rounded down, as Kafka timestamps are.
inline int64_t to_millis(Instant t) { return std::chrono::floor<std::chrono::milliseconds>(t.time_since_epoch()).count(); }

/// ISO 8601 in UTC: `2026-11-21T04:03:31Z`, with 3 or 6 digits of fraction only where they are not zero.
std::string format_instant(Instant t);
/// Reads ISO 8601 / RFC 3339 with `T` or a space, optional fraction (to microseconds), optional zone (`Z`, `+02`, `+02:00`,
/// `+0200`); no zone means UTC. A bare date is midnight.
Result<Instant> parse_instant(std::string_view text);

/// `5s`, `250ms`, `1h30m`, `30d`, `2w`; units us, ms, s, m, h, d, w. Never negative.
Result<Duration> parse_duration(std::string_view text);
std::string format_duration(Duration d);

}  // namespace millrace
