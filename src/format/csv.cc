#include "format/csv.h"

#include <fmt/format.h>

#include <algorithm>
#include <string>
#include <vector>

#include "base/bytes.h"
#include "format/json_tokens.h"
#include "format/text.h"

namespace millrace::format {
namespace {

struct CsvField {
  std::string text;
  bool quoted = false;
};

/// Cuts CSV text into records.
class Splitter {
 public:
  Splitter(std::string_view text, const CsvLimits& limits) : rest_(text), limits_(limits) {
    constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
    if (rest_.starts_with(kByteOrderMark)) rest_.remove_prefix(kByteOrderMark.size());
  }

  /// The line on which the last record began, from 1.
  size_t line() const { return record_line_; }

  /// The next record that is not a blank line; false at the end.
  Result<bool> next(std::vector<CsvField>& fields) {
    while (end_of_line()) {
    }
    record_line_ = line_;
    fields.clear();
    if (rest_.empty()) return false;
    do {
      if (fields.size() == limits_.columns_max)
        return fail(Errc::kResourceExhausted, fmt::format("more than {} fields", limits_.columns_max));
      CsvField& field = fields.emplace_back();
      TRY_DO(rest_.starts_with('"') ? read_quoted(field) : read_bare(field));
    } while (take(','));
    if (!rest_.empty() && !end_of_line())
      return fail(Errc::kInvalidArgument, "a comma or the end of the line is expected behind a quoted field");
    return true;
  }

 private:
  bool take(char c) {
    if (!rest_.starts_with(c)) return false;
    rest_.remove_prefix(1);
    return true;
  }
  bool end_of_line() {
    if (!rest_.starts_with('\n') && !rest_.starts_with("\r\n")) return false;
    rest_.remove_prefix(rest_[0] == '\r' ? 2 : 1);
    ++line_;
    return true;
  }

  Status add(CsvField& field, std::string_view piece) {
    if (piece.size() > limits_.field_bytes_max - field.text.size()) {
      return fail(Errc::kResourceExhausted, fmt::format("a field of more than {} bytes", limits_.field_bytes_max));
    }
    field.text += piece;
    return {};
  }

  Status read_bare(CsvField& field) {
    size_t size = std::min(rest_.find_first_of(",\r\n\""), rest_.size());
    TRY_DO(add(field, rest_.substr(0, size)));
    rest_.remove_prefix(size);
    if (rest_.starts_with('"'))
      return fail(Errc::kInvalidArgument, "a quote inside a field without quotes",
                  "put the whole field in quotes and double its quotes");
    if (rest_.starts_with('\r') && !rest_.starts_with("\r\n"))
      return fail(Errc::kInvalidArgument, "a carriage return without a line feed");
    return {};
  }

  Status read_quoted(CsvField& field) {
    field.quoted = true;
    rest_.remove_prefix(1);
    for (;;) {
      size_t size = rest_.find('"');
      if (size == std::string_view::npos) return fail(Errc::kInvalidArgument, "a quote is not closed");
      std::string_view piece = rest_.substr(0, size);
      TRY_DO(add(field, piece));
      line_ += static_cast<size_t>(std::count(piece.begin(), piece.end(), '\n'));
      rest_.remove_prefix(size + 1);
      if (!take('"')) return {};
      TRY_DO(add(field, "\""));
    }
  }

  std::string_view rest_;
  const CsvLimits& limits_;
  size_t line_ = 1;
  size_t record_line_ = 1;
};

/// For each field of a record the column that it fills.
Result<std::vector<size_t>> read_header(const std::vector<CsvField>& header, const model::Schema& schema) {
  std::vector<size_t> columns;
  for (const CsvField& name : header) {
    auto column = schema.find(name.text);
    if (!column) {
      std::string names;
      for (const model::Field& field : schema.fields) names += (names.empty() ? "" : ", ") + field.name;
      return fail(Errc::kInvalidArgument, fmt::format("column '{}' does not exist", shorten(name.text)),
                  "the columns are " + names);
    }
    if (std::find(columns.begin(), columns.end(), *column) != columns.end()) {
      return fail(Errc::kInvalidArgument, fmt::format("column '{}' stands twice in the header", shorten(name.text)));
    }
    columns.push_back(*column);
  }
  return columns;
}

Status append_row(const std::vector<CsvField>& fields, const std::vector<size_t>& columns, const model::Schema& schema,
                  model::BatchBuilder& out) {
  if (fields.size() != columns.size()) {
    return fail(Errc::kInvalidArgument, fmt::format("{} fields, but the header has {}", fields.size(), columns.size()));
  }
  size_t row = out.rows();
  for (size_t i = 0; i < fields.size(); ++i) {
    model::ColumnBuilder& column = out.column(columns[i]);
    if (fields[i].text.empty() && !fields[i].quoted) {
      column.append_null();
    } else if (auto status = append_text_as(column, fields[i].text); !status) {
      return fail(at(fmt::format("column '{}'", schema.fields[columns[i]].name), std::move(status.error())));
    }
  }
  for (size_t i = 0; i < out.column_count(); ++i) {
    if (out.column(i).size() == row) out.column(i).append_null();
  }
  return {};
}

Result<size_t> read_rows(Splitter& splitter, const model::Schema& schema, model::BatchBuilder& out, const CsvLimits& limits) {
  std::vector<CsvField> fields;
  TRY(bool any, splitter.next(fields));
  if (!any) return fail(Errc::kInvalidArgument, "the header line is missing", "name the columns in the first line");
  TRY(std::vector<size_t> columns, read_header(fields, schema));
  for (size_t rows = 0;; ++rows) {
    TRY(bool more, splitter.next(fields));
    if (!more) return rows;
    if (rows == limits.rows_max) return fail(Errc::kResourceExhausted, fmt::format("more than {} rows", limits.rows_max));
    TRY_DO(append_row(fields, columns, schema, out));
  }
}

}  // namespace

Result<size_t> read_csv(std::string_view text, std::string_view file, const model::Schema& schema, model::BatchBuilder& out,
                        const CsvLimits& limits) {
  if (!is_utf8(text)) return fail(Errc::kInvalidArgument, fmt::format("{}: the file is not UTF-8", file));
  size_t before = out.rows();
  Splitter splitter(text, limits);
  auto rows = read_rows(splitter, schema, out, limits);
  if (rows) return rows;
  out.truncate(before);
  return fail(at(fmt::format("{}:{}", file, splitter.line()), std::move(rows.error())));
}

}  // namespace millrace::format
