#include "format/avro_default.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/bytes.h"

namespace millrace::format {
namespace {

// Of a default and those that stand within it: a few letters of schema can ask for very many.
constexpr size_t kValuesMax = 100'000;

/// The bytes that the characters U+0000 to U+00FF stand for.
std::optional<std::string> bytes_of(const std::string& text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    auto lead = static_cast<uint8_t>(text[i]);
    if (lead < 0x80) {
      out += text[i];
    } else if ((lead == 0xc2 || lead == 0xc3) && i + 1 < text.size()) {
      out += static_cast<char>((lead & 0x3) << 6 | (static_cast<uint8_t>(text[++i]) & 0x3f));
    } else {
      return std::nullopt;
    }
  }
  return out;
}

void append_sized_text(std::string& out, std::string_view text) {
  append_zigzag(out, static_cast<int64_t>(text.size()));
  out += text;
}

bool append_bytes(const AvroNode& node, const Json& json, std::string& out) {
  auto bytes = json.as_string() == nullptr ? std::nullopt : bytes_of(*json.as_string());
  if (!bytes || (node.kind == AvroKind::kFixed && bytes->size() != node.size)) return false;
  node.kind == AvroKind::kFixed ? out += *bytes : (append_sized_text(out, *bytes), out);
  return true;
}

bool append_number(const AvroNode& node, const Json& json, std::string& out) {
  const int64_t* whole = json.as_int();
  double real = whole != nullptr ? static_cast<double>(*whole) : json.as_double() != nullptr ? *json.as_double() : 0;
  if (whole == nullptr && json.as_double() == nullptr) return false;
  if (node.kind == AvroKind::kFloat) return append_le(out, static_cast<float>(real)), true;
  if (node.kind == AvroKind::kDouble) return append_le(out, real), true;
  if (whole == nullptr || (node.kind == AvroKind::kInt && *whole != static_cast<int32_t>(*whole))) return false;
  append_zigzag(out, *whole);
  return true;
}

bool append_scalar_default(const AvroNode& node, const Json& json, std::string& out) {
  switch (node.kind) {
    case AvroKind::kNull: return json.is_null();
    case AvroKind::kBoolean:
      if (json.as_bool() != nullptr) out += static_cast<char>(*json.as_bool());
      return json.as_bool() != nullptr;
    case AvroKind::kBytes:
    case AvroKind::kFixed: return append_bytes(node, json, out);
    case AvroKind::kString:
      if (json.as_string() != nullptr) append_sized_text(out, *json.as_string());
      return json.as_string() != nullptr;
    case AvroKind::kEnum: {
      if (json.as_string() == nullptr) return false;
      auto found = std::find(node.symbols.begin(), node.symbols.end(), *json.as_string());
      append_zigzag(out, found - node.symbols.begin());
      return found != node.symbols.end();
    }
    default: return append_number(node, json, out);
  }
}

Status append(const AvroSchema& schema, uint32_t index, const Json& json, std::string& out, int depth, size_t& values) {
  const AvroNode& node = schema.node(index);
  auto inner = [&](uint32_t below, const Json& value) { return append(schema, below, value, out, depth + 1, values); };
  auto wrong = [&] {
    return fail(Errc::kInvalidArgument, fmt::format("its default in the Avro schema is no {}, or too large", avro_word(node)));
  };
  if (depth > kAvroDepthMax || ++values > kValuesMax) return wrong();
  switch (node.kind) {
    case AvroKind::kUnion: append_zigzag(out, 0); return inner(node.nodes[0], json);
    case AvroKind::kRecord:
      if (json.as_object() == nullptr) return wrong();
      for (const AvroField& field : node.fields) {
        const Json* member = json.find(field.name);
        if (member == nullptr && field.otherwise) member = &*field.otherwise;
        if (member == nullptr) return wrong();
        TRY_DO(inner(field.node, *member));
      }
      return {};
    case AvroKind::kArray:
      if (json.as_array() == nullptr) return wrong();
      if (!json.as_array()->empty()) append_zigzag(out, static_cast<int64_t>(json.as_array()->size()));
      for (const Json& item : *json.as_array()) TRY_DO(inner(node.nodes[0], item));
      out += '\0';
      return {};
    case AvroKind::kMap:
      if (json.as_object() == nullptr) return wrong();
      if (!json.as_object()->empty()) append_zigzag(out, static_cast<int64_t>(json.as_object()->size()));
      for (const Json::Member& member : *json.as_object()) {
        append_sized_text(out, member.name);
        TRY_DO(inner(node.nodes[0], member.value));
      }
      out += '\0';
      return {};
    default:
      if (!append_scalar_default(node, json, out)) return wrong();
      return {};
  }
}

}  // namespace

Status append_avro_default(const AvroSchema& schema, uint32_t node, const Json& json, std::string& out) {
  size_t values = 0;
  return append(schema, node, json, out, 0, values);
}

}  // namespace millrace::format
