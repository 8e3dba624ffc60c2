#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "codec/cql/primitive.h"
#include "codec/cql/type.h"
#include "model/column.h"
#include "model/column_builder.h"
#include "model/schema.h"

/// SQL values (model/column.h) to CQL values and back.
///
/// | SQL | can be written to, the natural one first |
/// |---|---|
/// | boolean | boolean |
/// | tinyint … bigint, unsigned ones, hugeint | the smallest integer type that holds all of it, wider ones, varint, decimal |
/// | float, double | the same, float also to double |
/// | decimal | decimal; with scale 0 also varint |
/// | text | text, ascii (a value with other bytes is refused), inet (so is what is no address) |
/// | blob | blob |
/// | uuid | uuid, timeuuid (refused unless of version 1) |
/// | date, time | date, time |
/// | timestamptz, timestamp (taken as UTC) | timestamp: milliseconds, what is finer is cut off (towards the past) |
/// | interval | duration |
/// | list | list, set, vector of what the element can be written to; list of struct(key, value) also map |
/// | struct | udt (fields by name without case, its other fields null), tuple (by place) |
namespace millrace::codec::cql {

/// The type that CREATE TABLE gives the column: lists frozen. None for a struct (a UDT must be there), also inside a list.
std::optional<CqlType> natural_cql_type(const model::Type& type);
/// The type that a CQL column has in SQL: inet text, varint hugeint, decimal DECIMAL(38,18), counter bigint, set and vector a
/// list, map a list of struct(key, value), udt a struct, tuple a struct(field1, …), custom a blob. Field names that SQL takes as
/// one get `_2`, ….
model::Type natural_sql_type(const CqlType& type);

/// Whether each value of `from` can be written to `to` without loss (see above for those that are refused one by one). Errors:
/// kInvalidArgument: `TIMESTAMP cannot be written to int`, the hint names the types that it can be written to or the CAST.
Status check_writable(const model::Type& from, const CqlType& to);

/// Writes the values of columns of one SQL type as one CQL type. Immutable once made: any thread.
class ValueEncoder {
 public:
  /// Errors: those of check_writable.
  static Result<ValueEncoder> make(const model::Type& from, const CqlType& to);

  /// Appends the [value] of the row (length and bytes, or null) to `out`. Errors: kInvalidArgument for a value that the type
  /// cannot hold (NULL in a collection, an infinite timestamp, text that is not ascii …); `out` is then as before.
  Status append(std::string& out, const model::Column& column, size_t row) const;

 private:
  struct Plan;
  explicit ValueEncoder(std::shared_ptr<const Plan> plan) : plan_(std::move(plan)) {}
  friend struct EncodePlanner;
  std::shared_ptr<const Plan> plan_;
};

/// Reads values of one CQL type into columns of one SQL type. Immutable once made: any thread.
class ValueDecoder {
 public:
  /// Errors: kInvalidArgument when the pair is not natural_sql_type's, the reverse of one above, or integer to integer.
  static Result<ValueDecoder> make(const CqlType& from, const model::Type& to);

  /// Appends one row to `column`, whose texts are copied. Null and, for types other than text and blob, no bytes at all are NULL.
  /// Errors: kCorruption (bytes that are no such value), kInvalidArgument (a value that the SQL type cannot hold); `column` is
  /// then as before.
  Status append(const Value& value, model::ColumnBuilder& column) const;

 private:
  struct Plan;
  explicit ValueDecoder(std::shared_ptr<const Plan> plan) : plan_(std::move(plan)) {}
  friend struct DecodePlanner;
  std::shared_ptr<const Plan> plan_;
};

}  // namespace millrace::codec::cql
