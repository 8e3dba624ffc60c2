#pragma once

#include <functional>
#include <memory>
#include <string>

#include "sql/instance.h"

namespace millrace::sql {

/// The syntax tree of `sql` as JSON text. Errors: kInvalidArgument (does not parse), kPermissionDenied (not only SELECTs).
Result<std::string> tree_of(Connection& connection, const std::string& sql);

/// See DuckEngine::execute; the text has been checked.
Status run_shell_statement(Instances& instances, const std::string& sql, port::Catalog& catalog,
                           const port::StatementLimits& limits, const std::function<Status(const model::ColumnBatch&)>& on_batch);

}  // namespace millrace::sql
