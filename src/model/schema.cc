#include "model/schema.h"

#include <fmt/format.h>

#include "base/bytes.h"

namespace millrace::model {
namespace {

constexpr int kDepthMax = 64;
constexpr uint8_t kSchemaFormat = 1;

char lower(char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c - 'A' + 'a') : c; }

void encode_type(std::string& out, const Type& type);

void encode_fields(std::string& out, const std::vector<Field>& fields) {
  append_varint(out, fields.size());
  for (const Field& field : fields) {
    append_sized(out, field.name);
    encode_type(out, field.type);
  }
}

void encode_type(std::string& out, const Type& type) {
  out += static_cast<char>(type.id);
  if (type.id == TypeId::kDecimal) {
    out += static_cast<char>(type.width);
    out += static_cast<char>(type.scale);
  }
  if (type.id == TypeId::kList || type.id == TypeId::kStruct) encode_fields(out, type.fields);
}

bool decode_type(ByteReader& in, Type& type, int depth);

bool decode_fields(ByteReader& in, std::vector<Field>& fields, int depth) {
  uint64_t count = in.varint();
  if (depth > kDepthMax || count > in.left()) return false;
  fields.reserve(count);
  for (uint64_t i = 0; i < count; ++i) {
    Field field;
    field.name = in.sized();
    if (!decode_type(in, field.type, depth)) return false;
    fields.push_back(std::move(field));
  }
  return in.ok();
}

bool decode_type(ByteReader& in, Type& type, int depth) {
  auto id = in.le<uint8_t>();
  if (id < static_cast<uint8_t>(TypeId::kBoolean) || id > static_cast<uint8_t>(TypeId::kStruct)) return false;
  type.id = static_cast<TypeId>(id);
  if (type.id == TypeId::kDecimal) {
    type.width = in.le<uint8_t>();
    type.scale = in.le<uint8_t>();
    if (type.width < 1 || type.width > 38 || type.scale > type.width) return false;
  }
  if (type.id == TypeId::kList || type.id == TypeId::kStruct) {
    if (!decode_fields(in, type.fields, depth + 1)) return false;
    if (type.id == TypeId::kList && type.fields.size() != 1) return false;
    if (type.fields.empty()) return false;
  }
  return in.ok();
}

}  // namespace

bool same_name(std::string_view a, std::string_view b) {
  if (a.size() != b.size()) return false;
  for (size_t i = 0; i < a.size(); ++i) {
    if (lower(a[i]) != lower(b[i])) return false;
  }
  return true;
}

std::optional<size_t> Schema::find(std::string_view name) const {
  for (size_t i = 0; i < fields.size(); ++i) {
    if (same_name(fields[i].name, name)) return i;
  }
  return std::nullopt;
}

std::string quote_identifier(std::string_view name) {
  std::string out = "\"";
  for (char c : name) {
    if (c == '"') out += '"';
    out += c;
  }
  return out + "\"";
}

std::string quote_literal(std::string_view text) {
  std::string out = "'";
  for (char c : text) {
    if (c == '\'') out += '\'';
    out += c;
  }
  return out + "'";
}

std::string to_sql(const Schema& schema) {
  std::string out;
  for (const Field& field : schema.fields) {
    if (!out.empty()) out += ", ";
    out += quote_identifier(field.name) + " " + to_sql(field.type);
  }
  return out;
}

std::string to_sql(const Type& type) {
  switch (type.id) {
    case TypeId::kBoolean: return "BOOLEAN";
    case TypeId::kTinyint: return "TINYINT";
    case TypeId::kSmallint: return "SMALLINT";
    case TypeId::kInteger: return "INTEGER";
    case TypeId::kBigint: return "BIGINT";
    case TypeId::kHugeint: return "HUGEINT";
    case TypeId::kUtinyint: return "UTINYINT";
    case TypeId::kUsmallint: return "USMALLINT";
    case TypeId::kUinteger: return "UINTEGER";
    case TypeId::kUbigint: return "UBIGINT";
    case TypeId::kFloat: return "FLOAT";
    case TypeId::kDouble: return "DOUBLE";
    case TypeId::kDecimal: return fmt::format("DECIMAL({},{})", type.width, type.scale);
    case TypeId::kText: return "VARCHAR";
    case TypeId::kBlob: return "BLOB";
    case TypeId::kUuid: return "UUID";
    case TypeId::kDate: return "DATE";
    case TypeId::kTime: return "TIME";
    case TypeId::kTimestamp: return "TIMESTAMP";
    case TypeId::kTimestampTz: return "TIMESTAMP WITH TIME ZONE";
    case TypeId::kInterval: return "INTERVAL";
    case TypeId::kList: return to_sql(type.fields.at(0).type) + "[]";
    case TypeId::kStruct: return "STRUCT(" + to_sql(Schema{type.fields}) + ")";
  }
  return "?";
}

size_t element_size(const Type& type) {
  switch (type.id) {
    case TypeId::kBoolean:
    case TypeId::kTinyint:
    case TypeId::kUtinyint: return 1;
    case TypeId::kSmallint:
    case TypeId::kUsmallint: return 2;
    case TypeId::kInteger:
    case TypeId::kUinteger:
    case TypeId::kFloat:
    case TypeId::kDate: return 4;
    case TypeId::kBigint:
    case TypeId::kUbigint:
    case TypeId::kDouble:
    case TypeId::kTime:
    case TypeId::kTimestamp:
    case TypeId::kTimestampTz: return 8;
    case TypeId::kHugeint:
    case TypeId::kText:
    case TypeId::kBlob:
    case TypeId::kUuid:
    case TypeId::kInterval:
    case TypeId::kList: return 16;
    case TypeId::kDecimal: return type.width <= 4 ? 2 : type.width <= 9 ? 4 : type.width <= 18 ? 8 : 16;
    case TypeId::kStruct: return 0;
  }
  return 0;
}

std::string encode_schema(const Schema& schema) {
  std::string out(1, static_cast<char>(kSchemaFormat));
  encode_fields(out, schema.fields);
  return out;
}

std::optional<Schema> decode_schema(std::string_view bytes) {
  ByteReader in(bytes);
  if (in.le<uint8_t>() != kSchemaFormat) return std::nullopt;
  Schema schema;
  if (!decode_fields(in, schema.fields, 0) || !in.empty()) return std::nullopt;
  return schema;
}

}  // namespace millrace::model
