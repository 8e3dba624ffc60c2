#include "model/select.h"

#include "base/check.h"

namespace millrace::model {

void append_value(ColumnBuilder& to, const Column& from, size_t row) {
  if (from.is_null(row)) {
    to.append_null();
    return;
  }
  switch (element_size(*from.type)) {
    case 0:
      for (size_t i = 0; i < from.children.size(); ++i) append_value(to.child(i), from.children[i], row);
      to.finish_struct();
      return;
    case 1: to.append(from.at<uint8_t>(row)); return;
    case 2: to.append(from.at<uint16_t>(row)); return;
    case 4: to.append(from.at<uint32_t>(row)); return;
    case 8: to.append(from.at<uint64_t>(row)); return;
    case 16: break;
    default: CHECK(false, "an element size that no type has");
  }
  if (from.type->id == TypeId::kList) {
    ListEntry entry = from.at<ListEntry>(row);
    for (uint64_t i = 0; i < entry.length; ++i) append_value(to.child(), from.children[0], entry.offset + i);
    to.finish_list(entry.length);
  } else if (from.type->id == TypeId::kText || from.type->id == TypeId::kBlob) {
    to.append(from.at<StringRef>(row));
  } else {
    to.append(from.at<Int128>(row));
  }
}

ColumnBatch select_rows(const ColumnBatch& batch, std::span<const uint32_t> rows) {
  BatchBuilder builder(batch.schema);
  builder.keep(batch.owner);
  for (size_t i = 0; i < batch.columns.size(); ++i) {
    builder.column(i).reserve(rows.size());
    for (uint32_t row : rows) append_value(builder.column(i), batch.columns[i], row);
  }
  if (batch.columns.empty()) {
    for (size_t i = 0; i < rows.size(); ++i) builder.add_row_without_columns();
  }
  return std::move(builder).finish();
}

ColumnBatch concat(std::span<const ColumnBatch> batches) {
  CHECK(!batches.empty(), "the schema comes from the first batch");
  BatchBuilder builder(batches[0].schema);
  for (const ColumnBatch& batch : batches) {
    builder.keep(batch.owner);
    for (size_t i = 0; i < batch.columns.size(); ++i) {
      for (size_t row = 0; row < batch.rows; ++row) append_value(builder.column(i), batch.columns[i], row);
    }
    if (batch.columns.empty()) {
      for (size_t row = 0; row < batch.rows; ++row) builder.add_row_without_columns();
    }
  }
  return std::move(builder).finish();
}

}  // namespace millrace::model
