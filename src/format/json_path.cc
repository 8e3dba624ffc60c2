#include "format/json_path.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "base/bytes.h"
#include "format/json_columns.h"
#include "format/json_tokens.h"

namespace millrace::format {
namespace {

constexpr size_t kPathBytesMax = 4096;

bool is_name_char(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_' || c == '-' || c == '$' ||
         static_cast<uint8_t>(c) >= 0x80;
}

/// Reads the steps behind `$`; an empty word is success, else it says what is wrong.
struct PathReader {
  std::string_view text;
  size_t at = 1;

  std::string_view read(std::vector<JsonPath::Step>& steps) {
    bool each = false;
    while (at < text.size()) {
      JsonPath::Step step{};
      std::string_view wrong = text[at] == '.' ? read_dot(step) : text[at] == '[' ? read_bracket(step) : "`.` or `[` is expected";
      if (!wrong.empty()) return wrong;
      if (step.kind == JsonPath::Step::Kind::kEach) {
        if (each) return "only one [*] is possible";
        each = true;
      }
      steps.push_back(std::move(step));
    }
    return {};
  }

  std::string_view read_dot(JsonPath::Step& step) {
    size_t start = ++at;
    while (at < text.size() && is_name_char(text[at])) ++at;
    if (at == start) return "a name is expected; write names with other characters as ['name']";
    step.kind = JsonPath::Step::Kind::kName;
    step.name = text.substr(start, at - start);
    return {};
  }

  std::string_view read_bracket(JsonPath::Step& step) {
    ++at;
    char c = at < text.size() ? text[at] : '\0';
    std::string_view wrong;
    if (c == '*') {
      step.kind = JsonPath::Step::Kind::kEach;
      ++at;
    } else if (c == '\'' || c == '"') {
      wrong = read_quoted(step, c);
    } else {
      wrong = read_index(step);
    }
    if (!wrong.empty()) return wrong;
    if (at >= text.size() || text[at] != ']') return "`]` is expected";
    ++at;
    return {};
  }

  std::string_view read_quoted(JsonPath::Step& step, char quote) {
    step.kind = JsonPath::Step::Kind::kName;
    for (++at; at < text.size() && text[at] != quote; ++at) {
      if (text[at] == '\\' && ++at == text.size()) break;
      step.name += text[at];
    }
    if (at >= text.size()) return "the quote is not closed";
    ++at;
    return {};
  }

  std::string_view read_index(JsonPath::Step& step) {
    step.kind = JsonPath::Step::Kind::kIndex;
    const char* start = text.data() + at;
    auto [end, error] = std::from_chars(start, text.data() + text.size(), step.index);
    if (error != std::errc()) return "a number, a quoted name or `*` is expected";
    at += static_cast<size_t>(end - start);
    return {};
  }
};

/// A document that is known to be sound, with the cursor at a value.
class Walker {
 public:
  Walker(const std::vector<JsonPath::Step>& steps, const std::function<Status(std::string_view)>& on_match)
      : steps_(steps), on_match_(on_match) {}

  /// Recurses once for [*], so at most two levels. False: the path leads to nothing.
  Result<bool> walk(JsonCursor cursor, size_t step) {
    for (; step < steps_.size(); ++step) {
      const JsonPath::Step& wanted = steps_[step];
      if (cursor.peek() == 'n') return true;
      switch (wanted.kind) {
        case JsonPath::Step::Kind::kEach: return each(cursor, step + 1);
        case JsonPath::Step::Kind::kName:
          if (!to_member(cursor, wanted.name)) return false;
          break;
        case JsonPath::Step::Kind::kIndex:
          if (!to_element(cursor, wanted.index)) return false;
          break;
      }
    }
    std::string_view raw;
    cursor.skip(&raw);
    TRY_DO(on_match_(raw));
    return true;
  }

 private:
  Result<bool> each(JsonCursor cursor, size_t next_step) {
    if (!cursor.take('[')) return false;
    if (cursor.peek() == ']') return true;
    do {
      TRY_DO(walk(cursor, next_step));
      cursor.skip();
    } while (cursor.take(','));
    return true;
  }

  static bool to_element(JsonCursor& cursor, size_t index) {
    if (!cursor.take('[') || cursor.peek() == ']') return false;
    for (; index > 0; --index) {
      cursor.skip();
      if (!cursor.take(',')) return false;
    }
    return true;
  }

  static bool to_member(JsonCursor& cursor, std::string_view name) {
    if (!cursor.take('{') || cursor.peek() == '}') return false;
    const uint32_t* found = nullptr;
    do {
      std::string_view raw;
      cursor.take_name(raw);
      if (is_name(cursor, raw, name)) found = cursor.mark();
      cursor.skip();
    } while (cursor.take(','));
    if (found) cursor.back_to(found);
    return found != nullptr;
  }

  static bool is_name(const JsonCursor& cursor, std::string_view raw, std::string_view name) {
    if (!cursor.is_escaped(raw)) return raw == name;
    std::string plain(raw.size(), '\0');
    JsonFault fault = JsonFault::kNone;
    plain.resize(unescape_json(raw, plain.data(), fault));
    return plain == name;
  }

  const std::vector<JsonPath::Step>& steps_;
  const std::function<Status(std::string_view)>& on_match_;
};

}  // namespace

Result<JsonPath> JsonPath::parse(std::string_view text) {
  auto bad = [&](size_t at, std::string_view why) {
    return fail(Errc::kInvalidArgument, fmt::format("JSON path '{}', column {}: {}", shorten(text), at + 1, why),
                "write $.results[*] or $.login.uuid");
  };
  if (!is_utf8(text)) return fail(Errc::kInvalidArgument, "the JSON path is not UTF-8");
  if (text.size() > kPathBytesMax) return bad(0, "it is too long");
  if (text.empty() || text[0] != '$') return bad(0, "`$` is expected");
  JsonPath path;
  path.text_ = text;
  PathReader reader{text};
  if (std::string_view wrong = reader.read(path.steps_); !wrong.empty()) return bad(std::min(reader.at, text.size()), wrong);
  return path;
}

bool JsonPath::has_each() const {
  return std::any_of(steps_.begin(), steps_.end(), [](const Step& step) { return step.kind == Step::Kind::kEach; });
}

Result<bool> select(std::string_view document, const JsonPath& path,
                    const std::function<Status(std::string_view raw_json)>& on_match) {
  JsonIndexer indexer;
  JsonFault fault = indexer.index(document, kJsonBytesMax);
  if (fault == JsonFault::kNone) {
    JsonCursor check(document, indexer.positions(), indexer.count(), kJsonDepthMax);
    fault = check.skip();
    if (fault == JsonFault::kNone && !check.done()) fault = JsonFault::kNotJson;
  }
  if (fault != JsonFault::kNone) return fail(Errc::kInvalidArgument, describe_fault(fault, kJsonDepthMax));
  JsonCursor cursor(document, indexer.positions(), indexer.count(), kJsonDepthMax);
  return Walker(path.steps(), on_match).walk(cursor, 0);
}

Result<std::optional<std::string>> select_text(std::string_view document, const JsonPath& path) {
  std::optional<std::string> text;
  bool first = true;
  TRY_DO(select(document, path, [&](std::string_view raw) -> Status {
    if (!std::exchange(first, false) || raw == "null") return {};
    if (raw[0] != '"') {
      text = raw;
      return {};
    }
    raw = raw.substr(1, raw.size() - 2);
    text.emplace(raw.size(), '\0');
    JsonFault fault = JsonFault::kNone;
    text->resize(unescape_json(raw, text->data(), fault));
    return {};
  }));
  return text;
}

}  // namespace millrace::format
