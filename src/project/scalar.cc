#include "project/scalar.h"

#include <fmt/format.h>

#include <charconv>

#include "base/size.h"

namespace millrace::project {
namespace {

/// The value as a message may show it.
std::string shown(const Node& scalar) {
  if (scalar.secret) return "the value";
  constexpr size_t kShownMax = 80;
  const std::string& text = scalar.text.text;
  return text.size() <= kShownMax ? fmt::format("'{}'", text) : fmt::format("'{}…'", text.substr(0, kShownMax));
}

bool is_text_by_quotes(const Node& scalar) { return scalar.style != Node::Style::kPlain && !scalar.substituted; }

}  // namespace

Result<int64_t> read_integer(const Node& scalar) {
  const std::string& text = scalar.text.text;
  int64_t value = 0;
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  if (error != std::errc() || end != text.data() + text.size()) {
    return fail(Errc::kInvalidArgument, fmt::format("{} is not a whole number", shown(scalar)), "write digits, such as 4");
  }
  if (is_text_by_quotes(scalar))
    return fail(Errc::kInvalidArgument, fmt::format("{} in quotes is a text, not a number", shown(scalar)), "remove the quotes");
  return value;
}

Result<bool> read_boolean(const Node& scalar) {
  const std::string& text = scalar.text.text;
  bool yes = text == "true" || text == "True" || text == "TRUE";
  bool no = text == "false" || text == "False" || text == "FALSE";
  if (!yes && !no)
    return fail(Errc::kInvalidArgument, fmt::format("{} is neither true nor false", shown(scalar)), "write true or false");
  if (is_text_by_quotes(scalar))
    return fail(Errc::kInvalidArgument, fmt::format("{} in quotes is a text", shown(scalar)), "remove the quotes");
  return yes;
}

Result<Duration> read_duration(const Node& scalar) {
  Result<Duration> value = parse_duration(scalar.text.text);
  if (!value && scalar.secret) return fail(Errc::kInvalidArgument, "the value is not a duration", value.error().hint);
  return value;
}

Result<int64_t> read_size(const Node& scalar) {
  Result<int64_t> value = parse_size(scalar.text.text);
  if (!value) return fail(Errc::kInvalidArgument, fmt::format("{} is not a size", shown(scalar)), value.error().hint);
  return value;
}

Result<WrittenTime> read_time(const Node& scalar) {
  const std::string& text = scalar.text.text;
  Result<Instant> instant = parse_instant(text);
  if (!instant) {
    if (scalar.secret) return fail(Errc::kInvalidArgument, "the value is not an ISO 8601 time", instant.error().hint);
    return fail(std::move(instant.error()));
  }
  WrittenTime out;
  out.as_utc = *instant;
  out.text = text;
  // The date's own hyphens end at its tenth character.
  size_t zone = text.size() > 10 ? text.find_first_of("Zz+-", 10) : std::string::npos;
  out.zoned = zone != std::string::npos;
  return out;
}

}  // namespace millrace::project
