#pragma once

#include <string>
#include <string_view>

#include "model/schema.h"

namespace millrace::connect::registry {

/// JSON Schema (draft 07) of rows as format/json_write.h writes them: an object that has these properties, each of which may be
/// null, and no others. Integers of 64 bits and more are strings too, since they are that beyond 2^53; floats for NaN and
/// infinity.
std::string derive_json_schema(const model::Schema& columns, std::string_view title);

}  // namespace millrace::connect::registry
