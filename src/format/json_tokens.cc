#include "format/json_tokens.h"

#include <fmt/format.h>
#include <simdjson.h>

#include <algorithm>
#include <cstring>

namespace millrace::format {

struct JsonIndexer::Stage {
  std::unique_ptr<simdjson::internal::dom_parser_implementation> parser;
};

JsonIndexer::JsonIndexer() : stage_(std::make_unique<Stage>()) {}
JsonIndexer::~JsonIndexer() = default;
JsonIndexer::JsonIndexer(JsonIndexer&&) noexcept = default;
JsonIndexer& JsonIndexer::operator=(JsonIndexer&&) noexcept = default;

JsonFault JsonIndexer::index(std::string_view json, size_t bytes_max) {
  constexpr size_t kFirstCapacity = 4096;
  if (json.empty()) return JsonFault::kEmpty;
  if (json.size() > bytes_max) return JsonFault::kTooLarge;
  auto& parser = stage_->parser;
  if (!parser) {
    // The second stage, which the depth is for, never runs.
    auto error = simdjson::get_active_implementation()->create_dom_parser_implementation(kFirstCapacity, 1, parser);
    if (error != simdjson::SUCCESS) return JsonFault::kTooLarge;
  }
  if (json.size() > parser->capacity()) {
    if (parser->set_capacity(std::max(json.size(), parser->capacity() * 2)) != simdjson::SUCCESS) return JsonFault::kTooLarge;
  }
  auto error = parser->stage1(reinterpret_cast<const uint8_t*>(json.data()), json.size(), simdjson::stage1_mode::regular);
  positions_ = parser->structural_indexes.get();
  count_ = parser->n_structural_indexes;
  switch (error) {
    case simdjson::SUCCESS: return JsonFault::kNone;
    case simdjson::EMPTY: return JsonFault::kEmpty;
    case simdjson::UTF8_ERROR: return JsonFault::kNotUtf8;
    case simdjson::CAPACITY: return JsonFault::kTooLarge;
    default: return JsonFault::kNotJson;
  }
}

namespace {

int hex_value(char c) {
  if (c >= '0' && c <= '9') return c - '0';
  if (c >= 'a' && c <= 'f') return c - 'a' + 10;
  if (c >= 'A' && c <= 'F') return c - 'A' + 10;
  return -1;
}

/// The code unit of the four digits at `p`, or -1.
int32_t code_unit(const char* p, const char* end) {
  if (end - p < 4) return -1;
  int32_t unit = 0;
  for (int i = 0; i < 4; ++i) {
    int digit = hex_value(p[i]);
    if (digit < 0) return -1;
    unit = unit << 4 | digit;
  }
  return unit;
}

char* put_utf8(char* out, uint32_t c) {
  if (c < 0x80) {
    *out++ = static_cast<char>(c);
  } else if (c < 0x800) {
    *out++ = static_cast<char>(0xc0 | c >> 6);
    *out++ = static_cast<char>(0x80 | (c & 0x3f));
  } else if (c < 0x10000) {
    *out++ = static_cast<char>(0xe0 | c >> 12);
    *out++ = static_cast<char>(0x80 | (c >> 6 & 0x3f));
    *out++ = static_cast<char>(0x80 | (c & 0x3f));
  } else {
    *out++ = static_cast<char>(0xf0 | c >> 18);
    *out++ = static_cast<char>(0x80 | (c >> 12 & 0x3f));
    *out++ = static_cast<char>(0x80 | (c >> 6 & 0x3f));
    *out++ = static_cast<char>(0x80 | (c & 0x3f));
  }
  return out;
}

/// What the letter behind a backslash stands for; 0 for none.
char simple_escape(char c) {
  switch (c) {
    case '"': return '"';
    case '\\': return '\\';
    case '/': return '/';
    case 'b': return '\b';
    case 'f': return '\f';
    case 'n': return '\n';
    case 'r': return '\r';
    case 't': return '\t';
    default: return 0;
  }
}

/// Reads the digits of `\u` at `p`, and the second half of a pair behind them. Returns where it ended, or null.
const char* read_unicode(const char* p, const char* end, uint32_t& c, JsonFault& fault) {
  int32_t unit = code_unit(p, end);
  if (unit < 0) {
    fault = JsonFault::kNotJson;
    return nullptr;
  }
  p += 4;
  c = static_cast<uint32_t>(unit);
  if (unit < 0xd800 || unit > 0xdfff) return p;
  int32_t low = end - p >= 6 && p[0] == '\\' && p[1] == 'u' ? code_unit(p + 2, end) : -1;
  if (unit > 0xdbff || low < 0xdc00 || low > 0xdfff) {
    fault = JsonFault::kNotUtf8;
    return nullptr;
  }
  c = 0x10000 + ((static_cast<uint32_t>(unit) - 0xd800) << 10) + (static_cast<uint32_t>(low) - 0xdc00);
  return p + 6;
}

const char* skip_digits(const char* p, const char* end) {
  while (p != end && *p >= '0' && *p <= '9') ++p;
  return p;
}

}  // namespace

size_t unescape_json(std::string_view raw, char* out, JsonFault& fault) {
  const char* p = raw.data();
  const char* end = p + raw.size();
  char* start = out;
  while (p != end) {
    auto* backslash = static_cast<const char*>(std::memchr(p, '\\', static_cast<size_t>(end - p)));
    size_t plain = static_cast<size_t>((backslash ? backslash : end) - p);
    std::memcpy(out, p, plain);
    out += plain;
    p += plain;
    if (!backslash) break;
    ++p;
    if (p != end && *p == 'u') {
      uint32_t c = 0;
      p = read_unicode(p + 1, end, c, fault);
      if (!p) return SIZE_MAX;
      out = put_utf8(out, c);
    } else {
      char c = p == end ? '\0' : simple_escape(*p);
      if (c == 0) {
        fault = JsonFault::kNotJson;
        return SIZE_MAX;
      }
      *out++ = c;
      ++p;
    }
  }
  return static_cast<size_t>(out - start);
}

bool is_json_number(std::string_view text) {
  const char* p = text.data();
  const char* end = p + text.size();
  if (p != end && *p == '-') ++p;
  if (p == end) return false;
  const char* digits = p;
  p = skip_digits(p, end);
  if (p == digits || (*digits == '0' && p - digits > 1)) return false;
  if (p != end && *p == '.') {
    const char* fraction = ++p;
    p = skip_digits(p, end);
    if (p == fraction) return false;
  }
  if (p != end && (*p == 'e' || *p == 'E')) {
    ++p;
    if (p != end && (*p == '+' || *p == '-')) ++p;
    const char* exponent = p;
    p = skip_digits(p, end);
    if (p == exponent) return false;
  }
  return p == end;
}

JsonFault JsonCursor::check_escapes(std::string_view raw) const {
  if (!is_escaped(raw)) return JsonFault::kNone;
  std::string scratch(raw.size(), '\0');
  JsonFault fault = JsonFault::kNone;
  unescape_json(raw, scratch.data(), fault);
  return fault;
}

JsonFault JsonCursor::check_scalar() {
  std::string_view text = token();
  ++at_;
  switch (text[0]) {
    case '"': return has_escapes_ ? check_escapes(text.substr(1, text.size() - 2)) : JsonFault::kNone;
    case 't': return text == "true" ? JsonFault::kNone : JsonFault::kNotJson;
    case 'f': return text == "false" ? JsonFault::kNone : JsonFault::kNotJson;
    case 'n': return text == "null" ? JsonFault::kNone : JsonFault::kNotJson;
    default: return is_json_number(text) ? JsonFault::kNone : JsonFault::kNotJson;
  }
}

JsonFault JsonCursor::check_name() {
  std::string_view name;
  if (!take_name(name)) return JsonFault::kNotJson;
  return has_escapes_ ? check_escapes(name) : JsonFault::kNone;
}

JsonFault JsonCursor::skip(std::string_view* raw) {
  if (at_ == end_) return JsonFault::kNotJson;
  const char* start = base_ + *at_;
  if (*start != '{' && *start != '[') {
    if (raw) *raw = token();
    return check_scalar();
  }
  // Which of the open containers are objects, innermost last.
  std::string open;
  int outer = depth_;
  for (;;) {
    char c = peek();
    if (c == '{' || c == '[') {
      if (!enter()) return JsonFault::kTooDeep;
      open.push_back(c);
      if (c == '[' && peek() != ']') continue;
      if (c == '{' && peek() != '}') {
        if (JsonFault fault = check_name(); fault != JsonFault::kNone) return fault;
        continue;
      }
    } else if (c == '\0') {
      return JsonFault::kNotJson;
    } else if (JsonFault fault = check_scalar(); fault != JsonFault::kNone) {
      return fault;
    }
    // Behind a value: close what ends here, then go on with the next member or element.
    while (depth_ > outer && take(open.back() == '{' ? '}' : ']')) {
      open.pop_back();
      --depth_;
    }
    if (depth_ == outer) break;
    if (!take(',')) return JsonFault::kNotJson;
    if (open.back() == '{') {
      if (JsonFault fault = check_name(); fault != JsonFault::kNone) return fault;
    }
  }
  if (raw) *raw = {start, static_cast<size_t>(base_ + at_[-1] + 1 - start)};
  return JsonFault::kNone;
}

std::string describe_fault(JsonFault fault, int depth_max) {
  switch (fault) {
    case JsonFault::kNone: return "no fault";
    case JsonFault::kEmpty: return "the text is empty";
    case JsonFault::kNotUtf8: return "the text is not UTF-8, or escapes half of a surrogate pair";
    case JsonFault::kNotJson: return "the text is not JSON";
    case JsonFault::kTooDeep: return fmt::format("the JSON nests deeper than {} levels", depth_max);
    case JsonFault::kTooLarge: return "the JSON is too large";
    case JsonFault::kNotObject: return "the JSON is not an object";
    case JsonFault::kType: return "the value has another type";
    case JsonFault::kRange: return "the value is out of range";
  }
  return "unknown fault";
}

std::string shorten(std::string_view text) {
  constexpr size_t kShown = 40;
  std::string_view shown = text;
  if (text.size() > kShown) {
    size_t cut = kShown - 3;
    while (cut > 0 && (static_cast<uint8_t>(text[cut]) & 0xc0) == 0x80) --cut;
    shown = text.substr(0, cut);
  }
  std::string out(shown);
  for (char& c : out) {
    if (static_cast<uint8_t>(c) < 0x20 || c == 0x7f) c = '?';
  }
  return shown.size() < text.size() ? out + "..." : out;
}

}  // namespace millrace::format
