#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "format/json_doc.h"
#include "port/relation.h"

namespace millrace::sql {

/// A conjunct `column op constant` of a WHERE. The constant's type is DuckDB's name of it, or of the type it is cast to.
struct ConstantPredicate {
  std::string column;
  port::KeyPredicate::Op op = port::KeyPredicate::Op::kEq;
  std::string constant;
  std::string type;
};

/// A name in FROM that is no CTE.
struct RelationUse {
  std::string catalog;
  std::string schema;
  std::string name;
  std::string alias;
  std::optional<size_t> position;  // byte in the text
  bool described = false;          // by DESCRIBE or SUMMARIZE
  std::vector<ConstantPredicate> predicates;
};

struct ColumnUse {
  std::vector<std::string> names;
  std::optional<size_t> position;
};

/// A `*` in the select list of a SELECT that reads one relation.
struct StarUse {
  size_t position = 0;
  size_t relation = 0;  // index into StatementShape::relations
};

struct TableFunctionUse {
  std::string name;
  std::optional<size_t> position;
};

/// What the shell must know of a statement, from DuckDB's syntax tree.
struct StatementShape {
  size_t statements = 0;
  std::vector<RelationUse> relations;
  std::vector<ColumnUse> columns;
  std::vector<StarUse> stars;
  std::vector<TableFunctionUse> table_functions;
  std::optional<std::string> show;  // the word behind SHOW, when that is not a relation
  /// Some columns are read without being named: `*`, COLUMNS, USING, NATURAL, PIVOT.
  bool reads_unnamed = false;

  /// Whether a column of that name is named somewhere, also as a part of a dotted path.
  bool names_column(std::string_view name) const;
};

StatementShape read_shape(const format::Json& tree);

}  // namespace millrace::sql
