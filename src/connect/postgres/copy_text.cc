#include "connect/postgres/copy_text.h"

#include <fmt/format.h>

#include <array>
#include <charconv>
#include <cmath>
#include <iterator>

#include "base/uuid.h"
#include "connect/postgres/column_type.h"
#include "format/json_write.h"
#include "format/temporal.h"

namespace millrace::connect::postgres {
namespace {

using model::Column;
using model::TypeId;

template <class T>
void append_integer(std::string& out, T v) {
  char digits[24];
  out.append(digits, std::to_chars(digits, digits + sizeof digits, v).ptr);
}

void append_huge(std::string& out, __int128 v, size_t scale) {
  char digits[64];
  char* const end = digits + sizeof digits;
  char* p = end;
  auto rest = v < 0 ? -static_cast<unsigned __int128>(v) : static_cast<unsigned __int128>(v);
  for (size_t written = 0; rest != 0 || written <= scale; ++written) {
    if (written == scale && scale > 0) *--p = '.';
    *--p = static_cast<char>('0' + static_cast<int>(rest % 10));
    rest /= 10;
  }
  if (v < 0) *--p = '-';
  out.append(p, end);
}

void append_decimal(std::string& out, const Column& column, size_t row) {
  size_t scale = column.type->scale;
  switch (model::element_size(*column.type)) {
    case 2: return append_huge(out, column.at<int16_t>(row), scale);
    case 4: return append_huge(out, column.at<int32_t>(row), scale);
    case 8: return append_huge(out, column.at<int64_t>(row), scale);
    default: return append_huge(out, model::from_int128(column.at<model::Int128>(row)), scale);
  }
}

template <class T>
void append_float(std::string& out, T v) {
  if (std::isnan(v)) {
    out += "NaN";
  } else if (std::isinf(v)) {
    out += v < 0 ? "-Infinity" : "Infinity";
  } else {
    char digits[40];
    out.append(digits, std::to_chars(digits, digits + sizeof digits, v).ptr);
  }
}

/// From `start` on stands a date with its year as format/temporal.h writes it: signed outside of 0000 to 9999. The server wants
/// no plus, and years before 1 counted back from 1 BC.
void turn_year(std::string& out, size_t start) {
  if (out[start] == '+') {
    out.erase(start, 1);
    return;
  }
  bool negative = out[start] == '-';
  size_t digits = start + (negative ? 1 : 0), end = out.find('-', digits);
  if (end == std::string::npos) return;  // an infinity
  int64_t year = 0;
  std::from_chars(out.data() + digits, out.data() + end, year);
  if (!negative && year > 0) return;
  out.replace(start, end - start, fmt::format("{:04}", year + 1));
  out += " BC";
}

void append_timestamp(std::string& out, int64_t micros, std::string_view zone) {
  size_t start = out.size();
  format::append_timestamp(out, micros, ' ', zone);
  turn_year(out, start);
}

void append_interval(std::string& out, const model::IntervalElement& v) {
  uint64_t rest = v.micros < 0 ? -static_cast<uint64_t>(v.micros) : static_cast<uint64_t>(v.micros);
  fmt::format_to(std::back_inserter(out), "{} mons {} days {}{:02}:{:02}:{:02}.{:06}", v.months, v.days, v.micros < 0 ? "-" : "",
                 rest / 3'600'000'000, rest / 60'000'000 % 60, rest / 1'000'000 % 60, rest % 1'000'000);
}

void append_bytes(std::string& out, std::string_view bytes) {
  static constexpr char kDigits[] = "0123456789abcdef";
  out += "\\x";
  for (char c : bytes) {
    out += kDigits[static_cast<uint8_t>(c) >> 4];
    out += kDigits[static_cast<uint8_t>(c) & 15];
  }
}

/// Elements in quotes with `"` and `\` escaped (PostgreSQL documentation, "Array Input and Output Syntax").
void append_array(std::string& out, const Column& column, size_t row) {
  const auto& entry = column.at<model::ListEntry>(row);
  const Column& elements = column.children[0];
  std::string element;
  out += '{';
  for (uint64_t i = entry.offset; i < entry.offset + entry.length; ++i) {
    if (i > entry.offset) out += ',';
    if (elements.is_null(i)) {
      out += "NULL";
      continue;
    }
    element.clear();
    append_literal(element, elements, i);
    out += '"';
    for (char c : element) {
      if (c == '"' || c == '\\') out += '\\';
      out += c;
    }
    out += '"';
  }
  out += '}';
}

/// What COPY would take for syntax.
constexpr auto kEscapes = [] {
  std::array<char, 256> table{};
  table['\\'] = '\\';
  table['\n'] = 'n';
  table['\r'] = 'r';
  table['\t'] = 't';
  return table;
}();

}  // namespace

void append_literal(std::string& out, const Column& column, size_t row) {
  switch (column.type->id) {
    case TypeId::kBoolean: out += column.at<uint8_t>(row) != 0 ? 't' : 'f'; break;
    case TypeId::kTinyint: append_integer(out, static_cast<int>(column.at<int8_t>(row))); break;
    case TypeId::kSmallint: append_integer(out, column.at<int16_t>(row)); break;
    case TypeId::kInteger: append_integer(out, column.at<int32_t>(row)); break;
    case TypeId::kBigint: append_integer(out, column.at<int64_t>(row)); break;
    case TypeId::kHugeint: append_huge(out, model::from_int128(column.at<model::Int128>(row)), 0); break;
    case TypeId::kUtinyint: append_integer(out, static_cast<unsigned>(column.at<uint8_t>(row))); break;
    case TypeId::kUsmallint: append_integer(out, column.at<uint16_t>(row)); break;
    case TypeId::kUinteger: append_integer(out, column.at<uint32_t>(row)); break;
    case TypeId::kUbigint: append_integer(out, column.at<uint64_t>(row)); break;
    case TypeId::kFloat: append_float(out, column.at<float>(row)); break;
    case TypeId::kDouble: append_float(out, column.at<double>(row)); break;
    case TypeId::kDecimal: append_decimal(out, column, row); break;
    case TypeId::kText: out += column.text(row); break;
    case TypeId::kBlob: append_bytes(out, column.text(row)); break;
    case TypeId::kUuid: out += format_uuid(model::uuid_from_element(column.at<model::Int128>(row))); break;
    case TypeId::kDate: {
      size_t start = out.size();
      format::append_date(out, column.at<int32_t>(row));
      turn_year(out, start);
      break;
    }
    case TypeId::kTime: format::append_time(out, column.at<int64_t>(row)); break;
    case TypeId::kTimestamp: append_timestamp(out, column.at<int64_t>(row), ""); break;
    case TypeId::kTimestampTz: append_timestamp(out, column.at<int64_t>(row), "+00"); break;
    case TypeId::kInterval: append_interval(out, column.at<model::IntervalElement>(row)); break;
    case TypeId::kList:
      if (shape_of(*column.type) == Shape::kArray) return append_array(out, column, row);
      [[fallthrough]];
    case TypeId::kStruct: format::append_value_json(out, column, row); break;
  }
}

void append_copy_text(std::string& out, std::string_view text) {
  size_t plain = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    char escape = kEscapes[static_cast<uint8_t>(text[i])];
    if (escape == 0) continue;
    out.append(text, plain, i - plain);
    out += '\\';
    out += escape;
    plain = i + 1;
  }
  out.append(text, plain);
}

void append_copy_value(std::string& out, const Column& column, size_t row) {
  if (column.is_null(row)) {
    out += "\\N";
    return;
  }
  switch (column.type->id) {
    case TypeId::kText: return append_copy_text(out, column.text(row));
    case TypeId::kBlob:
    case TypeId::kList:
    case TypeId::kStruct: {
      std::string literal;
      append_literal(literal, column, row);
      return append_copy_text(out, literal);
    }
    default: return append_literal(out, column, row);
  }
}

}  // namespace millrace::connect::postgres
