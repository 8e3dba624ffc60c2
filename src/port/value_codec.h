#pragma once

#include <memory>
#include <string>
#include <string_view>

#include "base/result.h"
#include "model/column.h"
#include "model/column_builder.h"
#include "model/schema.h"

namespace millrace::port {

/// Turns the value (or key) of a record into a row. Threading: one thread.
class ValueDecoder {
 public:
  virtual ~ValueDecoder() = default;
  /// Appends one row to `out`, a builder of the decoder's columns, or leaves it as it was. Texts in the batch may point into
  /// `value`. Errors: kInvalidArgument for a fault of the record, fault() gives its class; kUnavailable when the schema cannot be
  /// asked for now: the record is not to blame.
  virtual Status append(std::string_view value, model::BatchBuilder& out) = 0;
  /// The class of the last fault in a word, for the code of a dead letter.
  virtual std::string_view fault() const = 0;
};

/// Writes rows as values (or keys) of records. Threading: one thread.
class ValueEncoder {
 public:
  virtual ~ValueEncoder() = default;
  /// Appends the row's bytes to `out`. Errors: kInvalidArgument when the row does not fit the schema that is registered.
  virtual Status append(std::string& out, const model::ColumnBatch& rows, size_t row) = 0;
};

enum class ValueFormat { kJson, kAvro, kJsonSchema };

/// Values whose schemas are kept elsewhere: a schema registry. Threading: any thread.
class SchemaRegistry {
 public:
  virtual ~SchemaRegistry() = default;
  /// Reads whatever is registered, Avro or JSON Schema by what each value names, into `columns`.
  virtual Result<std::unique_ptr<ValueDecoder>> decoder(const std::string& topic, bool of_key,
                                                        std::shared_ptr<const model::Schema> columns) = 0;
  /// Registers the schema for `columns` under the topic's subject, or finds it there. kFailedPrecondition when the registry says
  /// that it is not compatible with what is there, with the registry's words.
  virtual Result<std::unique_ptr<ValueEncoder>> encoder(const std::string& topic, bool of_key, ValueFormat format,
                                                        std::shared_ptr<const model::Schema> columns) = 0;
};

}  // namespace millrace::port
