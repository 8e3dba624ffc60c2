#pragma once

#include <memory>
#include <string_view>

#include "base/result.h"
#include "format/avro_schema.h"
#include "model/column_builder.h"
#include "model/schema.h"

namespace millrace::format {

/// Turns values that were written by one Avro schema (specification 1.12, "Binary Encoding") into rows of declared columns.
///
/// The whole value is read, and refused when it is not what the schema says. Fields without a column are passed over.
///
///   - A field fills the column of exactly its name, case included; where no field has it, the one that has it as an alias.
///   - Columns without a field are NULL.
///   - A record fills the columns by its fields. Anything else fills the only column there is (keys are often a bare string).
///   - Unions are the value of their branch; null is NULL for every type, also a struct.
///   - text takes everything: strings and enums their characters, bytes when they are UTF-8, anything else its JSON
///   (json_write.h;
///     bare, without quotes: `37010`, `12.50`, `2026-01-31`, `{"a":1}`).
///   - boolean takes boolean. Integers take int and long, range checked; float and double every number; decimal every number,
///     rounded half away from zero; decimals with a fraction are refused for integers.
///   - All of these, uuid, dates and times take a string too, by the rules of text.h.
///   - uuid takes the logical type; date `date`; time `time-*`; timestamp and timestamptz `timestamp-*` and `local-timestamp-*`,
///     all in UTC. A bare number is refused: it could be seconds or milliseconds.
///   - blob takes bytes, fixed and strings.
///   - list takes an array, struct a record, nothing else.
///
/// Threading: one thread. Lifetime: texts in the batch point into the value's bytes, or are in the batch's arena.
class AvroDecoder {
 public:
  /// Errors: kResourceExhausted when columns and schema together are too much to be worked out.
  static Result<AvroDecoder> make(std::shared_ptr<const AvroSchema> writer, std::shared_ptr<const model::Schema> columns);
  AvroDecoder(AvroDecoder&&) noexcept;
  AvroDecoder& operator=(AvroDecoder&&) noexcept;
  ~AvroDecoder();

  /// Appends one row to `out`, a builder of the columns, or leaves it as it was.
  /// Errors: kInvalidArgument, such as `field location.postcode: expected integer, got string "abc"`; fault() gives the class.
  Status append(std::string_view value, model::BatchBuilder& out);
  /// The class of the last fault in a word: `type_mismatch`, `not_avro`, ….
  std::string_view fault() const;

 private:
  class Impl;
  explicit AvroDecoder(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

}  // namespace millrace::format
