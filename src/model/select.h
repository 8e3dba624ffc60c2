#pragma once

#include <cstdint>
#include <span>

#include "model/column_builder.h"

namespace millrace::model {

/// Appends one value of `from`, nested ones with all they hold. Texts are not copied: whatever keeps `from` alive must outlive
/// `to`'s batch.
void append_value(ColumnBuilder& to, const Column& from, size_t row);

/// The rows of `batch` at the given places, in that order; shares the texts of `batch` and keeps it alive.
ColumnBatch select_rows(const ColumnBatch& batch, std::span<const uint32_t> rows);

/// The rows of all batches, which have the same schema, one after the other; shares their texts and keeps them alive.
ColumnBatch concat(std::span<const ColumnBatch> batches);

}  // namespace millrace::model
