#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "sql/lexer.h"

namespace millrace::sql {

inline constexpr std::string_view kOnlyReads =
    "only statements that read run here: SELECT, WITH, VALUES, FROM, DESCRIBE, SUMMARIZE, SHOW TABLES, EXPLAIN";

/// Errors: kPermissionDenied, with what to do instead, for a word that begins a statement which does more than read.
Status check_first_word(const Token& token);

/// Table functions that look at nothing but their arguments.
bool is_open_table_function(std::string_view name);

/// The known name that was probably meant: the same table in some keyspace, or one with few letters changed; empty when none is
/// near.
std::string nearest_name(std::string_view name, const std::vector<std::string>& known);

}  // namespace millrace::sql
