#pragma once

#include <duckdb.h>

#include <memory>

#include "model/column.h"

namespace millrace::sql {

/// Copies the rows [first, first + count) of a column into a vector of the same type. Text and blobs longer than
/// StringRef::kInlineMax stay where they are: their memory outlives the statement. `count` is at most DuckDB's vector size.
void copy_to_vector(const model::Column& column, size_t first, size_t count, duckdb_vector out);

/// A flat vector (as results are) as a column.
model::Column view_vector(duckdb_vector vector, const model::Type& type);

/// Takes over the chunk, and gives its rows as a batch. `also` is kept as long as the batch.
model::ColumnBatch view_chunk(duckdb_data_chunk chunk, std::shared_ptr<const model::Schema> schema,
                              std::shared_ptr<const void> also);

}  // namespace millrace::sql
