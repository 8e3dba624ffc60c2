#include "stream/exec/record_decoder.h"

#include "base/bytes.h"
#include "base/check.h"
#include "codec/kafka_record/record_batch.h"
#include "format/json_columns.h"

namespace millrace::stream {
namespace {

using model::ColumnBuilder;
using model::TypeId;

model::Schema make_metadata_columns() {
  model::Type header{TypeId::kStruct, 0, 0, {{"key", {TypeId::kText}}, {"value", {TypeId::kBlob}}}};
  model::Type headers{TypeId::kList, 0, 0, {{"element", header}}};
  return {{{"_key", {TypeId::kText}},
           {"_value", {TypeId::kText}},
           {"_offset", {TypeId::kBigint}},
           {"_partition", {TypeId::kInteger}},
           {"_timestamp", {TypeId::kTimestampTz}},
           {"_headers", headers}}};
}

bool is_metadata(std::string_view name) { return metadata_columns().find(name).has_value(); }

/// Bytes as text: as they are when they are UTF-8, else with U+FFFD for each byte that is not.
void append_bytes_as_text(ColumnBuilder& column, std::string_view bytes) {
  if (is_utf8(bytes)) return column.append_stable_text(bytes);
  std::string text;
  for (size_t i = 0; i < bytes.size();) {
    size_t length = 1;
    while (length <= 4 && i + length <= bytes.size() && !is_utf8(bytes.substr(i, length))) ++length;
    if (length <= 4 && i + length <= bytes.size()) {
      text += bytes.substr(i, length);
      i += length;
    } else {
      text += "\xEF\xBF\xBD";
      ++i;
    }
  }
  column.append_text(text);
}

void append_optional(ColumnBuilder& column, const std::optional<std::string_view>& bytes) {
  if (bytes) {
    append_bytes_as_text(column, *bytes);
  } else {
    column.append_null();
  }
}

void append_headers(ColumnBuilder& column, std::string_view raw) {
  auto headers = codec::kafka_record::decode_headers(raw);
  if (!headers) return column.append_null();
  for (const model::Header& header : *headers) {
    column.child().child(0).append_text(header.key);
    if (header.value) {
      column.child().child(1).append_text(*header.value);
    } else {
      column.child().child(1).append_null();
    }
    column.child().finish_struct();
  }
  column.finish_list(headers->size());
}

void append_metadata(ColumnBuilder& column, std::string_view name, const model::RecordView& record, model::Partition partition) {
  if (name == "_key") return append_optional(column, record.key);
  if (name == "_value") return append_optional(column, record.value);
  if (name == "_offset") return column.append(record.offset.value);
  if (name == "_partition") return column.append(partition.value);
  if (name == "_timestamp") return column.append(record.timestamp_ms * 1000);
  append_headers(column, record.raw_headers);
}

class JsonValues : public port::ValueDecoder {
 public:
  explicit JsonValues(std::shared_ptr<const model::Schema> columns) : decoder_(make(std::move(columns))) {}
  Status append(std::string_view value, model::BatchBuilder& out) override { return decoder_.append(value, out); }
  std::string_view fault() const override { return format::fault_name(decoder_.last_fault()); }

 private:
  static format::JsonDecoder make(std::shared_ptr<const model::Schema> columns) {
    auto made = format::JsonDecoder::make(std::move(columns));
    CHECK(made.has_value(), "a schema that was accepted can be decoded");
    return std::move(*made);
  }
  format::JsonDecoder decoder_;
};

}  // namespace

const model::Schema& metadata_columns() {
  static const model::Schema columns = make_metadata_columns();
  return columns;
}

std::shared_ptr<const model::Schema> value_columns(const model::Schema& columns) {
  auto of_value = std::make_shared<model::Schema>();
  for (const model::Field& field : columns.fields) {
    if (is_metadata(field.name)) break;
    of_value->fields.push_back(field);
  }
  return of_value;
}

RecordDecoder::RecordDecoder(std::shared_ptr<const model::Schema> columns) : RecordDecoder(std::move(columns), nullptr) {}

RecordDecoder::RecordDecoder(std::shared_ptr<const model::Schema> columns, std::unique_ptr<port::ValueDecoder> values)
    : columns_(std::move(columns)), values_(std::move(values)) {
  auto of_value = value_columns(*columns_);
  record_columns_ = of_value->fields.size();
  if (record_columns_ == 0) {
    values_ = nullptr;
  } else if (values_ == nullptr) {
    values_ = std::make_unique<JsonValues>(std::move(of_value));
  }
}

RecordDecoder::~RecordDecoder() = default;

Result<std::optional<RecordFault>> RecordDecoder::append(const model::RecordView& record, model::Partition partition,
                                                         model::BatchBuilder& out) {
  if (values_ != nullptr && record.value) {
    if (Status done = values_->append(*record.value, out); !done) {
      if (done.error().code != Errc::kInvalidArgument) return fail(std::move(done.error()));
      return RecordFault{"decode", std::string(values_->fault()), std::move(done.error().message)};
    }
  } else {
    for (size_t i = 0; i < record_columns_; ++i) out.column(i).append_null();
  }
  for (size_t i = record_columns_; i < columns_->fields.size(); ++i)
    append_metadata(out.column(i), columns_->fields[i].name, record, partition);
  if (columns_->fields.empty()) out.add_row_without_columns();
  return std::nullopt;
}

}  // namespace millrace::stream
