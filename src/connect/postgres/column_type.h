#pragma once

#include <optional>
#include <string>
#include <string_view>

#include "model/schema.h"

namespace millrace::connect::postgres {

/// How values of a column travel to and from the server.
enum class Shape {
  kScalar,
  kArray,  // a list of scalars
  kJson,   // a struct, or a list of something nested
};

Shape shape_of(const model::Type& type);

/// The type that CREATE TABLE gives a column: text, bigint, numeric(10,2), timestamptz, text[], jsonb, …
std::string ddl_type(const model::Type& type);

/// A column of the server, as its catalog describes it.
struct ServerType {
  std::string name;  // format_type without the modifier: `character varying`, `numeric`, `bigint[]`
  bool is_enum = false;
  int width = 0;  // numeric with a modifier: digits in all
  int scale = 0;
};

/// Every value of `type` has its place in such a column (but for what only the server knows: a length, an enum's words).
bool fits(const model::Type& type, const ServerType& server);

/// What to write in SELECT, so that the value arrives as read_value (binary_value.h) wants it for `type`.
std::string select_as(const std::string& quoted_column, const model::Type& type);

}  // namespace millrace::connect::postgres
