#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace millrace::codec::cql {

/// How many replicas answer for a statement (native protocol, [consistency]).
enum class Consistency : uint16_t {
  kAny = 0x00,
  kOne = 0x01,
  kTwo = 0x02,
  kThree = 0x03,
  kQuorum = 0x04,
  kAll = 0x05,
  kLocalQuorum = 0x06,
  kEachQuorum = 0x07,
  kSerial = 0x08,
  kLocalSerial = 0x09,
  kLocalOne = 0x0A,
};

/// `LOCAL_QUORUM`; `UNKNOWN` for a number that is none.
std::string_view consistency_name(Consistency consistency);
/// The name in either case; none when it is no level.
std::optional<Consistency> parse_consistency(std::string_view name);

}  // namespace millrace::codec::cql
