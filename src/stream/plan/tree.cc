#include "stream/plan/tree.h"

#include <fmt/format.h>

#include <algorithm>

namespace millrace::stream::plan {
namespace {

Json make_node(std::string_view node_class, std::string_view type) {
  Json node = Json::object();
  node.set("class", node_class);
  node.set("type", type);
  node.set("alias", "");
  node.set("query_location", UINT64_MAX);
  return node;
}

Json make_type(std::string_view id) {
  Json type = Json::object();
  type.set("id", id);
  type.set("type_info", nullptr);
  return type;
}

Json make_constant(std::string_view type, Json literal) {
  Json value = Json::object();
  value.set("type", make_type(type));
  value.set("is_null", false);
  value.set("value", std::move(literal));
  Json node = make_node("CONSTANT", "VALUE_CONSTANT");
  node.set("value", std::move(value));
  return node;
}

}  // namespace

bool has_elements(const Json& node, std::string_view array) {
  const Json* found = node.find(array);
  return found != nullptr && found->as_array() != nullptr && !found->as_array()->empty();
}

bool has_value(const Json& node, std::string_view name) {
  const Json* found = node.find(name);
  return found != nullptr && !found->is_null();
}

std::vector<std::string> column_names(const Json& column_ref) {
  std::vector<std::string> names;
  if (!has_elements(column_ref, "column_names")) return names;
  for (const Json& name : *column_ref.find("column_names")->as_array())
    names.push_back(name.as_string() ? *name.as_string() : "");
  return names;
}

std::optional<size_t> position_of(const Json& node) {
  const Json* location = node.find("query_location");
  if (location == nullptr || location->as_int() == nullptr) return std::nullopt;  // what has no place has the largest uint64
  return static_cast<size_t>(*location->as_int());
}

std::string line_and_column(std::string_view sql, size_t position) {
  std::string_view before = sql.substr(0, position);
  size_t begin = before.rfind('\n');
  std::string_view in_line = begin == std::string_view::npos ? before : before.substr(begin + 1);
  auto starts_character = [](char c) { return (static_cast<unsigned char>(c) & 0xC0) != 0x80; };
  return fmt::format("LINE {}:{}: ", std::count(before.begin(), before.end(), '\n') + 1,
                     std::count_if(in_line.begin(), in_line.end(), starts_character) + 1);
}

std::string lower_case(std::string_view name) {
  std::string out(name);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

Json make_column(const std::vector<std::string>& names) {
  Json array = Json::array();
  for (const std::string& name : names) array.push(name);
  Json node = make_node("COLUMN_REF", "COLUMN_REF");
  node.set("column_names", std::move(array));
  return node;
}

Json make_function(std::string_view name, Json::Array arguments) {
  Json orders = Json::object();
  orders.set("type", "ORDER_MODIFIER");
  orders.set("orders", Json::array());
  Json node = make_node("FUNCTION", "FUNCTION");
  node.set("function_name", name);
  node.set("schema", "");
  node.set("children", std::move(arguments));
  node.set("filter", nullptr);
  node.set("order_bys", std::move(orders));
  node.set("distinct", false);
  node.set("is_operator", false);
  node.set("export_state", false);
  node.set("catalog", "");
  return node;
}

Json make_cast(Json child, std::string_view type) {
  Json node = make_node("CAST", "OPERATOR_CAST");
  node.set("child", std::move(child));
  node.set("cast_type", make_type(type));
  node.set("try_cast", false);
  return node;
}

Json make_integer(int64_t value) { return make_constant("BIGINT", value); }
Json make_text(std::string_view text) { return make_constant("VARCHAR", text); }

const Json* single_expression(const Json& tree) {
  if (!has_elements(tree, "statements") || tree.find("statements")->as_array()->size() != 1) return nullptr;
  const Json* node = tree.find("statements")->as_array()->front().find("node");
  if (node == nullptr || type_of(*node) != "SELECT_NODE" || !has_elements(*node, "select_list")) return nullptr;
  const Json::Array& list = *node->find("select_list")->as_array();
  return list.size() == 1 ? &list.front() : nullptr;
}

}  // namespace millrace::stream::plan
