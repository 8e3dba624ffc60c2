#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "format/avro_schema.h"
#include "model/column.h"
#include "model/schema.h"

namespace millrace::format {

/// The Avro schema of rows of these columns: a record of the full name `name`, each field a union of null (the default) and
///   boolean: boolean    tinyint smallint integer utinyint usmallint: int    uinteger bigint: long    float    double
///   ubigint hugeint: decimal of bytes, 20 and 39 digits    decimal: decimal of bytes    text: string    blob: bytes
///   uuid: string uuid    date: date    time: time-micros    timestamp: local-timestamp-micros    timestamptz: timestamp-micros
///   list: array, its items nullable    struct: record, its name those of the fields on the way to it joined by `_`
/// Errors: kInvalidArgument for a column that has no Avro name or type, naming it.
Result<std::string> derive_avro_schema(const model::Schema& columns, std::string_view name);
/// `text` with what an Avro name cannot hold replaced by `_`.
std::string make_avro_name(std::string_view text);

/// Writes rows by an Avro schema, derived or somebody else's. Threading: one thread.
class AvroEncoder {
 public:
  /// Pairs columns and the schema's fields by name, case included (or by alias). A field without a column is written as its
  /// default. Columns fit what derive_avro_schema says, and also: integers a wider number or decimal, decimals one of the same
  /// scale and no fewer digits, text an enum, blob and uuid a fixed, every time its other units.
  /// Errors: kFailedPrecondition names the column or field that does not fit.
  static Result<AvroEncoder> make(std::shared_ptr<const AvroSchema> schema, std::shared_ptr<const model::Schema> columns);
  AvroEncoder(AvroEncoder&&) noexcept;
  AvroEncoder& operator=(AvroEncoder&&) noexcept;
  ~AvroEncoder();

  /// Appends the row's bytes, or leaves `out` as it was. Errors: kInvalidArgument for a value that the schema cannot hold, such
  /// as `field age: NULL, which the Avro schema does not allow`.
  Status append(std::string& out, const model::ColumnBatch& rows, size_t row);

 private:
  class Impl;
  explicit AvroEncoder(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace millrace::format
