#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "model/column_builder.h"
#include "model/record.h"
#include "port/value_codec.h"

namespace millrace::stream {

/// Why a record did not become a row, in the words of a dead letter.
struct RecordFault {
  std::string stage;  // decode, contract, sql, key
  std::string code;
  std::string message;
};

/// The columns every topic has beside those of its schema: _key, _value, _offset, _partition, _timestamp, _headers.
/// _key and _value are text with what is no UTF-8 replaced by U+FFFD.
const model::Schema& metadata_columns();

/// The columns in front of the first metadata column: those that come from a record's value.
std::shared_ptr<const model::Schema> value_columns(const model::Schema& columns);

/// Turns records into rows: the columns of the record's value first, then metadata columns, each by its name.
/// A record whose value is null has NULL in every column of the first kind. Threading: one thread.
class RecordDecoder {
 public:
  /// `columns`: what a row has. Fields that are named as a metadata column stand behind all others. The value is a JSON object.
  explicit RecordDecoder(std::shared_ptr<const model::Schema> columns);
  /// `values` reads the value into value_columns(columns); null: JSON.
  RecordDecoder(std::shared_ptr<const model::Schema> columns, std::unique_ptr<port::ValueDecoder> values);
  ~RecordDecoder();

  const std::shared_ptr<const model::Schema>& columns() const { return columns_; }
  /// Appends one row, or nothing and says why. The record's bytes outlive the batch (BatchBuilder::keep).
  /// Errors, with nothing appended, are no fault of the record: kUnavailable, kPermissionDenied (the schema cannot be asked for).
  Result<std::optional<RecordFault>> append(const model::RecordView& record, model::Partition partition,
                                            model::BatchBuilder& out);

 private:
  std::shared_ptr<const model::Schema> columns_;
  size_t record_columns_;
  std::unique_ptr<port::ValueDecoder> values_;  // null when no column comes from the value
};

}  // namespace millrace::stream
