#include "stream/plan/refusal.h"

#include <fmt/format.h>

#include <algorithm>

#include "model/schema.h"

namespace millrace::stream::plan {
namespace {

constexpr std::string_view kPlain = "use a plain SELECT … FROM topic WHERE … for now";
constexpr std::string_view kShell =
    "a query runs for ever and has no end; run it once in the shell (`millrace sql`) over the table";

std::string place_of(const Json& node, std::string_view sql) {
  auto position = position_of(node);
  return position && *position <= sql.size() && !sql.empty() ? line_and_column(sql, *position) : std::string();
}

Status check_modifiers(const Json& select, std::string_view sql) {
  if (!has_elements(select, "modifiers")) return {};
  for (const Json& modifier : *select.find("modifiers")->as_array()) {
    std::string type = type_of(modifier);
    if (type == "DISTINCT_MODIFIER") {
      return refuse(modifier, sql, "DISTINCT needs state, which comes in a later version",
                    "a table keeps one row for each key: make the columns its key");
    }
    if (type == "ORDER_MODIFIER")
      return refuse(modifier, sql, "ORDER BY has no meaning in a query that never ends", std::string(kShell));
    return refuse(modifier, sql, "LIMIT and OFFSET have no meaning in a query that never ends", std::string(kShell));
  }
  return {};
}

Status check_grouping(const Json& select, std::string_view sql) {
  const Json* having = select.find("having");
  if (has_value(select, "having"))
    return refuse(*having, sql, "HAVING needs aggregates, which come in a later version", std::string(kPlain));
  if (has_elements(select, "group_expressions")) {
    return refuse(select.find("group_expressions")->as_array()->front(), sql,
                  "GROUP BY needs state, which comes in a later version", std::string(kPlain));
  }
  if (has_elements(select, "group_sets") || select.string_or("aggregate_handling", "STANDARD_HANDLING") != "STANDARD_HANDLING") {
    return refuse(select, sql, "GROUP BY needs state, which comes in a later version", std::string(kPlain));
  }
  if (has_value(select, "qualify")) {
    return refuse(*select.find("qualify"), sql, "QUALIFY needs window functions, which come in a later version",
                  std::string(kPlain));
  }
  if (has_value(select, "sample"))
    return refuse(select, sql, "USING SAMPLE is not deterministic", "filter with a hash: WHERE hash(column) % 10 = 0");
  return {};
}

Status check_table_function(const Json& from, std::string_view sql) {
  const Json* function = from.find("function");
  std::string name = lower_case(function == nullptr ? "" : function->string_or("function_name", ""));
  for (const char* window : {"tumble", "hop", "cumulate", "session"}) {
    if (name == window) {
      std::string upper = name;
      for (char& c : upper) c = static_cast<char>(c - 'a' + 'A');
      return refuse(from, sql, upper + ": windowed queries come in a later version", std::string(kPlain));
    }
  }
  return refuse(from, sql, fmt::format("the table function {}() cannot stand in FROM of a query: it reads a topic", name));
}

Status check_from(const Json* from, std::string_view sql) {
  std::string type = from == nullptr ? "EMPTY" : type_of(*from);
  if (type == "BASE_TABLE") {
    if (has_value(*from, "sample"))
      return refuse(*from, sql, "TABLESAMPLE is not deterministic", "filter with a hash: WHERE hash(column) % 10 = 0");
    if (has_elements(*from, "column_name_alias"))
      return refuse(*from, sql, "a topic's columns cannot be renamed in FROM", "write AS in the select list");
    if (has_value(*from, "at_clause")) return refuse(*from, sql, "AT (…) is not for topics");
    std::string schema = from->string_or("schema_name", "");
    if (schema.empty()) return {};
    std::string name = schema + "." + from->string_or("table_name", "");
    return refuse(*from, sql, fmt::format("'{}' has two parts, and a query reads one topic, not a table", name),
                  fmt::format("when it is a topic with a dot in its name, quote it: FROM {}", model::quote_identifier(name)));
  }
  if (type == "EMPTY") return fail(Errc::kInvalidArgument, "the query has no FROM: it must read a topic");
  if (type == "JOIN") return refuse(*from, sql, "joins and lookups come in a later version", std::string(kPlain));
  if (type == "SUBQUERY")
    return refuse(*from, sql, "subqueries in FROM come in a later version",
                  "write one SELECT, or put a query into a topic between");
  if (type == "TABLE_FUNCTION") return check_table_function(*from, sql);
  if (type == "EXPRESSION_LIST") return refuse(*from, sql, "VALUES is no topic: a query reads FROM one");
  if (type == "PIVOT") return refuse(*from, sql, "PIVOT and UNPIVOT come in a later version", std::string(kPlain));
  return refuse(*from, sql, "a query is a SELECT from one topic", std::string(kPlain));
}

Status check_statement(const Json& select, std::string_view sql) {
  std::string type = type_of(select);
  if (type == "SET_OPERATION_NODE") {
    return refuse(select, sql, select.string_or("setop_type", "UNION") + " of queries comes in a later version",
                  "write two queries into one table");
  }
  const Json* ctes = select.find("cte_map");
  if (type != "SELECT_NODE" || (ctes != nullptr && has_elements(*ctes, "map"))) {
    return refuse(select, sql, "WITH (common table expressions) comes in a later version",
                  "write one SELECT, or put a query into a topic between");
  }
  TRY_DO(check_from(select.find("from_table"), sql));
  TRY_DO(check_grouping(select, sql));
  return check_modifiers(select, sql);
}

}  // namespace

tl::unexpected<Error> refuse(const Json& node, std::string_view sql, std::string message, std::string hint) {
  return fail(Errc::kUnimplemented, place_of(node, sql) + message, std::move(hint));
}

tl::unexpected<Error> mistake(const Json& node, std::string_view sql, std::string message, std::string hint) {
  return fail(Errc::kInvalidArgument, place_of(node, sql) + message, std::move(hint));
}

Result<const Json*> stateless_select(const Json& tree, std::string_view sql) {
  if (tree.bool_or("error", false))
    return fail(Errc::kInvalidArgument, "a query is a SELECT: " + tree.string_or("error_message", "it does not parse"));
  if (!has_elements(tree, "statements")) return fail(Errc::kInvalidArgument, "the query is empty");
  const Json::Array& statements = *tree.find("statements")->as_array();
  if (statements.size() > 1)
    return fail(Errc::kInvalidArgument, "a query is one SELECT, and here are several statements", "write a query for each");
  const Json* select = statements.front().find("node");
  if (select == nullptr) return fail(Errc::kInvalidArgument, "a query is a SELECT");
  TRY_DO(check_statement(*select, sql));
  if (!has_elements(*select, "select_list")) return fail(Errc::kInvalidArgument, "the query selects no column");
  return select;
}

Status check_expression_class(const Json& node, std::string_view sql, const PlanOptions& options) {
  std::string kind = class_of(node);
  if (kind == "SUBQUERY") return refuse(node, sql, "subqueries come in a later version", std::string(kPlain));
  if (kind == "WINDOW") return refuse(node, sql, "window functions (OVER) come in a later version", std::string(kPlain));
  if (kind == "PARAMETER")
    return refuse(node, sql, "a query has no parameters ($1 or ?)",
                  "write the value itself, or ${VARIABLE} in the pipeline file");
  if (type_of(node) == "GROUPING_FUNCTION")
    return refuse(node, sql, "GROUPING needs GROUP BY, which comes in a later version", std::string(kPlain));
  if (kind != "FUNCTION") return {};
  std::string name = lower_case(node.string_or("function_name", ""));
  const Json* orders = node.find("order_bys");
  bool aggregate = options.aggregate_functions.contains(name) || has_value(node, "filter") || node.bool_or("distinct", false) ||
                   (orders != nullptr && has_elements(*orders, "orders"));
  if (!aggregate) return {};
  return refuse(node, sql,
                fmt::format("{} is an aggregate and needs state, which comes in a later version",
                            name == "count_star" ? "count(*)" : name + "()"),
                std::string(kPlain));
}

}  // namespace millrace::stream::plan
