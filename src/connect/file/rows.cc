#include "connect/file/rows.h"

#include "format/json_write.h"

namespace millrace::connect::file {
namespace {

using model::TypeId;

constexpr std::string_view kLineEnd = "\r\n";

void append_field(std::string& out, std::string_view text) {
  if (!text.empty() && text.find_first_of(",\"\r\n") == std::string_view::npos) {
    out += text;
    return;
  }
  out += '"';
  for (char c : text) {
    if (c == '"') out += '"';
    out += c;
  }
  out += '"';
}

void append_value(std::string& out, const model::Column& column, size_t row) {
  if (column.is_null(row)) return;
  if (column.type->id == TypeId::kText) return append_field(out, column.text(row));
  std::string text;
  if (column.type->id == TypeId::kBlob) {
    format::append_value_text(text, column, row);
  } else {
    format::append_value_json(text, column, row);
    // What JSON has as a string (a uuid, a time, a large number) has no characters that are escaped.
    if (text.starts_with('"')) text = text.substr(1, text.size() - 2);
  }
  append_field(out, text);
}

}  // namespace

std::string_view extension(Format format) {
  switch (format) {
    case Format::kJson: return ".jsonl";
    case Format::kCsv: return ".csv";
    case Format::kParquet: return ".parquet";
  }
  return "";
}

void append_csv_header(std::string& out, const model::Schema& schema) {
  for (size_t i = 0; i < schema.fields.size(); ++i) {
    if (i > 0) out += ',';
    append_field(out, schema.fields[i].name);
  }
  out += kLineEnd;
}

void append_csv_row(std::string& out, const model::ColumnBatch& rows, size_t row) {
  size_t start = out.size();
  for (size_t i = 0; i < rows.columns.size(); ++i) {
    if (i > 0) out += ',';
    append_value(out, rows.columns[i], row);
  }
  // A blank line would be no row, and nothing else tells a lone NULL from it.
  if (out.size() == start) out += "\"\"";
  out += kLineEnd;
}

}  // namespace millrace::connect::file
