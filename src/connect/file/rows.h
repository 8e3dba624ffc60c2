#pragma once

#include <string>
#include <string_view>

#include "model/column.h"
#include "model/schema.h"

namespace millrace::connect::file {

/// What a finished file holds. The numbers are written into the store: never renumber.
enum class Format : uint8_t { kJson = 1, kCsv = 2, kParquet = 3 };

/// Of a finished file: `.jsonl`, `.csv`, `.parquet`.
std::string_view extension(Format format);

/// RFC 4180: the names of the columns, then CR LF.
void append_csv_header(std::string& out, const model::Schema& schema);
/// RFC 4180, as format/csv.h reads it: NULL is an empty field, the empty text is `""`, lists and structs are JSON, blobs ASCII
/// with any other byte as `\xAA`, times ISO 8601 as in JSON.
void append_csv_row(std::string& out, const model::ColumnBatch& rows, size_t row);

}  // namespace millrace::connect::file
