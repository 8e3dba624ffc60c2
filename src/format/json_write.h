#pragma once

#include <string>
#include <string_view>

#include "model/column.h"

namespace millrace::format {

/// Appends one row as a JSON object, members in the order of the schema.
///
/// Integers of magnitude beyond 2^53 and all decimals are strings, because most JSON readers hold numbers as doubles. Floats
/// stand in the shortest form that reads back; NaN and infinities, which JSON lacks, are "NaN", "Infinity", "-Infinity". Times
/// are ISO 8601: timestamptz `2026-01-31T08:00:00Z`, timestamp the same without `Z`, fraction of 3 or 6 digits where it is not
/// zero, years outside of 0000 to 9999 with a sign. Blobs are base64, intervals DuckDB's text, structs objects, lists arrays.
void append_row_json(std::string& out, const model::ColumnBatch& batch, size_t row);
void append_value_json(std::string& out, const model::Column& column, size_t row);

/// Appends one value as a terminal's table shows it: text bare, the rest as DuckDB prints it; a NULL is `NULL`. Control
/// characters are escaped, so that data cannot drive the terminal.
void append_value_text(std::string& out, const model::Column& column, size_t row);

/// Appends a JSON string with its quotes. Bytes that are not UTF-8 become U+FFFD.
void append_json_string(std::string& out, std::string_view text);
/// Shortest form that reads back, always with a point or an exponent; NaN and infinities as strings.
void append_json_float(std::string& out, double v);
void append_json_float(std::string& out, float v);
/// A number, or a string when it is beyond 2^53.
void append_json_integer(std::string& out, __int128 v);

}  // namespace millrace::format
