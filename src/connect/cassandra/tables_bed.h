#pragma once

#include <gtest/gtest.h>

#include <cstdlib>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "connect/cassandra/tables.h"
#include "format/json_write.h"
#include "format/text.h"
#include "model/column_builder.h"

/// What tests of tables share: rows from texts, rows as JSON.
namespace millrace::connect::cassandra {

using Cells = std::vector<std::optional<std::string>>;

inline model::ColumnBatch batch_of(const model::Schema& schema, const std::vector<Cells>& rows) {
  model::BatchBuilder builder(std::make_shared<model::Schema>(schema));
  for (const Cells& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) {
      if (!row[i]) {
        builder.column(i).append_null();
        continue;
      }
      Status read = format::append_text_as(builder.column(i), *row[i]);
      EXPECT_TRUE(read) << schema.fields[i].name << ": " << (read ? "" : read.error().message);
    }
  }
  return std::move(builder).finish();
}

inline std::vector<std::string> as_json(const model::ColumnBatch& batch) {
  std::vector<std::string> rows;
  for (size_t i = 0; i < batch.rows; ++i) {
    rows.emplace_back();
    format::append_row_json(rows.back(), batch, i);
  }
  return rows;
}

inline Result<std::vector<std::string>> read_rows(port::Relation& relation, const port::ScanRequest& request) {
  TRY(auto scan, relation.scan(request));
  std::vector<std::string> rows;
  while (true) {
    TRY(model::ColumnBatch batch, scan->next());
    if (batch.rows == 0) return rows;
    for (std::string& row : as_json(batch)) rows.push_back(std::move(row));
  }
}

inline port::ScanRequest all_columns(const model::Schema& schema) {
  port::ScanRequest request;
  for (size_t i = 0; i < schema.fields.size(); ++i) request.columns.push_back(i);
  return request;
}

inline model::Type type_of(model::TypeId id) { return {id, 0, 0, {}}; }
inline model::Type decimal_of(uint8_t width, uint8_t scale) { return {model::TypeId::kDecimal, width, scale, {}}; }
inline model::Type list_of(model::Type element) { return {model::TypeId::kList, 0, 0, {{"element", std::move(element)}}}; }
inline model::Type struct_of(std::vector<model::Field> fields) { return {model::TypeId::kStruct, 0, 0, std::move(fields)}; }

}  // namespace millrace::connect::cassandra
