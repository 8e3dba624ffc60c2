#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "format/json_doc.h"

/// Reading and making nodes of DuckDB's syntax tree.
namespace millrace::stream::plan {

using format::Json;

inline std::string class_of(const Json& node) { return node.string_or("class", ""); }
inline std::string type_of(const Json& node) { return node.string_or("type", ""); }
bool has_elements(const Json& node, std::string_view array);
bool has_value(const Json& node, std::string_view name);
std::vector<std::string> column_names(const Json& column_ref);

/// The byte in the statement's text; nodes that the parser made up have none.
std::optional<size_t> position_of(const Json& node);
/// "LINE n:c: ", counted from 1, the column in characters.
std::string line_and_column(std::string_view sql, size_t position);

std::string lower_case(std::string_view name);

Json make_column(const std::vector<std::string>& names);
Json make_function(std::string_view name, Json::Array arguments);
Json make_cast(Json child, std::string_view type);
Json make_integer(int64_t value);
Json make_text(std::string_view text);

/// The expression of a `SELECT expression`; null when the tree is something else.
const Json* single_expression(const Json& tree);

}  // namespace millrace::stream::plan
