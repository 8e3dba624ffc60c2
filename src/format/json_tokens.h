#pragma once

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string>
#include <string_view>

#include "format/json_fault.h"

namespace millrace::format {

/// The positions of a JSON text's tokens, as simdjson's first stage finds them: every brace, bracket, colon and comma outside of
/// strings, and the first byte of every string and scalar. That stage also proves the text UTF-8, its strings closed and free of
/// control characters. It never reads past the text.
class JsonIndexer {
 public:
  JsonIndexer();
  ~JsonIndexer();
  JsonIndexer(JsonIndexer&&) noexcept;
  JsonIndexer& operator=(JsonIndexer&&) noexcept;

  /// kNone, kEmpty, kNotUtf8, kNotJson or kTooLarge. On kNone the positions are valid until the next call.
  JsonFault index(std::string_view json, size_t bytes_max);
  const uint32_t* positions() const { return positions_; }
  size_t count() const { return count_; }

 private:
  struct Stage;
  std::unique_ptr<Stage> stage_;
  const uint32_t* positions_ = nullptr;
  size_t count_ = 0;
};

/// Reads `digits` of a JSON string that has escapes. `out` needs as many bytes as `raw` has.
/// Returns the length, or SIZE_MAX for a wrong escape or half of a surrogate pair (`fault` says which).
size_t unescape_json(std::string_view raw, char* out, JsonFault& fault);

/// Whether the text is a number by RFC 8259's grammar.
bool is_json_number(std::string_view text);

/// Walks over the tokens and checks the grammar on the way. Depth counts from the document.
class JsonCursor {
 public:
  JsonCursor(std::string_view json, const uint32_t* positions, size_t count, int depth_max)
      : base_(json.data()),
        size_(json.size()),
        at_(positions),
        end_(positions + count),
        depth_max_(depth_max),
        has_escapes_(json.find('\\') != std::string_view::npos) {}

  bool done() const { return at_ == end_; }
  /// The first byte of the next token; 0 at the end, which no valid token starts with.
  char peek() const { return at_ == end_ ? '\0' : base_[*at_]; }
  void advance() { ++at_; }
  bool take(char c) {
    if (peek() != c) return false;
    ++at_;
    return true;
  }
  const uint32_t* mark() const { return at_; }
  void back_to(const uint32_t* mark) { at_ = mark; }

  /// The next token's text, without the white space behind it; a string with its quotes.
  std::string_view token() const {
    const char* start = base_ + *at_;
    const char* stop = base_ + (at_ + 1 == end_ ? size_ : at_[1]);
    while (is_space(stop[-1])) --stop;
    return {start, static_cast<size_t>(stop - start)};
  }
  /// Takes a string and gives what is between its quotes, escapes not resolved nor checked. The next token must be a string.
  std::string_view take_string() {
    std::string_view quoted = token();
    ++at_;
    return quoted.substr(1, quoted.size() - 2);
  }
  bool has_escapes() const { return has_escapes_; }
  /// True when `raw` has escapes that must be resolved.
  bool is_escaped(std::string_view raw) const { return has_escapes_ && raw.find('\\') != std::string_view::npos; }

  /// Steps into a container or out of it; false when that is too deep.
  bool enter() {
    ++at_;
    return ++depth_ <= depth_max_;
  }
  void leave() { --depth_; }
  int depth() const { return depth_; }

  /// Takes one whole value, checking all of it; `raw` is its text.
  JsonFault skip(std::string_view* raw = nullptr);
  /// skip() for the hot path: most values that nobody needs are strings without escapes, which the first stage has checked.
  JsonFault skip_quickly() {
    if (!has_escapes_ && peek() == '"') {
      ++at_;
      return JsonFault::kNone;
    }
    return skip();
  }
  /// Takes `"name" :` when the next member has exactly this name, which has no escapes; otherwise takes nothing.
  bool take_known_name(std::string_view name) {
    if (at_ == end_) return false;
    const char* start = base_ + *at_;
    // A quote stands at both ends of it, so it fits.
    if (size_ - *at_ < name.size() + 2 || start[name.size() + 1] != '"' || *start != '"') return false;
    if (std::memcmp(start + 1, name.data(), name.size()) != 0) return false;
    if (at_ + 1 == end_ || base_[at_[1]] != ':') return false;
    at_ += 2;
    return true;
  }
  /// Takes `"name" :`; false when the grammar has no such thing here. `raw` is the name, escapes not resolved.
  bool take_name(std::string_view& raw) {
    if (peek() != '"') return false;
    raw = take_string();
    return take(':');
  }

 private:
  static bool is_space(char c) { return c == ' ' || c == '\n' || c == '\r' || c == '\t'; }
  JsonFault check_scalar();
  JsonFault check_escapes(std::string_view raw) const;
  JsonFault check_name();

  const char* base_;
  size_t size_;
  const uint32_t* at_;
  const uint32_t* end_;
  int depth_max_;
  int depth_ = 0;
  bool has_escapes_;
};

/// One line for people: what is wrong with a text that is not JSON.
std::string describe_fault(JsonFault fault, int depth_max);
/// The text, cut to 40 bytes (not within a character), control characters as `?`.
std::string shorten(std::string_view text);

}  // namespace millrace::format
