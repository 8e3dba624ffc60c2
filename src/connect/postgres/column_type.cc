#include "connect/postgres/column_type.h"

#include <fmt/format.h>

#include <algorithm>
#include <span>

namespace millrace::connect::postgres {
namespace {

using model::TypeId;
using Names = std::span<const std::string_view>;

/// The types of the server that hold every value of ours; the first is what we create, and what we read.
Names homes(TypeId id) {
  static constexpr std::string_view kSmall[] = {"smallint", "integer", "bigint", "numeric"},
                                    kInteger[] = {"integer", "bigint", "numeric"}, kBigint[] = {"bigint", "numeric"},
                                    kNumeric[] = {"numeric"}, kBoolean[] = {"boolean"}, kReal[] = {"real", "double precision"},
                                    kDouble[] = {"double precision"},
                                    kText[] = {"text", "character varying", "character", "citext", "json", "jsonb"},
                                    kBytea[] = {"bytea"}, kUuid[] = {"uuid"}, kDate[] = {"date"},
                                    kTime[] = {"time without time zone"}, kTimestamp[] = {"timestamp without time zone"},
                                    kInstant[] = {"timestamp with time zone"}, kInterval[] = {"interval"},
                                    kJson[] = {"jsonb", "json"};
  switch (id) {
    case TypeId::kBoolean: return kBoolean;
    case TypeId::kTinyint:
    case TypeId::kSmallint:
    case TypeId::kUtinyint: return kSmall;
    case TypeId::kInteger:
    case TypeId::kUsmallint: return kInteger;
    case TypeId::kBigint:
    case TypeId::kUinteger: return kBigint;
    case TypeId::kHugeint:
    case TypeId::kUbigint:
    case TypeId::kDecimal: return kNumeric;
    case TypeId::kFloat: return kReal;
    case TypeId::kDouble: return kDouble;
    case TypeId::kText: return kText;
    case TypeId::kBlob: return kBytea;
    case TypeId::kUuid: return kUuid;
    case TypeId::kDate: return kDate;
    case TypeId::kTime: return kTime;
    case TypeId::kTimestamp: return kTimestamp;
    case TypeId::kTimestampTz: return kInstant;
    case TypeId::kInterval: return kInterval;
    case TypeId::kList:
    case TypeId::kStruct: return kJson;
  }
  return {};
}

/// Digits before the point, and after it, that a numeric must have room for.
std::pair<int, int> digits_of(const model::Type& type) {
  switch (type.id) {
    case TypeId::kDecimal: return {type.width - type.scale, type.scale};
    case TypeId::kTinyint:
    case TypeId::kUtinyint: return {3, 0};
    case TypeId::kSmallint:
    case TypeId::kUsmallint: return {5, 0};
    case TypeId::kInteger:
    case TypeId::kUinteger: return {10, 0};
    case TypeId::kBigint: return {19, 0};
    case TypeId::kUbigint: return {20, 0};
    default: return {39, 0};
  }
}

}  // namespace

Shape shape_of(const model::Type& type) {
  if (type.id == TypeId::kStruct) return Shape::kJson;
  if (type.id != TypeId::kList) return Shape::kScalar;
  return shape_of(type.fields[0].type) == Shape::kScalar ? Shape::kArray : Shape::kJson;
}

std::string ddl_type(const model::Type& type) {
  if (shape_of(type) == Shape::kArray) return ddl_type(type.fields[0].type) + "[]";
  if (type.id == TypeId::kDecimal) return fmt::format("numeric({},{})", type.width, type.scale);
  return std::string(homes(type.id).front());
}

bool fits(const model::Type& type, const ServerType& server) {
  if (shape_of(type) == Shape::kArray) {
    if (!server.name.ends_with("[]")) return false;
    ServerType element = server;
    element.name.resize(server.name.size() - 2);
    return fits(type.fields[0].type, element);
  }
  Names names = homes(type.id);
  if (server.is_enum) return type.id == TypeId::kText;
  if (std::find(names.begin(), names.end(), server.name) == names.end()) return false;
  if (server.name != "numeric" || server.width == 0) return true;
  auto [whole, fraction] = digits_of(type);
  return server.width - server.scale >= whole && server.scale >= fraction;
}

std::string select_as(const std::string& quoted_column, const model::Type& type) {
  Shape shape = shape_of(type);
  if (shape == Shape::kJson) return quoted_column + "::text";
  const model::Type& scalar = shape == Shape::kArray ? type.fields[0].type : type;
  return fmt::format("{}::{}{}", quoted_column, homes(scalar.id).front(), shape == Shape::kArray ? "[]" : "");
}

}  // namespace millrace::connect::postgres
