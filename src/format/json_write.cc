#include "format/json_write.h"

#include <fmt/format.h>

#include <charconv>
#include <cmath>
#include <iterator>

#include "base/bytes.h"
#include "base/uuid.h"
#include "format/scalar.h"
#include "format/temporal.h"

namespace millrace::format {
namespace {

using model::Column;
using model::TypeId;
using Int = __int128;

// The integers that a double holds one by one.
constexpr Int kExactMax = Int{1} << 53;

template <class T>
void append_float(std::string& out, T v, std::string_view quote) {
  if (!std::isfinite(v)) {
    out += quote;
    out += std::isnan(v) ? "NaN" : v < 0 ? "-Infinity" : "Infinity";
    out += quote;
    return;
  }
  char digits[40];
  char* end = std::to_chars(digits, digits + sizeof digits, v).ptr;
  std::string_view text(digits, static_cast<size_t>(end - digits));
  out += text;
  if (text.find_first_of(".e") == std::string_view::npos) out += ".0";
}

/// Bytes of the UTF-8 character at the front, 0 when there is none.
size_t character_size(std::string_view text) {
  auto lead = static_cast<uint8_t>(text[0]);
  size_t size = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;
  return size <= text.size() && is_utf8(text.substr(0, size)) ? size : 0;
}

void append_escaped(std::string& out, std::string_view text, bool quotes) {
  while (!text.empty()) {
    auto c = static_cast<uint8_t>(text[0]);
    if (size_t size = c < 0x80 ? 1 : character_size(text); size == 0) {
      out += "\xef\xbf\xbd";
      text.remove_prefix(1);
      continue;
    } else if (c >= 0x20 && c != 0x7f && !(quotes && (c == '"' || c == '\\'))) {
      out += text.substr(0, size);
      text.remove_prefix(size);
      continue;
    }
    switch (c) {
      case '"': out += "\\\""; break;
      case '\\': out += "\\\\"; break;
      case '\n': out += "\\n"; break;
      case '\r': out += "\\r"; break;
      case '\t': out += "\\t"; break;
      default: fmt::format_to(std::back_inserter(out), "\\u{:04x}", c);
    }
    text.remove_prefix(1);
  }
}

/// As DuckDB shows a blob: printable ASCII, the rest as \xAA.
void append_blob_text(std::string& out, std::string_view bytes) {
  for (char c : bytes) {
    if (c >= 0x20 && c < 0x7f && c != '\\' && c != '"' && c != '\'') {
      out += c;
    } else {
      fmt::format_to(std::back_inserter(out), "\\x{:02X}", static_cast<uint8_t>(c));
    }
  }
}

void append_quoted(std::string& out, const std::string& text) { out.append(1, '"').append(text).append(1, '"'); }

void append_decimal_at(std::string& out, const Column& column, size_t row) {
  append_number(out, integer_at(column, row), column.type->scale);
}

void append_interval_at(std::string& out, const Column& column, size_t row) {
  const auto& interval = column.at<model::IntervalElement>(row);
  append_interval(out, interval.months, interval.days, interval.micros);
}

void append_uuid_at(std::string& out, const Column& column, size_t row) {
  out += format_uuid(model::uuid_from_element(column.at<model::Int128>(row)));
}

void append_list_json(std::string& out, const Column& column, size_t row) {
  const auto& entry = column.at<model::ListEntry>(row);
  out += '[';
  for (uint64_t i = 0; i < entry.length; ++i) {
    if (i > 0) out += ',';
    append_value_json(out, column.children[0], entry.offset + i);
  }
  out += ']';
}

void append_struct_json(std::string& out, const Column& column, size_t row) {
  out += '{';
  for (size_t i = 0; i < column.children.size(); ++i) {
    if (i > 0) out += ',';
    append_json_string(out, column.type->fields[i].name);
    out += ':';
    append_value_json(out, column.children[i], row);
  }
  out += '}';
}

/// Within lists and structs, text stands in quotes so that its commas can be told from ours.
void append_nested_text(std::string& out, const Column& column, size_t row) {
  bool quoted = column.type->id == TypeId::kText && !column.is_null(row);
  if (!quoted) return append_value_text(out, column, row);
  out += '\'';
  append_escaped(out, column.text(row), false);
  out += '\'';
}

void append_list_text(std::string& out, const Column& column, size_t row) {
  const auto& entry = column.at<model::ListEntry>(row);
  out += '[';
  for (uint64_t i = 0; i < entry.length; ++i) {
    if (i > 0) out += ", ";
    append_nested_text(out, column.children[0], entry.offset + i);
  }
  out += ']';
}

void append_struct_text(std::string& out, const Column& column, size_t row) {
  out += '{';
  for (size_t i = 0; i < column.children.size(); ++i) {
    if (i > 0) out += ", ";
    out += '\'';
    append_escaped(out, column.type->fields[i].name, false);
    out += "': ";
    append_nested_text(out, column.children[i], row);
  }
  out += '}';
}

}  // namespace

void append_json_string(std::string& out, std::string_view text) {
  out += '"';
  append_escaped(out, text, true);
  out += '"';
}

void append_json_integer(std::string& out, __int128 v) {
  bool exact = v >= -kExactMax && v <= kExactMax;
  if (!exact) out += '"';
  append_number(out, v);
  if (!exact) out += '"';
}

void append_json_float(std::string& out, double v) { append_float(out, v, "\""); }
void append_json_float(std::string& out, float v) { append_float(out, v, "\""); }

void append_row_json(std::string& out, const model::ColumnBatch& batch, size_t row) {
  out += '{';
  for (size_t i = 0; i < batch.columns.size(); ++i) {
    if (i > 0) out += ',';
    append_json_string(out, batch.schema->fields[i].name);
    out += ':';
    append_value_json(out, batch.columns[i], row);
  }
  out += '}';
}

void append_value_json(std::string& out, const Column& column, size_t row) {
  if (column.is_null(row)) {
    out += "null";
    return;
  }
  std::string text;
  switch (column.type->id) {
    case TypeId::kBoolean: out += column.at<uint8_t>(row) != 0 ? "true" : "false"; return;
    case TypeId::kTinyint:
    case TypeId::kSmallint:
    case TypeId::kInteger:
    case TypeId::kBigint:
    case TypeId::kHugeint:
    case TypeId::kUtinyint:
    case TypeId::kUsmallint:
    case TypeId::kUinteger:
    case TypeId::kUbigint: return append_json_integer(out, integer_at(column, row));
    case TypeId::kFloat: return append_float(out, column.at<float>(row), "\"");
    case TypeId::kDouble: return append_float(out, column.at<double>(row), "\"");
    case TypeId::kText: return append_json_string(out, column.text(row));
    case TypeId::kBlob: return append_quoted(out, to_base64(column.text(row)));
    case TypeId::kList: return append_list_json(out, column, row);
    case TypeId::kStruct: return append_struct_json(out, column, row);
    case TypeId::kDecimal: append_decimal_at(text, column, row); break;
    case TypeId::kUuid: append_uuid_at(text, column, row); break;
    case TypeId::kDate: append_date(text, column.at<int32_t>(row)); break;
    case TypeId::kTime: append_time(text, column.at<int64_t>(row)); break;
    case TypeId::kTimestamp: append_timestamp(text, column.at<int64_t>(row), 'T', ""); break;
    case TypeId::kTimestampTz: append_timestamp(text, column.at<int64_t>(row), 'T', "Z"); break;
    case TypeId::kInterval: append_interval_at(text, column, row); break;
  }
  append_quoted(out, text);
}

void append_value_text(std::string& out, const Column& column, size_t row) {
  if (column.is_null(row)) {
    out += "NULL";
    return;
  }
  switch (column.type->id) {
    case TypeId::kBoolean: out += column.at<uint8_t>(row) != 0 ? "true" : "false"; return;
    case TypeId::kTinyint:
    case TypeId::kSmallint:
    case TypeId::kInteger:
    case TypeId::kBigint:
    case TypeId::kHugeint:
    case TypeId::kUtinyint:
    case TypeId::kUsmallint:
    case TypeId::kUinteger:
    case TypeId::kUbigint: return append_number(out, integer_at(column, row));
    case TypeId::kFloat: return append_float(out, column.at<float>(row), "");
    case TypeId::kDouble: return append_float(out, column.at<double>(row), "");
    case TypeId::kText: return append_escaped(out, column.text(row), false);
    case TypeId::kBlob: return append_blob_text(out, column.text(row));
    case TypeId::kList: return append_list_text(out, column, row);
    case TypeId::kStruct: return append_struct_text(out, column, row);
    case TypeId::kDecimal: return append_decimal_at(out, column, row);
    case TypeId::kUuid: return append_uuid_at(out, column, row);
    case TypeId::kDate: return append_date(out, column.at<int32_t>(row));
    case TypeId::kTime: return append_time(out, column.at<int64_t>(row));
    case TypeId::kTimestamp: return append_timestamp(out, column.at<int64_t>(row), ' ', "");
    case TypeId::kTimestampTz: return append_timestamp(out, column.at<int64_t>(row), ' ', "+00");
    case TypeId::kInterval: return append_interval_at(out, column, row);
  }
}

}  // namespace millrace::format
