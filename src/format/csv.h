#pragma once

#include <cstddef>
#include <string_view>

#include "base/result.h"
#include "model/column_builder.h"
#include "model/schema.h"

namespace millrace::format {

struct CsvLimits {
  size_t field_bytes_max = 1 << 20;
  size_t columns_max = 1000;
  size_t rows_max = 10'000'000;
};

/// Reads RFC 4180 text into `out`, a builder of `schema`, and returns how many rows came.
///
/// The first line names the columns, in any order, without case; columns that it lacks are NULL. Lines end in LF or CRLF; a byte
/// order mark and blank lines are passed over. An empty field is NULL, `""` is the empty text. Values are read as in text.h and
/// copied. Errors: kInvalidArgument or kResourceExhausted as `file:line: …`, where the line is the one on which the row starts;
/// `out` is as it was.
Result<size_t> read_csv(std::string_view text, std::string_view file, const model::Schema& schema, model::BatchBuilder& out,
                        const CsvLimits& limits = {});

}  // namespace millrace::format
