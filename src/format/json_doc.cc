#include "format/json_doc.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cmath>
#include <iterator>

#include "format/json_tokens.h"
#include "format/json_write.h"
#include "format/scalar.h"

namespace millrace::format {

Json::Json() = default;
Json::Json(std::nullptr_t) {}
Json::Json(bool v) : value_(v) {}
Json::Json(int v) : value_(int64_t{v}) {}
Json::Json(long v) : value_(int64_t{v}) {}
Json::Json(long long v) : value_(int64_t{v}) {}
Json::Json(unsigned v) : value_(int64_t{v}) {}
Json::Json(unsigned long v) { set_unsigned(v); }
Json::Json(unsigned long long v) { set_unsigned(v); }
Json::Json(double v) : value_(v) {}
Json::Json(const char* v) : value_(std::string(v)) {}
Json::Json(std::string_view v) : value_(std::string(v)) {}
Json::Json(std::string v) : value_(std::move(v)) {}
Json::Json(Array v) : value_(std::move(v)) {}
Json::Json(Object v) : value_(std::move(v)) {}
Json Json::object() { return Json(Object{}); }
Json Json::array() { return Json(Array{}); }

void Json::set_unsigned(uint64_t v) {
  if (v <= static_cast<uint64_t>(INT64_MAX)) {
    value_ = static_cast<int64_t>(v);
  } else {
    value_ = v;
  }
}

bool operator==(const Json& a, const Json& b) { return a.value_ == b.value_; }

const Json* Json::find(std::string_view name) const { return const_cast<Json*>(this)->find(name); }

Json* Json::find(std::string_view name) {
  Object* members = as_object();
  if (!members) return nullptr;
  auto found = std::find_if(members->rbegin(), members->rend(), [&](const Member& member) { return member.name == name; });
  return found == members->rend() ? nullptr : &found->value;
}

std::string Json::string_or(std::string_view name, std::string_view otherwise) const {
  const Json* member = find(name);
  const std::string* value = member ? member->as_string() : nullptr;
  return value ? *value : std::string(otherwise);
}

int64_t Json::int_or(std::string_view name, int64_t otherwise) const {
  const Json* member = find(name);
  const int64_t* value = member ? member->as_int() : nullptr;
  return value ? *value : otherwise;
}

double Json::number_or(std::string_view name, double otherwise) const {
  const Json* member = find(name);
  if (!member) return otherwise;
  if (const double* value = member->as_double()) return *value;
  if (const int64_t* value = member->as_int()) return static_cast<double>(*value);
  if (const uint64_t* value = member->as_uint()) return static_cast<double>(*value);
  return otherwise;
}

bool Json::bool_or(std::string_view name, bool otherwise) const {
  const Json* member = find(name);
  const bool* value = member ? member->as_bool() : nullptr;
  return value ? *value : otherwise;
}

Json& Json::set(std::string_view name, Json value) {
  if (is_null()) value_ = Object{};
  if (Object* members = as_object()) {
    if (Json* found = find(name)) {
      *found = std::move(value);
    } else {
      members->push_back({std::string(name), std::move(value)});
    }
  }
  return *this;
}

Json& Json::push(Json value) {
  if (is_null()) value_ = Array{};
  if (Array* elements = as_array()) elements->push_back(std::move(value));
  return *this;
}

namespace {

std::string unescaped(const JsonCursor& cursor, std::string_view raw) {
  std::string out(raw);
  if (!cursor.is_escaped(raw)) return out;
  JsonFault fault = JsonFault::kNone;
  out.resize(unescape_json(raw, out.data(), fault));
  return out;
}

Json number(std::string_view text) {
  auto whole = [&](auto& out) {
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
    return error == std::errc() && end == text.data() + text.size();
  };
  int64_t small = 0;
  if (whole(small)) return small;
  uint64_t large = 0;
  if (whole(large)) return large;
  double real = 0;
  if (read_double(text, real) == JsonFault::kNone) return real;
  // Too large: the grammar is known to hold.
  return text[0] == '-' ? -HUGE_VAL : HUGE_VAL;
}

/// Builds the value of a text that is known to be sound. Open containers are on a stack of our own, so the depth costs no
/// recursion.
Json build(JsonCursor cursor) {
  struct Open {
    Json value;
    std::string name;  // of the member that is being read
  };
  std::vector<Open> open;
  auto read_name = [&] {
    std::string_view raw;
    cursor.take_name(raw);
    open.back().name = unescaped(cursor, raw);
  };
  for (;;) {
    Json value;
    char c = cursor.peek();
    if (c == '{' || c == '[') {
      cursor.advance();
      open.push_back({c == '{' ? Json::object() : Json::array(), {}});
      if (cursor.peek() != (c == '{' ? '}' : ']')) {
        if (c == '{') read_name();
        continue;
      }
      cursor.advance();
      value = std::move(open.back().value);
      open.pop_back();
    } else if (c == '"') {
      value = unescaped(cursor, cursor.take_string());
    } else {
      std::string_view token = cursor.token();
      cursor.advance();
      if (c == 't' || c == 'f') {
        value = c == 't';
      } else if (c != 'n') {
        value = number(token);
      }
    }
    // Behind a value: into its container, which may end here.
    for (;;) {
      if (open.empty()) return value;
      Open& top = open.back();
      if (Json::Object* members = top.value.as_object()) {
        members->push_back({std::move(top.name), std::move(value)});
      } else {
        top.value.as_array()->push_back(std::move(value));
      }
      bool in_object = top.value.as_object() != nullptr;
      if (cursor.take(',')) {
        if (in_object) read_name();
        break;
      }
      cursor.advance();
      value = std::move(top.value);
      open.pop_back();
    }
  }
}

void append_line(std::string& out, bool pretty, size_t depth) {
  if (pretty) out.append(1, '\n').append(2 * depth, ' ');
}

void append_json(std::string& out, const Json& json, bool pretty, size_t depth) {
  if (const bool* v = json.as_bool()) {
    out += *v ? "true" : "false";
  } else if (const int64_t* v = json.as_int()) {
    fmt::format_to(std::back_inserter(out), "{}", *v);
  } else if (const uint64_t* v = json.as_uint()) {
    fmt::format_to(std::back_inserter(out), "{}", *v);
  } else if (const double* v = json.as_double()) {
    append_json_float(out, *v);
  } else if (const std::string* v = json.as_string()) {
    append_json_string(out, *v);
  } else if (const Json::Array* v = json.as_array()) {
    out += '[';
    for (const Json& element : *v) {
      if (&element != v->data()) out += ',';
      append_line(out, pretty, depth + 1);
      append_json(out, element, pretty, depth + 1);
    }
    if (!v->empty()) append_line(out, pretty, depth);
    out += ']';
  } else if (const Json::Object* v = json.as_object()) {
    out += '{';
    for (const Json::Member& member : *v) {
      if (&member != v->data()) out += ',';
      append_line(out, pretty, depth + 1);
      append_json_string(out, member.name);
      out += pretty ? ": " : ":";
      append_json(out, member.value, pretty, depth + 1);
    }
    if (!v->empty()) append_line(out, pretty, depth);
    out += '}';
  } else {
    out += "null";
  }
}

}  // namespace

Result<Json> parse_json(std::string_view text, JsonLimits limits) {
  int depth_max = std::min(limits.depth_max, kJsonDocDepthMax);
  JsonIndexer indexer;
  JsonFault fault = indexer.index(text, limits.bytes_max);
  if (fault == JsonFault::kNone) {
    JsonCursor check(text, indexer.positions(), indexer.count(), depth_max);
    fault = check.skip();
    if (fault == JsonFault::kNone && !check.done()) fault = JsonFault::kNotJson;
    if (fault == JsonFault::kNotJson) {
      size_t byte = check.done() ? text.size() : static_cast<size_t>(*check.mark());
      return fail(Errc::kInvalidArgument, fmt::format("the text is not JSON, near byte {}", byte));
    }
  }
  if (fault != JsonFault::kNone) {
    bool limit = fault == JsonFault::kTooDeep || fault == JsonFault::kTooLarge;
    return fail(limit ? Errc::kResourceExhausted : Errc::kInvalidArgument, describe_fault(fault, depth_max));
  }
  return build(JsonCursor(text, indexer.positions(), indexer.count(), depth_max));
}

std::string to_json(const Json& json, bool pretty) {
  std::string out;
  append_json(out, json, pretty, 0);
  return out;
}

}  // namespace millrace::format
