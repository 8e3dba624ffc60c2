#include "sql/statement_shape.h"

#include <algorithm>

#include "model/schema.h"

namespace millrace::sql {
namespace {

using format::Json;
using Op = port::KeyPredicate::Op;

std::optional<size_t> position_of(const Json& node) {
  const Json* location = node.find("query_location");
  if (location == nullptr || location->as_int() == nullptr) return std::nullopt;  // what has no place has the largest uint64
  return static_cast<size_t>(*location->as_int());
}

std::vector<std::string> texts(const Json* array) {
  std::vector<std::string> out;
  if (array == nullptr || array->as_array() == nullptr) return out;
  for (const Json& element : *array->as_array()) {
    if (const std::string* text = element.as_string()) out.push_back(*text);
  }
  return out;
}

bool has_elements(const Json* array) { return array != nullptr && array->as_array() != nullptr && !array->as_array()->empty(); }

/// The column that `node` is, when it belongs to the relation and is no field of a struct.
std::optional<std::string> column_of(const Json& node, const RelationUse& relation) {
  if (node.string_or("class", "") != "COLUMN_REF") return std::nullopt;
  std::vector<std::string> names = texts(node.find("column_names"));
  std::string_view called = relation.alias.empty() ? relation.name : relation.alias;
  if (names.size() == 2 && model::same_name(names[0], called)) return names[1];
  if (names.size() == 3 && model::same_name(names[0], relation.schema) && model::same_name(names[1], called)) return names[2];
  if (names.size() == 1) return names[0];
  return std::nullopt;
}

struct Constant {
  std::string text;
  std::string type;
};

std::optional<Constant> constant_of(const Json& node) {
  std::string kind = node.string_or("class", "");
  if (kind == "CAST" && !node.bool_or("try_cast", false)) {
    const Json* child = node.find("child");
    const Json* type = node.find("cast_type");
    if (child == nullptr || type == nullptr || child->string_or("class", "") != "CONSTANT") return std::nullopt;
    auto inner = constant_of(*child);
    if (inner) inner->type = type->string_or("id", "");
    return inner;
  }
  const Json* value = node.find("value");
  if (kind != "CONSTANT" || value == nullptr || value->bool_or("is_null", true)) return std::nullopt;
  const Json* type = value->find("type");
  const Json* literal = value->find("value");
  if (type == nullptr || literal == nullptr) return std::nullopt;
  Constant out{{}, type->string_or("id", "")};
  // A DECIMAL literal shows its unscaled integer here: only integers and texts are told as they are.
  if (const std::string* text = literal->as_string()) {
    if (out.type != "VARCHAR") return std::nullopt;
    out.text = *text;
  } else if (const int64_t* number = literal->as_int(); number != nullptr && out.type.ends_with("INT")) {
    out.text = std::to_string(*number);
  } else if (number != nullptr && out.type == "INTEGER") {
    out.text = std::to_string(*number);
  } else {
    return std::nullopt;
  }
  return out;
}

std::optional<Op> op_of(std::string_view type) {
  if (type == "COMPARE_EQUAL") return Op::kEq;
  if (type == "COMPARE_LESSTHAN") return Op::kLt;
  if (type == "COMPARE_LESSTHANOREQUALTO") return Op::kLe;
  if (type == "COMPARE_GREATERTHAN") return Op::kGt;
  if (type == "COMPARE_GREATERTHANOREQUALTO") return Op::kGe;
  return std::nullopt;
}

Op mirrored(Op op) {
  switch (op) {
    case Op::kEq: return Op::kEq;
    case Op::kLt: return Op::kGt;
    case Op::kLe: return Op::kGe;
    case Op::kGt: return Op::kLt;
    case Op::kGe: return Op::kLe;
  }
  return op;
}

void add_comparison(RelationUse& relation, const Json* left, Op op, const Json* right) {
  if (left == nullptr || right == nullptr) return;
  auto column = column_of(*left, relation);
  auto constant = constant_of(*right);
  if (!column || !constant) {
    column = column_of(*right, relation);
    constant = constant_of(*left);
    op = mirrored(op);
  }
  if (column && constant)
    relation.predicates.push_back({std::move(*column), op, std::move(constant->text), std::move(constant->type)});
}

/// Collects what holds for every row that the condition lets through.
void add_predicates(RelationUse& relation, const Json& condition) {
  std::string type = condition.string_or("type", "");
  if (type == "CONJUNCTION_AND") {
    const Json* children = condition.find("children");
    if (!has_elements(children)) return;
    for (const Json& child : *children->as_array()) add_predicates(relation, child);
  } else if (type == "COMPARE_BETWEEN") {
    add_comparison(relation, condition.find("input"), Op::kGe, condition.find("lower"));
    add_comparison(relation, condition.find("input"), Op::kLe, condition.find("upper"));
  } else if (auto op = op_of(type)) {
    add_comparison(relation, condition.find("left"), *op, condition.find("right"));
  }
}

class Reader {
 public:
  explicit Reader(StatementShape& shape) : shape_(shape) {}

  void read(const Json& node) {
    if (const auto* array = node.as_array()) {
      for (const Json& element : *array) read(element);
      return;
    }
    if (node.as_object() == nullptr) return;
    size_t outer = ctes_.size();
    enter_ctes(node);
    std::string type = node.string_or("type", "");
    if (type == "STAR" || type == "PIVOT" || has_elements(node.find("using_columns")) ||
        node.string_or("ref_type", "") == "NATURAL")
      shape_.reads_unnamed = true;
    if (type == "BASE_TABLE") add_relation(node);
    if (type == "TABLE_FUNCTION") add_table_function(node);
    if (type == "SHOW_REF") enter_show(node);
    if (node.string_or("class", "") == "COLUMN_REF")
      shape_.columns.push_back({texts(node.find("column_names")), position_of(node)});
    for (const Json::Member& member : *node.as_object()) read(member.value);
    // The tables of a SELECT are known when its parts have been read.
    if (type == "SELECT_NODE") finish_select(node);
    if (type == "SHOW_REF") described_ = false;
    ctes_.resize(outer);
  }

 private:
  void enter_ctes(const Json& node) {
    if (const Json* map = node.find("cte_map")) {
      const Json* entries = map->find("map");
      if (has_elements(entries)) {
        for (const Json& entry : *entries->as_array()) ctes_.push_back(entry.string_or("key", ""));
      }
    }
    for (const char* member : {"cte_name", "ctename"}) {
      if (std::string name = node.string_or(member, ""); !name.empty()) ctes_.push_back(name);
    }
  }

  void add_relation(const Json& node) {
    RelationUse use;
    use.catalog = node.string_or("catalog_name", "");
    use.schema = node.string_or("schema_name", "");
    use.name = node.string_or("table_name", "");
    use.alias = node.string_or("alias", "");
    use.position = position_of(node);
    use.described = described_;
    auto is_use = [&](const std::string& cte) { return model::same_name(cte, use.name); };
    if (use.schema.empty() && std::any_of(ctes_.begin(), ctes_.end(), is_use)) return;
    shape_.relations.push_back(std::move(use));
  }

  void add_table_function(const Json& node) {
    const Json* function = node.find("function");
    if (function != nullptr) shape_.table_functions.push_back({function->string_or("function_name", ""), position_of(*function)});
  }

  void enter_show(const Json& node) {
    const Json* query = node.find("query");
    if (query == nullptr || query->is_null()) {
      shape_.show = node.string_or("table_name", "");
    } else {
      // Only `DESCRIBE t` and `SUMMARIZE t` name a relation without FROM; their query has no place of its own.
      const Json* select = query->find("select_list");
      described_ = has_elements(select) && !position_of(select->as_array()->front()).has_value();
    }
  }

  void finish_select(const Json& node) {
    const Json* from = node.find("from_table");
    if (from == nullptr || from->string_or("type", "") != "BASE_TABLE") return;
    auto position = position_of(*from);
    size_t index = 0;
    while (index < shape_.relations.size() && (!position || shape_.relations[index].position != position)) ++index;
    if (index == shape_.relations.size()) return;  // a CTE
    if (const Json* where = node.find("where_clause")) add_predicates(shape_.relations[index], *where);
    const Json* select = node.find("select_list");
    if (!has_elements(select)) return;
    for (const Json& item : *select->as_array()) {
      bool plain = item.string_or("class", "") == "STAR" && !item.bool_or("columns", false) &&
                   !has_elements(item.find("exclude_list")) && !has_elements(item.find("qualified_exclude_list"));
      if (auto at = position_of(item); plain && at) shape_.stars.push_back({*at, index});
    }
  }

  StatementShape& shape_;
  std::vector<std::string> ctes_;
  bool described_ = false;
};

}  // namespace

bool StatementShape::names_column(std::string_view name) const {
  return std::any_of(columns.begin(), columns.end(), [&](const ColumnUse& use) {
    return std::any_of(use.names.begin(), use.names.end(), [&](const std::string& one) { return model::same_name(one, name); });
  });
}

StatementShape read_shape(const Json& tree) {
  StatementShape shape;
  const Json* statements = tree.find("statements");
  if (statements == nullptr || statements->as_array() == nullptr) return shape;
  shape.statements = statements->as_array()->size();
  Reader(shape).read(*statements);
  return shape;
}

}  // namespace millrace::sql
