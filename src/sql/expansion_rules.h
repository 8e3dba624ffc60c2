#pragma once

#include "base/result.h"
#include "format/json_doc.h"

namespace millrace::sql {

/// Refuses a statement that grows while DuckDB binds it: an alias of the select list stands for its whole expression wherever it
/// is used again, and a common table expression for its query, so a chain of them doubles with each link. Binding sees no
/// interrupt. `tree` is the syntax tree of a statement. Errors: kResourceExhausted.
Status check_expansion(const format::Json& tree);

}  // namespace millrace::sql
