#pragma once

#include <string_view>

#include "base/result.h"
#include "format/json_doc.h"

namespace millrace::sql {

/// Refuses what DuckDB 1.4 does not survive: functions and types that overflow its stack on deeply nested values
/// (kPermissionDenied), and calls whose constants ask for enormous values (kInvalidArgument). `tree` is the syntax tree of `sql`;
/// messages begin with "LINE n:c: " where the tree gives a place.
Status check_calls(const format::Json& tree, std::string_view sql);

}  // namespace millrace::sql
