#pragma once

#include <duckdb.h>

#include <functional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "sql/text.h"

namespace millrace::sql {

/// Where a byte of the text that DuckDB saw stands in the text that the user wrote.
using PositionMap = std::function<size_t(size_t)>;

/// DuckDB's message as an Error: one line, without the class of the error and the excerpt; "LINE n:c: " first where it had one.
/// `executed` is what DuckDB saw and `written` what the user did; `map` leads from one to the other (absent: they are the same).
Error make_error(duckdb_error_type type, std::string_view message, std::string_view executed, std::string_view written,
                 const PositionMap& map = {});

/// The message, or another in place of one that advises settings nobody can reach.
std::string in_our_words(std::string message);

/// True for the faults after which a DuckDB instance answers nothing more, or not reliably.
bool breaks_instance(duckdb_error_type type);

}  // namespace millrace::sql
