#include "codec/cql/pairing.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "codec/cql/value.h"

namespace millrace::codec::cql {

using model::TypeId;

namespace {

constexpr uint8_t kDecimalWidth = 38;
constexpr uint8_t kDecimalScale = 18;

std::string lowered(std::string text) {
  for (char& c : text) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return text;
}

model::Type list_of(model::Type element) { return {.id = TypeId::kList, .fields = {{"element", std::move(element)}}}; }

model::Type struct_of(const CqlType& type) {
  model::Type out{.id = TypeId::kStruct};
  const std::vector<std::string> names = sql_field_names(type);
  for (size_t i = 0; i < type.args.size(); ++i) out.fields.push_back({names[i], natural_sql_type(type.args[i])});
  return out;
}

std::optional<CqlTypeId> natural_scalar(TypeId id) {
  switch (id) {
    case TypeId::kBoolean: return CqlTypeId::kBoolean;
    case TypeId::kTinyint: return CqlTypeId::kTinyint;
    case TypeId::kSmallint:
    case TypeId::kUtinyint: return CqlTypeId::kSmallint;
    case TypeId::kInteger:
    case TypeId::kUsmallint: return CqlTypeId::kInt;
    case TypeId::kBigint:
    case TypeId::kUinteger: return CqlTypeId::kBigint;
    case TypeId::kHugeint:
    case TypeId::kUbigint: return CqlTypeId::kVarint;
    case TypeId::kFloat: return CqlTypeId::kFloat;
    case TypeId::kDouble: return CqlTypeId::kDouble;
    case TypeId::kDecimal: return CqlTypeId::kDecimal;
    case TypeId::kText: return CqlTypeId::kText;
    case TypeId::kBlob: return CqlTypeId::kBlob;
    case TypeId::kUuid: return CqlTypeId::kUuid;
    case TypeId::kDate: return CqlTypeId::kDate;
    case TypeId::kTime: return CqlTypeId::kTime;
    case TypeId::kTimestamp:
    case TypeId::kTimestampTz: return CqlTypeId::kTimestamp;
    case TypeId::kInterval: return CqlTypeId::kDuration;
    case TypeId::kList:
    case TypeId::kStruct: return std::nullopt;
  }
  return std::nullopt;
}

std::string writable_integers(TypeId id) {
  std::string out;
  for (CqlTypeId to : {CqlTypeId::kTinyint, CqlTypeId::kSmallint, CqlTypeId::kInt, CqlTypeId::kBigint}) {
    if (integer_bits(id) <= 8 * integer_bytes(to)) out += to_cql({.id = to}) + ", ";
  }
  return out + "varint or decimal";
}

}  // namespace

size_t integer_bytes(CqlTypeId id) {
  switch (id) {
    case CqlTypeId::kTinyint: return 1;
    case CqlTypeId::kSmallint: return 2;
    case CqlTypeId::kInt: return 4;
    case CqlTypeId::kBigint:
    case CqlTypeId::kCounter: return 8;
    default: return 0;
  }
}

size_t integer_bits(TypeId id) {
  switch (id) {
    case TypeId::kTinyint: return 8;
    case TypeId::kUtinyint: return 9;
    case TypeId::kSmallint: return 16;
    case TypeId::kUsmallint: return 17;
    case TypeId::kInteger: return 32;
    case TypeId::kUinteger: return 33;
    case TypeId::kBigint: return 64;
    case TypeId::kUbigint: return 65;
    case TypeId::kHugeint: return 128;
    default: return 0;
  }
}

bool is_list_like(CqlTypeId id) { return id == CqlTypeId::kList || id == CqlTypeId::kSet || id == CqlTypeId::kVector; }

size_t vector_element_bytes(const CqlType& element) {
  switch (element.id) {
    case CqlTypeId::kBoolean: return 1;
    case CqlTypeId::kInt:
    case CqlTypeId::kFloat: return 4;
    case CqlTypeId::kBigint:
    case CqlTypeId::kDouble:
    case CqlTypeId::kTimestamp: return 8;
    case CqlTypeId::kUuid:
    case CqlTypeId::kTimeuuid: return 16;
    case CqlTypeId::kVector: {
      size_t bytes;  // no value has as many as do not fit
      return __builtin_mul_overflow(vector_element_bytes(element.args.at(0)), element.dimension, &bytes) ? SIZE_MAX : bytes;
    }
    default: return 0;
  }
}

std::vector<std::string> sql_field_names(const CqlType& type) {
  std::vector<std::string> names;
  std::set<std::string> taken;
  for (size_t i = 0; i < type.args.size(); ++i) {
    const std::string name = type.id == CqlTypeId::kUdt ? type.field_names.at(i) : fmt::format("field{}", i + 1);
    std::string unique = name;
    for (int n = 2; !taken.insert(lowered(unique)).second; ++n) unique = fmt::format("{}_{}", name, n);
    names.push_back(std::move(unique));
  }
  return names;
}

std::string writable_to(const model::Type& from) {
  const std::string who = "a " + to_sql(from) + " can be written to ";
  if (integer_bits(from.id) != 0) return who + writable_integers(from.id);
  switch (from.id) {
    case TypeId::kFloat: return who + "float or double";
    case TypeId::kDecimal: return who + (from.scale == 0 ? "decimal or varint" : "decimal");
    case TypeId::kText: return who + "text, ascii or inet";
    case TypeId::kUuid: return who + "uuid or timeuuid";
    case TypeId::kList: return who + "list, set or vector of what its elements can be written to";
    case TypeId::kStruct: return who + "a user-defined type that has its fields, or a tuple";
    default: return who + std::string(to_cql({.id = *natural_scalar(from.id)}));
  }
}

std::optional<CqlType> natural_cql_type(const model::Type& type) {
  if (auto scalar = natural_scalar(type.id)) return CqlType{.id = *scalar};
  if (type.id != TypeId::kList) return std::nullopt;
  auto element = natural_cql_type(type.fields.at(0).type);
  if (!element) return std::nullopt;
  CqlType list{.id = CqlTypeId::kList, .frozen = true};
  list.args.push_back(std::move(*element));
  return list;
}

model::Type natural_sql_type(const CqlType& type) {
  switch (type.id) {
    case CqlTypeId::kAscii:
    case CqlTypeId::kInet:
    case CqlTypeId::kText: return {.id = TypeId::kText};
    case CqlTypeId::kBigint:
    case CqlTypeId::kCounter: return {.id = TypeId::kBigint};
    case CqlTypeId::kBoolean: return {.id = TypeId::kBoolean};
    case CqlTypeId::kDecimal: return {.id = TypeId::kDecimal, .width = kDecimalWidth, .scale = kDecimalScale};
    case CqlTypeId::kDouble: return {.id = TypeId::kDouble};
    case CqlTypeId::kFloat: return {.id = TypeId::kFloat};
    case CqlTypeId::kInt: return {.id = TypeId::kInteger};
    case CqlTypeId::kTimestamp: return {.id = TypeId::kTimestampTz};
    case CqlTypeId::kUuid:
    case CqlTypeId::kTimeuuid: return {.id = TypeId::kUuid};
    case CqlTypeId::kVarint: return {.id = TypeId::kHugeint};
    case CqlTypeId::kDate: return {.id = TypeId::kDate};
    case CqlTypeId::kTime: return {.id = TypeId::kTime};
    case CqlTypeId::kSmallint: return {.id = TypeId::kSmallint};
    case CqlTypeId::kTinyint: return {.id = TypeId::kTinyint};
    case CqlTypeId::kDuration: return {.id = TypeId::kInterval};
    case CqlTypeId::kList:
    case CqlTypeId::kSet:
    case CqlTypeId::kVector: return list_of(natural_sql_type(type.args.at(0)));
    case CqlTypeId::kMap:
      return list_of({.id = TypeId::kStruct,
                      .fields = {{"key", natural_sql_type(type.args.at(0))}, {"value", natural_sql_type(type.args.at(1))}}});
    case CqlTypeId::kUdt:
    case CqlTypeId::kTuple:
      if (!type.args.empty()) return struct_of(type);
      break;
    case CqlTypeId::kBlob:
    case CqlTypeId::kCustom: break;
  }
  return {.id = TypeId::kBlob};
}

}  // namespace millrace::codec::cql
