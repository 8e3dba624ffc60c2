#include "format/avro_schema.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <unordered_map>
#include <utility>

namespace millrace::format {
namespace {

// A type of the schema is at most two levels of its text.
constexpr int kJsonDepth = 3 * kAvroDepthMax;
constexpr int64_t kFixedBytesMax = 1 << 20;
constexpr int64_t kPrecisionMax = 1000;

constexpr std::array<std::string_view, 14> kKindWords = {"null",   "boolean", "int",  "long",  "float", "double", "bytes",
                                                         "string", "fixed",   "enum", "array", "map",   "union",  "record"};
constexpr std::array<std::string_view, 12> kLogicalWords = {
    "",
    "decimal",
    "uuid",
    "date",
    "time-millis",
    "time-micros",
    "timestamp-millis",
    "timestamp-micros",
    "timestamp-nanos",
    "local-timestamp-millis",
    "local-timestamp-micros",
    "local-timestamp-nanos",
};
constexpr size_t kPrimitives = 8;  // the kinds null to string

std::optional<AvroKind> primitive(std::string_view word) {
  for (size_t i = 0; i < kPrimitives; ++i) {
    if (kKindWords[i] == word) return static_cast<AvroKind>(i);
  }
  return std::nullopt;
}

tl::unexpected<Error> wrong(std::string what) { return fail(Errc::kInvalidArgument, "Avro schema: " + std::move(what)); }
tl::unexpected<Error> too_much(std::string what) { return fail(Errc::kResourceExhausted, "Avro schema: " + std::move(what)); }

bool fits(AvroLogical logical, const AvroNode& node) {
  switch (logical) {
    case AvroLogical::kNone: return true;
    case AvroLogical::kDecimal: return node.kind == AvroKind::kBytes || node.kind == AvroKind::kFixed;
    case AvroLogical::kUuid: return node.kind == AvroKind::kString || (node.kind == AvroKind::kFixed && node.size == 16);
    case AvroLogical::kDate:
    case AvroLogical::kTimeMillis: return node.kind == AvroKind::kInt;
    default: return node.kind == AvroKind::kLong;
  }
}

void set_logical(AvroNode& node, const Json& json) {
  std::string word = json.string_or("logicalType", "");
  for (size_t i = 1; i < kLogicalWords.size(); ++i) {
    auto logical = static_cast<AvroLogical>(i);
    if (kLogicalWords[i] != word || !fits(logical, node)) continue;
    if (logical == AvroLogical::kDecimal) {
      int64_t precision = json.int_or("precision", 0), scale = json.int_or("scale", 0);
      if (precision < 1 || precision > kPrecisionMax || scale < 0 || scale > precision) return;
      node.precision = static_cast<int>(precision);
      node.scale = static_cast<int>(scale);
    }
    node.logical = logical;
  }
}

}  // namespace

class AvroSchemaReader {
 public:
  AvroSchemaReader() {
    for (size_t i = 0; i < kPrimitives; ++i) schema_.nodes_.push_back({.kind = static_cast<AvroKind>(i)});
    schema_.nodes_[0].is_empty = true;
  }

  Status read(std::string_view text) {
    if (text.size() > kAvroSchemaBytesMax) return too_much(fmt::format("more than {} bytes", kAvroSchemaBytesMax));
    auto json = parse_json(text, {.depth_max = kJsonDepth, .bytes_max = kAvroSchemaBytesMax});
    if (!json) return fail(at("Avro schema", std::move(json.error())));
    TRY(schema_.root_, type(*json, "", 1));
    return {};
  }

  Result<std::shared_ptr<const AvroSchema>> finish() && {
    mark_empty();
    return std::make_shared<const AvroSchema>(std::move(schema_));
  }

 private:
  Result<uint32_t> type(const Json& json, const std::string& space, int depth) {
    if (depth > kAvroDepthMax) return too_much(fmt::format("nests deeper than {}", kAvroDepthMax));
    if (const std::string* word = json.as_string()) return named_or_primitive(*word, space);
    if (const Json::Array* branches = json.as_array()) return union_of(*branches, space, depth);
    if (json.as_object() == nullptr) return wrong("a type must be a name, an object or a list");
    const Json* kind = json.find("type");
    if (kind == nullptr) return wrong("a type without 'type'");
    const std::string* word = kind->as_string();
    if (word == nullptr) return type(*kind, space, depth + 1);
    if (*word == "record" || *word == "error") return record(json, space, depth);
    if (*word == "enum") return enumeration(json, space);
    if (*word == "fixed") return fixed(json, space);
    if (*word == "array" || *word == "map") return container(json, *word, space, depth);
    auto simple = primitive(*word);
    if (!simple) return named_or_primitive(*word, space);
    AvroNode node{.kind = *simple};
    set_logical(node, json);
    return node.logical == AvroLogical::kNone ? Result<uint32_t>(static_cast<uint32_t>(*simple)) : add(std::move(node));
  }

  Result<uint32_t> add(AvroNode node) {
    if (schema_.nodes_.size() >= kAvroNodesMax) return too_much(fmt::format("more than {} types", kAvroNodesMax));
    schema_.nodes_.push_back(std::move(node));
    return static_cast<uint32_t>(schema_.nodes_.size() - 1);
  }

  Result<uint32_t> named_or_primitive(const std::string& word, const std::string& space) {
    if (auto simple = primitive(word)) return static_cast<uint32_t>(*simple);
    if (word.find('.') == std::string::npos && !space.empty()) {
      if (auto found = names_.find(space + "." + word); found != names_.end()) return found->second;
    }
    if (auto found = names_.find(word); found != names_.end()) return found->second;
    return wrong(fmt::format("the type '{}' is not known", word.substr(0, 200)));
  }

  /// A node with the full name that `json` declares, known by it from now on; `space` becomes the namespace within.
  Result<uint32_t> declare(const Json& json, AvroKind kind, std::string& space) {
    std::string name = json.string_or("name", "");
    if (name.empty()) return wrong(fmt::format("a {} without a name", kKindWords[static_cast<size_t>(kind)]));
    if (size_t dot = name.rfind('.'); dot != std::string::npos) {
      space = name.substr(0, dot);
    } else {
      space = json.string_or("namespace", space);
      if (!space.empty()) name = space + "." + name;
    }
    TRY(uint32_t made, add({.kind = kind, .name = name}));
    if (!names_.emplace(name, made).second) return wrong(fmt::format("the type '{}' is there twice", name.substr(0, 200)));
    return made;
  }

  Result<uint32_t> record(const Json& json, std::string space, int depth) {
    TRY(uint32_t made, declare(json, AvroKind::kRecord, space));
    const std::string name = schema_.nodes_[made].name;
    const Json* list = json.find("fields");
    if (list == nullptr || list->as_array() == nullptr) return wrong(fmt::format("the record '{}' has no list of fields", name));
    std::vector<AvroField> fields;
    for (const Json& one : *list->as_array()) {
      if (++fields_ > kAvroFieldsMax) return too_much(fmt::format("more than {} fields", kAvroFieldsMax));
      AvroField field{.name = one.string_or("name", "")};
      const Json* of = one.find("type");
      if (field.name.empty() || of == nullptr) return wrong(fmt::format("a field of '{}' lacks its name or type", name));
      TRY(field.node, type(*of, space, depth + 1));
      if (const Json* otherwise = one.find("default")) field.otherwise = *otherwise;
      TRY(field.aliases, words(one, "aliases"));
      fields.push_back(std::move(field));
    }
    schema_.nodes_[made].fields = std::move(fields);
    return made;
  }

  Result<uint32_t> enumeration(const Json& json, std::string space) {
    TRY(uint32_t made, declare(json, AvroKind::kEnum, space));
    TRY(schema_.nodes_[made].symbols, words(json, "symbols"));
    if (schema_.nodes_[made].symbols.empty())
      return wrong(fmt::format("the enum '{}' has no symbols", schema_.nodes_[made].name));
    return made;
  }

  Result<uint32_t> fixed(const Json& json, std::string space) {
    TRY(uint32_t made, declare(json, AvroKind::kFixed, space));
    AvroNode& node = schema_.nodes_[made];
    int64_t size = json.int_or("size", -1);
    if (size < 0 || size > kFixedBytesMax)
      return wrong(fmt::format("the size of '{}' is not from 0 to {}", node.name, kFixedBytesMax));
    node.size = static_cast<uint32_t>(size);
    set_logical(node, json);
    return made;
  }

  Result<uint32_t> container(const Json& json, std::string_view word, const std::string& space, int depth) {
    bool array = word == "array";
    const Json* inner = json.find(array ? "items" : "values");
    if (inner == nullptr) return wrong(fmt::format("an {} without '{}'", word, array ? "items" : "values"));
    TRY(uint32_t items, type(*inner, space, depth + 1));
    return add({.kind = array ? AvroKind::kArray : AvroKind::kMap, .nodes = {items}});
  }

  Result<uint32_t> union_of(const Json::Array& branches, const std::string& space, int depth) {
    AvroNode node{.kind = AvroKind::kUnion};
    for (const Json& branch : branches) {
      TRY(uint32_t made, type(branch, space, depth + 1));
      if (schema_.nodes_[made].kind == AvroKind::kUnion) return wrong("a union directly within a union");
      node.nodes.push_back(made);
    }
    if (node.nodes.empty()) return wrong("a union without types");
    return add(std::move(node));
  }

  static Result<std::vector<std::string>> words(const Json& json, std::string_view member) {
    std::vector<std::string> out;
    const Json* list = json.find(member);
    if (list == nullptr) return out;
    if (list->as_array() == nullptr) return wrong(fmt::format("'{}' is not a list", member));
    for (const Json& one : *list->as_array()) {
      if (one.as_string() == nullptr) return wrong(fmt::format("'{}' is not a list of texts", member));
      out.push_back(*one.as_string());
    }
    return out;
  }

  /// Fixed types of no bytes, and records of nothing but such. A record within itself is never: such values have no end.
  void mark_empty() {
    for (bool changed = true; changed;) {
      changed = false;
      for (AvroNode& node : schema_.nodes_) {
        if (node.is_empty) continue;
        node.is_empty = node.kind == AvroKind::kFixed    ? node.size == 0
                        : node.kind == AvroKind::kRecord ? std::all_of(node.fields.begin(), node.fields.end(),
                                                                       [&](auto& f) { return schema_.nodes_[f.node].is_empty; })
                                                         : false;
        changed |= node.is_empty;
      }
    }
  }

  AvroSchema schema_;
  std::unordered_map<std::string, uint32_t> names_;
  size_t fields_ = 0;
};

Result<std::shared_ptr<const AvroSchema>> AvroSchema::parse(std::string_view text, std::span<const std::string> references) {
  AvroSchemaReader reader;
  for (const std::string& reference : references) TRY_DO(reader.read(reference));
  TRY_DO(reader.read(text));
  return std::move(reader).finish();
}

std::string_view avro_word(const AvroNode& node) {
  return node.logical == AvroLogical::kNone ? kKindWords[static_cast<size_t>(node.kind)]
                                            : kLogicalWords[static_cast<size_t>(node.logical)];
}

bool is_avro_name(std::string_view name) {
  auto letter = [](char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_'; };
  if (name.empty() || !letter(name[0])) return false;
  return std::all_of(name.begin(), name.end(), [&](char c) { return letter(c) || (c >= '0' && c <= '9'); });
}

}  // namespace millrace::format
