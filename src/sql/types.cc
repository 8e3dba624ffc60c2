#include "sql/types.h"

#include <fmt/format.h>

#include <string>
#include <vector>

namespace millrace::sql {
namespace {

using model::Type;
using model::TypeId;

struct Pair {
  duckdb_type duckdb;
  TypeId id;
};
constexpr Pair kPlain[] = {
    {DUCKDB_TYPE_BOOLEAN, TypeId::kBoolean},
    {DUCKDB_TYPE_TINYINT, TypeId::kTinyint},
    {DUCKDB_TYPE_SMALLINT, TypeId::kSmallint},
    {DUCKDB_TYPE_INTEGER, TypeId::kInteger},
    {DUCKDB_TYPE_BIGINT, TypeId::kBigint},
    {DUCKDB_TYPE_HUGEINT, TypeId::kHugeint},
    {DUCKDB_TYPE_UTINYINT, TypeId::kUtinyint},
    {DUCKDB_TYPE_USMALLINT, TypeId::kUsmallint},
    {DUCKDB_TYPE_UINTEGER, TypeId::kUinteger},
    {DUCKDB_TYPE_UBIGINT, TypeId::kUbigint},
    {DUCKDB_TYPE_FLOAT, TypeId::kFloat},
    {DUCKDB_TYPE_DOUBLE, TypeId::kDouble},
    {DUCKDB_TYPE_VARCHAR, TypeId::kText},
    {DUCKDB_TYPE_BLOB, TypeId::kBlob},
    {DUCKDB_TYPE_UUID, TypeId::kUuid},
    {DUCKDB_TYPE_DATE, TypeId::kDate},
    {DUCKDB_TYPE_TIME, TypeId::kTime},
    {DUCKDB_TYPE_TIMESTAMP, TypeId::kTimestamp},
    {DUCKDB_TYPE_TIMESTAMP_TZ, TypeId::kTimestampTz},
    {DUCKDB_TYPE_INTERVAL, TypeId::kInterval},
};

struct Foreign {
  duckdb_type duckdb;
  const char* name;
  const char* remedy;
};
constexpr Foreign kForeign[] = {
    {DUCKDB_TYPE_UHUGEINT, "UHUGEINT", "HUGEINT or DECIMAL(38,0)"},
    {DUCKDB_TYPE_BIGNUM, "BIGNUM", "DECIMAL(38,0) or text"},
    {DUCKDB_TYPE_TIMESTAMP_S, "TIMESTAMP_S", "TIMESTAMP"},
    {DUCKDB_TYPE_TIMESTAMP_MS, "TIMESTAMP_MS", "TIMESTAMP"},
    {DUCKDB_TYPE_TIMESTAMP_NS, "TIMESTAMP_NS", "TIMESTAMP (microseconds)"},
    {DUCKDB_TYPE_TIME_TZ, "TIME WITH TIME ZONE", "TIME or TIMESTAMPTZ"},
    {DUCKDB_TYPE_TIME_NS, "TIME_NS", "TIME (microseconds)"},
    {DUCKDB_TYPE_ENUM, "ENUM", "text"},
    {DUCKDB_TYPE_MAP, "MAP", "STRUCT(key …, value …)[]"},
    {DUCKDB_TYPE_UNION, "UNION", "a STRUCT with one field for each member"},
    {DUCKDB_TYPE_ARRAY, "ARRAY", "a list without length: T[]"},
    {DUCKDB_TYPE_BIT, "BIT", "text or blob"},
};

Result<Type> from_struct(duckdb_logical_type type) {
  Type out{TypeId::kStruct, 0, 0, {}};
  idx_t count = duckdb_struct_type_child_count(type);
  for (idx_t i = 0; i < count; ++i) {
    char* name = duckdb_struct_type_child_name(type, i);
    model::Field field{name, {}};
    duckdb_free(name);
    LogicalType child(duckdb_struct_type_child_type(type, i));
    auto field_type = from_duckdb(child.get());
    if (!field_type) return fail(at("field " + model::quote_identifier(field.name), std::move(field_type.error())));
    if (field.name.empty()) {
      return fail(Errc::kUnimplemented, "a STRUCT without field names has no place here",
                  "name its fields: {'a': …} or struct_pack(a := …)");
    }
    field.type = std::move(*field_type);
    out.fields.push_back(std::move(field));
  }
  return out;
}

}  // namespace

LogicalType to_duckdb(const Type& type) {
  for (const Pair& pair : kPlain) {
    if (pair.id == type.id) return LogicalType(duckdb_create_logical_type(pair.duckdb));
  }
  if (type.id == TypeId::kDecimal) return LogicalType(duckdb_create_decimal_type(type.width, type.scale));
  if (type.id == TypeId::kList) {
    LogicalType element = to_duckdb(type.fields.at(0).type);
    return LogicalType(duckdb_create_list_type(element.get()));
  }
  std::vector<LogicalType> owned;
  std::vector<duckdb_logical_type> types;
  std::vector<const char*> names;
  for (const model::Field& field : type.fields) {
    owned.push_back(to_duckdb(field.type));
    types.push_back(owned.back().get());
    names.push_back(field.name.c_str());
  }
  return LogicalType(duckdb_create_struct_type(types.data(), names.data(), types.size()));
}

Result<Type> from_duckdb(duckdb_logical_type type) {
  duckdb_type id = duckdb_get_type_id(type);
  for (const Pair& pair : kPlain) {
    if (pair.duckdb == id) return Type{pair.id, 0, 0, {}};
  }
  if (id == DUCKDB_TYPE_DECIMAL) return Type{TypeId::kDecimal, duckdb_decimal_width(type), duckdb_decimal_scale(type), {}};
  if (id == DUCKDB_TYPE_STRUCT) return from_struct(type);
  if (id == DUCKDB_TYPE_LIST) {
    LogicalType child(duckdb_list_type_child_type(type));
    TRY(Type element, from_duckdb(child.get()));
    return Type{TypeId::kList, 0, 0, {{"element", std::move(element)}}};
  }
  for (const Foreign& foreign : kForeign) {
    if (foreign.duckdb == id) {
      return fail(Errc::kUnimplemented,
                  fmt::format("the type {} is not supported; the nearest is {}", foreign.name, foreign.remedy));
    }
  }
  return fail(
      Errc::kUnimplemented,
      fmt::format("DuckDB's type number {} is not supported; cast it to a type of the documentation", static_cast<int>(id)));
}

}  // namespace millrace::sql
