#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "model/column.h"

namespace millrace::connect::postgres {

// Rows in the text format of COPY (PostgreSQL documentation, COPY, "Text Format"): values parted by tabs, lines by \n. The server
// reads each value by the type of the column that it stands in.

/// One value, without the tab behind it: `\N` for a NULL.
void append_copy_value(std::string& out, const model::Column& column, size_t row);
/// Text with what COPY takes for syntax escaped.
void append_copy_text(std::string& out, std::string_view text);

/// The value as the server's own types write it, with no escapes; not for a NULL. Dates before the year 1 end in ` BC`, an
/// interval is `1 mons 2 days 00:00:00.5`, a list of scalars `{…}`, what is nested JSON.
void append_literal(std::string& out, const model::Column& column, size_t row);

}  // namespace millrace::connect::postgres
