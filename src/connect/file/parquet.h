#pragma once

#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "model/column.h"
#include "model/schema.h"

namespace millrace::connect::file {

/// Runs one statement on a DuckDB that may read and write files. Threading: as its users, one thread at a time.
using RunSql = std::function<Status(const std::string& sql)>;

/// The lines of a file that format/json_write.h wrote, as Parquet. Types stay what they are; a hugeint, which Parquet lacks,
/// becomes a decimal(38,0).
std::string lines_to_parquet_sql(const std::string& lines, const std::string& parquet, const model::Schema& schema);

/// The columns of a Parquet file as JSON lines {column_name, column_type, …}.
std::string parquet_columns_sql(const std::string& parquet, const std::string& lines);
/// The rows [first, first + count) of a Parquet file as JSON lines; `columns` is what its SELECT names.
std::string parquet_to_lines_sql(const std::string& parquet, const std::string& columns, uint64_t first, uint64_t count,
                                 const std::string& lines);

/// Whether the row has a hugeint that does not fit decimal(38,0).
bool exceeds_parquet(const model::Column& column, size_t row);

}  // namespace millrace::connect::file
