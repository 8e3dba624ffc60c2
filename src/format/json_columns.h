#pragma once

#include <cstdint>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "format/json_fault.h"
#include "model/column_builder.h"
#include "model/schema.h"

namespace millrace::format {

/// Which parts of a row somebody will look at: a tree beside the schema's fields. A list is one with its element.
struct Needed {
  bool any = true;             // something of it is needed
  std::vector<Needed> fields;  // one for each field of a struct or a row; empty: all of them, if any

  static Needed all() { return {}; }
  static Needed none() { return {.any = false}; }
  /// What the paths name, such as {"location", "city"}: a path that ends early needs all below it, names compare without case,
  /// list elements are passed through. Names that the schema lacks are left out.
  static Needed of(const model::Schema& schema, std::span<const std::vector<std::string>> paths);
};

inline constexpr int kJsonDepthMax = 128;
inline constexpr size_t kJsonBytesMax = size_t{1} << 30;

/// Turns JSON objects into rows of a schema, in one pass over the positions that simdjson's first stage finds.
///
/// A record is JSON or it is not, whatever is needed of it: the whole text is checked (RFC 8259, UTF-8, depth 128). Types are
/// checked only where they are needed. Parts that are not needed are NULL.
///
///   - Names match exactly, case included. A name that the schema lacks is passed over. Of equal names the last one counts; the
///   others must
///     fit the type too.
///   - Absent and null are NULL, also for a struct.
///   - text takes everything: a string its characters, anything else its source text (`37010`, `1.50`, `{"a": 1}`).
///   - boolean takes true, false, or a string as in text.h.
///   - Integers take a JSON number without fraction or exponent (1.0 is refused), or a string as in text.h; range checked.
///   - decimal, float and double take numbers and strings; decimals round half away from zero; 1e400 is an error.
///   - uuid, date, time, timestamp and timestamptz take strings only: a number could be seconds or milliseconds.
///   - blob takes a string of base64.
///   - list takes an array, struct an object, nothing else.
///
/// Threading: one thread. Lifetime: texts in the batch point into the record's bytes, which must live as long as the batch
/// (BatchBuilder::keep); texts with escapes are in the batch's arena.
class JsonDecoder {
 public:
  /// kInvalidArgument when the schema nests deeper than kJsonDepthMax.
  static Result<JsonDecoder> make(std::shared_ptr<const model::Schema> schema, const Needed& needed = Needed::all());
  JsonDecoder(JsonDecoder&&) noexcept;
  JsonDecoder& operator=(JsonDecoder&&) noexcept;
  ~JsonDecoder();

  /// Appends one row to `out`, a builder of the same schema, or leaves it as it was.
  /// Errors: kInvalidArgument, such as `field location.postcode: expected integer, got string "abc"`; last_fault() gives the
  /// class.
  Status append(std::string_view json, model::BatchBuilder& out);

  /// What was wrong with the last record; kNone after a success.
  JsonFault last_fault() const;

 private:
  friend Status append_json_as(model::ColumnBuilder& column, std::string_view json);
  class Impl;
  explicit JsonDecoder(std::unique_ptr<Impl> impl);
  std::unique_ptr<Impl> impl_;
};

/// One JSON value as one value of the column, by the same rules; texts are copied. On error the column is as it was.
Status append_json_as(model::ColumnBuilder& column, std::string_view json);

}  // namespace millrace::format
