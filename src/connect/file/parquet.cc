#include "connect/file/parquet.h"

#include <fmt/format.h>

namespace millrace::connect::file {
namespace {

using model::quote_identifier;
using model::quote_literal;
using model::Type;
using model::TypeId;

/// DuckDB reads a path as a pattern.
std::string exact_path(const std::string& path) {
  std::string pattern;
  for (char c : path) pattern += c == '*' || c == '?' || c == '[' ? fmt::format("[{}]", c) : std::string(1, c);
  return quote_literal(pattern);
}

/// The type by which a value's JSON is read; `stored` is the one that the Parquet file gets.
Type read_as(Type type) {
  if (type.id == TypeId::kBlob) type.id = TypeId::kText;
  if (type.id == TypeId::kHugeint) type = Type{.id = TypeId::kDecimal, .width = 38, .scale = 0};
  for (model::Field& field : type.fields) field.type = read_as(std::move(field.type));
  return type;
}

bool has_blob(const Type& type) {
  if (type.id == TypeId::kBlob) return true;
  for (const model::Field& field : type.fields)
    if (has_blob(field.type)) return true;
  return false;
}

/// The value of an expression of type read_as(type) as one of `type`: blobs come as base64.
std::string decoded(const std::string& value, const Type& type, int depth = 0) {
  if (!has_blob(type)) return value;
  if (type.id == TypeId::kBlob) return fmt::format("from_base64({})", value);
  if (type.id == TypeId::kList) {
    std::string element = fmt::format("e{}", depth);
    return fmt::format("list_transform({}, lambda {}: {})", value, element, decoded(element, type.fields[0].type, depth + 1));
  }
  std::string members;
  for (const model::Field& field : type.fields) {
    std::string name = quote_identifier(field.name);
    members += fmt::format("{}{} := {}", members.empty() ? "" : ", ", name,
                           decoded(fmt::format("({}).{}", value, name), field.type, depth));
  }
  return fmt::format("CASE WHEN {} IS NOT NULL THEN struct_pack({}) END", value, members);
}

}  // namespace

std::string lines_to_parquet_sql(const std::string& lines, const std::string& parquet, const model::Schema& schema) {
  std::string select;
  std::string columns;
  for (const model::Field& field : schema.fields) {
    std::string name = quote_identifier(field.name);
    const char* comma = select.empty() ? "" : ", ";
    select += fmt::format("{}{} AS {}", comma, decoded(name, field.type), name);
    columns += fmt::format("{}{}: {}", comma, quote_literal(field.name), quote_literal(model::to_sql(read_as(field.type))));
  }
  return fmt::format(
      "COPY (SELECT {} FROM read_json({}, format = 'newline_delimited', auto_detect = false, compression = 'uncompressed', "
      "columns = {{{}}})) TO {} (FORMAT parquet)",
      select, exact_path(lines), columns, quote_literal(parquet));
}

std::string parquet_columns_sql(const std::string& parquet, const std::string& lines) {
  return fmt::format("COPY (SELECT * FROM (DESCRIBE SELECT * FROM read_parquet({}))) TO {} (FORMAT json)", exact_path(parquet),
                     quote_literal(lines));
}

std::string parquet_to_lines_sql(const std::string& parquet, const std::string& columns, uint64_t first, uint64_t count,
                                 const std::string& lines) {
  return fmt::format(
      "COPY (SELECT {} FROM read_parquet({}, file_row_number = true) WHERE file_row_number >= {} AND file_row_number < {} "
      "ORDER BY file_row_number) TO {} (FORMAT json)",
      columns, exact_path(parquet), first, first + count, quote_literal(lines));
}

bool exceeds_parquet(const model::Column& column, size_t row) {
  if (column.is_null(row)) return false;
  if (column.type->id == TypeId::kHugeint) {
    constexpr auto kLimit = static_cast<__int128>(10'000'000'000'000'000'000ULL) * 10'000'000'000'000'000'000ULL;  // 10^38
    __int128 value = model::from_int128(column.at<model::Int128>(row));
    return value >= kLimit || value <= -kLimit;
  }
  if (column.type->id == TypeId::kList) {
    const auto& entry = column.at<model::ListEntry>(row);
    for (uint64_t i = 0; i < entry.length; ++i)
      if (exceeds_parquet(column.children[0], entry.offset + i)) return true;
    return false;
  }
  for (const model::Column& child : column.children)
    if (exceeds_parquet(child, row)) return true;
  return false;
}

}  // namespace millrace::connect::file
