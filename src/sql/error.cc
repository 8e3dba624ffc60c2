#include "sql/error.h"

#include <algorithm>
#include <charconv>
#include <optional>

namespace millrace::sql {
namespace {

constexpr std::string_view kEllipsis = "...";

bool starts_character(char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; }

size_t bytes_of_characters(std::string_view text, size_t characters) {
  size_t at = 0;
  while (at < text.size() && (characters > 0 || !starts_character(text[at]))) {
    if (starts_character(text[at])) --characters;
    ++at;
    while (at < text.size() && !starts_character(text[at])) ++at;
  }
  return at;
}

std::string_view line_of(std::string_view text, size_t number, size_t& begin) {
  begin = 0;
  for (size_t line = 1; line < number; ++line) {
    size_t end = text.find('\n', begin);
    if (end == std::string_view::npos) return {};
    begin = end + 1;
  }
  return text.substr(begin, text.find('\n', begin) - begin);
}

/// The byte of `executed` that the caret below DuckDB's excerpt points at:
///   LINE 3: ...cut off on the left SELECT a FROM b...
///                                         ^
std::optional<size_t> caret_position(std::string_view excerpt, std::string_view executed) {
  size_t number = 0;
  auto [after, error] = std::from_chars(excerpt.data() + 5, excerpt.data() + excerpt.size(), number);
  size_t head = static_cast<size_t>(after - excerpt.data()) + 2;
  size_t end = excerpt.find('\n');
  if (error != std::errc() || end == std::string_view::npos || head > end) return std::nullopt;
  size_t caret = excerpt.find('^', end);
  if (caret == std::string_view::npos || caret - end - 1 < head) return std::nullopt;

  std::string_view shown = excerpt.substr(head, end - head);
  size_t inside = bytes_of_characters(shown, caret - end - 1 - head);
  size_t begin = 0;
  std::string_view line = line_of(executed, number, begin);
  size_t column = inside;
  if (!line.starts_with(shown)) {
    bool cut_left = shown.starts_with(kEllipsis);
    if (cut_left) shown.remove_prefix(kEllipsis.size());
    if (shown.ends_with(kEllipsis)) shown.remove_suffix(kEllipsis.size());
    size_t found = line.find(shown);
    if (found == std::string_view::npos) return std::nullopt;
    column = found + inside - (cut_left ? std::min(inside, kEllipsis.size()) : 0);
  }
  return std::min(begin + column, executed.size());
}

/// "Binder Error: x" is "x": the code of our error says the class.
std::string_view without_class(std::string_view message) {
  size_t colon = message.find(": ");
  constexpr std::string_view kWord = " Error";
  if (colon == std::string_view::npos || colon > 40 || !message.substr(0, colon).ends_with(kWord)) return message;
  return message.substr(colon + 2);
}

std::string on_one_line(std::string_view message) {
  std::string out;
  for (char c : message) {
    bool space = c == '\n' || c == '\t' || c == '\r' || c == ' ';
    if (space && (out.empty() || out.back() == ' ')) continue;
    out += space ? ' ' : c;
  }
  while (!out.empty() && out.back() == ' ') out.pop_back();
  return out;
}

Errc code_of(duckdb_error_type type) {
  switch (type) {
    case DUCKDB_ERROR_OUT_OF_MEMORY: return Errc::kResourceExhausted;
    case DUCKDB_ERROR_INTERRUPT: return Errc::kCancelled;
    case DUCKDB_ERROR_PERMISSION: return Errc::kPermissionDenied;
    case DUCKDB_ERROR_NOT_IMPLEMENTED: return Errc::kUnimplemented;
    case DUCKDB_ERROR_FATAL:
    case DUCKDB_ERROR_INTERNAL: return Errc::kInternal;
    default: return Errc::kInvalidArgument;
  }
}

}  // namespace

std::string in_our_words(std::string message) {
  return message.find("max_expression_depth") == std::string::npos ? message : "an expression nests too deep";
}

Error make_error(duckdb_error_type type, std::string_view message, std::string_view executed, std::string_view written,
                 const PositionMap& map) {
  std::string place;
  size_t excerpt = message.find("\n\nLINE ");
  if (excerpt != std::string_view::npos) {
    if (auto position = caret_position(message.substr(excerpt + 2), executed)) {
      place = line_and_column(written, map ? map(*position) : *position);
    }
    message = message.substr(0, excerpt);
  } else if (message.ends_with("syntax error at end of input")) {
    place = line_and_column(written, map ? map(executed.size()) : executed.size());
  }
  // Behind the first line stand settings that nobody can reach here.
  if (code_of(type) == Errc::kResourceExhausted) message = message.substr(0, message.find('\n'));
  Error error{code_of(type), place + in_our_words(on_one_line(without_class(message))), {}};
  if (error.code == Errc::kResourceExhausted) {
    error.message = "the statement needs more memory than it may have: " + error.message;
    error.hint = "read fewer rows or columns at once, or raise the memory limit of SQL";
  }
  return error;
}

bool breaks_instance(duckdb_error_type type) { return type == DUCKDB_ERROR_FATAL || type == DUCKDB_ERROR_INTERNAL; }

}  // namespace millrace::sql
