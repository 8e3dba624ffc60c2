#pragma once

#include <string>
#include <string_view>

#include "base/result.h"

namespace millrace::sql {

/// "LINE n:c: " of a byte of `text`, both counted from 1, columns in characters.
std::string line_and_column(std::string_view text, size_t position);

/// The limits on a statement's text: size, nesting, valid UTF-8 without NUL. DuckDB's parser sees nothing that fails it.
Status check_text(std::string_view sql);

}  // namespace millrace::sql
