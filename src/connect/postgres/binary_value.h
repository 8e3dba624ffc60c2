#pragma once

#include <string_view>

#include "base/result.h"
#include "model/column_builder.h"

namespace millrace::connect::postgres {

/// Appends one value that the server sent in its binary format, selected as column_type.h's select_as says. Texts are copied.
/// Errors: kCorruption when the bytes are not such a value; kOutOfRange when the column's type has no such value (a numeric with
/// more digits, a NaN), kInvalidArgument when JSON does not fit the column. Then the column is as it was.
Status read_value(model::ColumnBuilder& column, std::string_view bytes);

}  // namespace millrace::connect::postgres
