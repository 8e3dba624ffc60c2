#include "codec/cql/consistency.h"

#include <array>
#include <cstddef>

namespace millrace::codec::cql {
namespace {

constexpr std::array<std::string_view, 11> kNames = {"ANY",          "ONE",         "TWO",    "THREE",        "QUORUM",   "ALL",
                                                     "LOCAL_QUORUM", "EACH_QUORUM", "SERIAL", "LOCAL_SERIAL", "LOCAL_ONE"};

char upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }

bool equal_ignoring_case(std::string_view name, std::string_view upper_case) {
  if (name.size() != upper_case.size()) return false;
  for (size_t i = 0; i < name.size(); ++i) {
    if (upper(name[i]) != upper_case[i]) return false;
  }
  return true;
}

}  // namespace

std::string_view consistency_name(Consistency consistency) {
  auto number = static_cast<size_t>(consistency);
  return number < kNames.size() ? kNames[number] : "UNKNOWN";
}

std::optional<Consistency> parse_consistency(std::string_view name) {
  for (size_t i = 0; i < kNames.size(); ++i) {
    if (equal_ignoring_case(name, kNames[i])) return static_cast<Consistency>(i);
  }
  return std::nullopt;
}

}  // namespace millrace::codec::cql
