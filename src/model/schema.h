#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace millrace::model {

/// The SQL types a column can have. The numbers are written into row and schema formats: never renumber.
enum class TypeId : uint8_t {
  kBoolean = 1,
  kTinyint = 2,
  kSmallint = 3,
  kInteger = 4,
  kBigint = 5,
  kHugeint = 6,
  kUtinyint = 7,
  kUsmallint = 8,
  kUinteger = 9,
  kUbigint = 10,
  kFloat = 11,
  kDouble = 12,
  kDecimal = 13,  // width and scale
  kText = 14,
  kBlob = 15,
  kUuid = 16,
  kDate = 17,
  kTime = 18,
  kTimestamp = 19,    // without zone
  kTimestampTz = 20,  // an instant
  kInterval = 21,     // results of `sql` only, never a stored column
  kList = 22,         // fields[0] is the element
  kStruct = 23,       // fields by name
};

struct Field;

struct Type {
  TypeId id = TypeId::kText;
  uint8_t width = 0;  // decimal: digits in all
  uint8_t scale = 0;  // decimal: digits after the point
  std::vector<Field> fields;

  friend bool operator==(const Type&, const Type&);
};

struct Field {
  std::string name;
  Type type;

  friend bool operator==(const Field&, const Field&) = default;
};

inline bool operator==(const Type& a, const Type& b) {
  return a.id == b.id && a.width == b.width && a.scale == b.scale && a.fields == b.fields;
}

struct Schema {
  std::vector<Field> fields;

  /// Names compare without case, as in SQL.
  std::optional<size_t> find(std::string_view name) const;
  friend bool operator==(const Schema&, const Schema&) = default;
};

/// SQL names compare without case (ASCII).
bool same_name(std::string_view a, std::string_view b);

/// The type as DuckDB writes it: `STRUCT("first" VARCHAR, "last" VARCHAR)`, `DECIMAL(10,2)`, `VARCHAR[]`, `TIMESTAMP WITH TIME
/// ZONE`.
std::string to_sql(const Type& type);
/// `"name" TYPE, …`: what can stand in CREATE TABLE (…).
std::string to_sql(const Schema& schema);
/// `"name"` with quotes doubled.
std::string quote_identifier(std::string_view name);
/// `'text'` with quotes doubled.
std::string quote_literal(std::string_view text);

/// Bytes of one element in a column's buffer (see column.h); 0 for a struct, which has only children.
size_t element_size(const Type& type);

/// The schema as bytes (format 1: version byte, then name and type of each field) and back; nullopt when the bytes are not
/// that, or nest deeper than 64.
std::string encode_schema(const Schema& schema);
std::optional<Schema> decode_schema(std::string_view bytes);

}  // namespace millrace::model
