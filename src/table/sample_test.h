#pragma once

#include <random>
#include <string>

#include "base/bytes.h"
#include "model/column_builder.h"

/// Rows of every type a column can have, for the tests of this room.
namespace millrace::table {

inline model::Schema sample_schema() {
  using model::Type;
  using model::TypeId;
  model::Schema schema;
  for (uint8_t id = 1; id < static_cast<uint8_t>(TypeId::kInterval); ++id) {
    Type type{static_cast<TypeId>(id)};
    if (type.id == TypeId::kDecimal) continue;
    schema.fields.push_back({"c" + std::to_string(id), type});
  }
  for (uint8_t width : {4, 9, 18, 38}) schema.fields.push_back({"d" + std::to_string(width), {TypeId::kDecimal, width, 2}});
  Type texts{TypeId::kList, 0, 0, {{"element", {TypeId::kText}}}};
  Type place{TypeId::kStruct, 0, 0, {{"street", {TypeId::kText}}, {"number", {TypeId::kInteger}}, {"tags", texts}}};
  schema.fields.push_back({"texts", texts});
  schema.fields.push_back({"place", place});
  schema.fields.push_back({"places", {TypeId::kList, 0, 0, {{"element", place}}}});
  schema.fields.push_back({"lists", {TypeId::kList, 0, 0, {{"element", texts}}}});
  return schema;
}

inline void append_sample(model::ColumnBuilder& column, std::mt19937_64& random) {
  using model::TypeId;
  if (random() % 5 == 0) return column.append_null();
  const model::Type& type = column.type();
  switch (type.id) {
    case TypeId::kText:
    case TypeId::kBlob: return column.append_text(std::string(random() % 40, static_cast<char>('a' + random() % 26)));
    case TypeId::kStruct:
      for (size_t i = 0; i < type.fields.size(); ++i) append_sample(column.child(i), random);
      return column.finish_struct();
    case TypeId::kList: {
      size_t length = random() % 12;
      for (size_t i = 0; i < length; ++i) append_sample(column.child(), random);
      return column.finish_list(length);
    }
    case TypeId::kBoolean: return column.append(static_cast<uint8_t>(random() % 2));
    default: break;
  }
  switch (model::element_size(type)) {
    case 1: return column.append(static_cast<uint8_t>(random()));
    case 2: return column.append(static_cast<uint16_t>(random()));
    case 4: return column.append(static_cast<uint32_t>(random()));
    case 8: return column.append(static_cast<uint64_t>(random()));
    default: return column.append(model::Int128{random(), static_cast<int64_t>(random())});
  }
}

inline model::ColumnBatch sample_batch(size_t rows, uint64_t seed) {
  std::mt19937_64 random(seed);
  model::BatchBuilder builder(std::make_shared<const model::Schema>(sample_schema()));
  for (size_t row = 0; row < rows; ++row) {
    for (size_t i = 0; i < builder.column_count(); ++i) append_sample(builder.column(i), random);
  }
  return std::move(builder).finish();
}

/// A value as text: its bits in hexadecimal, texts as they are.
inline std::string show(const model::Column& column, size_t row) {
  using model::TypeId;
  if (column.is_null(row)) return "NULL";
  std::string out;
  switch (column.type->id) {
    case TypeId::kText:
    case TypeId::kBlob: return "'" + std::string(column.text(row)) + "'";
    case TypeId::kStruct:
      for (const model::Column& child : column.children) out += show(child, row) + ",";
      return "{" + out + "}";
    case TypeId::kList: {
      const auto& list = column.at<model::ListEntry>(row);
      for (size_t i = 0; i < list.length; ++i) out += show(column.children[0], list.offset + i) + ",";
      return "[" + out + "]";
    }
    default: break;
  }
  size_t size = model::element_size(*column.type);
  return to_hex({static_cast<const char*>(column.data) + row * size, size});
}

inline std::string show_row(const model::ColumnBatch& batch, size_t row) {
  std::string out;
  for (const model::Column& column : batch.columns) out += show(column, row) + " ";
  return out;
}

}  // namespace millrace::table
