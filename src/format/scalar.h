#pragma once

#include <string>
#include <string_view>

#include "format/json_fault.h"
#include "model/column_builder.h"

namespace millrace::format {

/// Appends the value that `text` is by the rules of text.h, for every type but text, list and struct.
/// kNone, kType (not such a value) or kRange (too large); then nothing was appended.
JsonFault append_scalar(model::ColumnBuilder& column, std::string_view text);

/// A double by the same rules.
JsonFault read_double(std::string_view text, double& out);

/// `text` without white space at both ends.
std::string_view trim(std::string_view text);

/// A number with its last `scale` digits behind a point.
void append_number(std::string& out, __int128 v, size_t scale = 0);

/// The number of an integer column; of a decimal column without its point.
__int128 integer_at(const model::Column& column, size_t row);

/// The type as messages name it: `integer`, `decimal(10,2)`, `text`, `list`, `struct`.
std::string type_word(const model::Type& type);

}  // namespace millrace::format
