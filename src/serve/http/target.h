#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "serve/http/message.h"

namespace millrace::serve::http {

/// A request target taken apart (RFC 9112, 3.2).
struct Target {
  std::string authority;  // of an absolute-form target, else empty
  std::string path;
  std::vector<std::string> segments;
  Pairs query;
};

inline constexpr size_t kTargetParametersMax = 256;
inline constexpr size_t kTargetSegmentsMax = 256;

/// Origin form ("/a/b?x=1") and absolute form ("http://h/a"). Errors:
/// kInvalidArgument for a bad percent escape, a control byte, a "." or ".."
/// segment however it is written, and too many segments or parameters.
Result<Target> parse_target(std::string_view target);

/// Percent-decodes; `plus_is_space` for query strings. nullopt for a bad escape
/// or a NUL byte.
std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space);

}  // namespace millrace::serve::http
