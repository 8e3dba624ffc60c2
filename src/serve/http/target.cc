#include "serve/http/target.h"

#include "base/bytes.h"

namespace millrace::serve::http {
namespace {

/// Calls `part` for each piece between separators; false as soon as it returns
/// false.
template <class F>
bool each_part(std::string_view text, char separator, F part) {
  while (true) {
    size_t end = text.find(separator);
    if (!part(text.substr(0, end))) return false;
    if (end == std::string_view::npos) return true;
    text.remove_prefix(end + 1);
  }
}

Status split_path(std::string_view path, Target& out) {
  Status status;
  each_part(path.substr(1), '/', [&](std::string_view raw) {
    auto segment = percent_decode(raw, false);
    if (!segment) {
      status = fail(Errc::kInvalidArgument, "the path has a bad percent escape", "write % as %25");
    } else if (*segment == "." || *segment == "..") {
      status = fail(Errc::kInvalidArgument, "the path has a dot segment", "send the path without . and ..");
    } else if (out.segments.size() == kTargetSegmentsMax) {
      status = fail(Errc::kInvalidArgument, "the path has too many segments");
    } else {
      out.path += '/';
      out.path += *segment;
      out.segments.push_back(std::move(*segment));
    }
    return status.has_value();
  });
  if (status && out.segments.size() == 1 && out.segments[0].empty()) out.segments.clear();  // "/"
  return status;
}

Status split_query(std::string_view query, Target& out) {
  Status status;
  each_part(query, '&', [&](std::string_view raw) {
    if (raw.empty()) return true;
    size_t equals = raw.find('=');
    auto name = percent_decode(raw.substr(0, equals), true);
    auto value = percent_decode(equals == std::string_view::npos ? std::string_view() : raw.substr(equals + 1), true);
    if (!name || !value) {
      status = fail(Errc::kInvalidArgument, "the query has a bad percent escape", "write % as %25");
    } else if (out.query.size() == kTargetParametersMax) {
      status = fail(Errc::kInvalidArgument, "the query has too many parameters");
    } else {
      out.query.emplace_back(std::move(*name), std::move(*value));
    }
    return status.has_value();
  });
  return status;
}

}  // namespace

std::optional<std::string> percent_decode(std::string_view text, bool plus_is_space) {
  std::string out;
  out.reserve(text.size());
  for (size_t i = 0; i < text.size(); ++i) {
    if (text[i] == '%') {
      if (i + 2 >= text.size()) return std::nullopt;
      int high = hex_digit(text[i + 1]), low = hex_digit(text[i + 2]);
      if (high < 0 || low < 0 || (high == 0 && low == 0)) return std::nullopt;
      out += static_cast<char>(high << 4 | low);
      i += 2;
    } else {
      out += plus_is_space && text[i] == '+' ? ' ' : text[i];
    }
  }
  return out;
}

Result<Target> parse_target(std::string_view target) {
  Target out;
  for (char c : target)
    if (static_cast<unsigned char>(c) <= 0x20 || c == 0x7f)
      return fail(Errc::kInvalidArgument, "the request target has a control byte");
  if (!target.starts_with('/')) {
    size_t scheme = target.starts_with("http://") ? 7 : target.starts_with("https://") ? 8 : 0;
    if (scheme == 0) return fail(Errc::kInvalidArgument, "the request target is not a path");
    size_t end = target.find_first_of("/?", scheme);
    out.authority = target.substr(scheme, end == std::string_view::npos ? end : end - scheme);
    if (out.authority.empty()) return fail(Errc::kInvalidArgument, "the request target has no host");
    target = end == std::string_view::npos ? std::string_view() : target.substr(end);
  }
  target = target.substr(0, target.find('#'));
  size_t question = target.find('?');
  std::string_view path = target.substr(0, question);
  TRY_DO(split_path(path.empty() ? "/" : path, out));
  if (question != std::string_view::npos) TRY_DO(split_query(target.substr(question + 1), out));
  return out;
}

}  // namespace millrace::serve::http
