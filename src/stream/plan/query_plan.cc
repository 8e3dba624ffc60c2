#include "stream/plan/query_plan.h"

#include <fmt/format.h>

#include "stream/plan/refusal.h"
#include "stream/plan/rewriter.h"
#include "stream/plan/tree.h"

namespace millrace::stream::plan {
namespace {

/// What must be the last (or first) columns: the row's number, and whether the row is a delete.
Status add_hidden_columns(Json::Array& list, Rewriter& rewriter, const PlanOptions& options) {
  Json row = make_column({options.row_column});
  list.insert(options.row_first ? list.begin() : list.end(), std::move(row));
  if (!options.delete_when) return {};
  const Json* condition = single_expression(*options.delete_when);
  if (condition == nullptr) return fail(Errc::kInvalidArgument, "the condition for deletes is not one SQL expression");
  Json expression = *condition;
  TRY_DO(rewriter.rewrite_foreign(expression));
  expression = make_cast(std::move(expression), "BOOLEAN");
  expression.set("alias", options.delete_column);
  list.push_back(std::move(expression));
  return {};
}

}  // namespace

Result<std::string> topic_of(const Json& tree) {
  TRY(const Json* select, stateless_select(tree, ""));
  return select->find("from_table")->string_or("table_name", "");
}

Result<QueryPlan> plan_query(const Json& tree, std::string_view sql, const TopicShape& topic, const PlanOptions& options) {
  TRY(const Json* checked, stateless_select(tree, sql));
  const Json& from = *checked->find("from_table");
  std::string name = from.string_or("table_name", "");
  if (!model::same_name(name, topic.name)) {
    auto position = position_of(from);
    return fail(Errc::kNotFound, fmt::format("{}there is no topic '{}'", position ? line_and_column(sql, *position) : "", name));
  }

  QueryPlan plan;
  plan.topic = topic.name;
  plan.tree = tree;
  Json& select = *plan.tree.find("statements")->as_array()->front().find("node");
  std::string alias = from.string_or("alias", "");
  Rewriter rewriter(sql, topic, alias.empty() ? name : alias, options);
  Json::Array& list = *select.find("select_list")->as_array();
  TRY_DO(rewriter.rewrite_select_list(list));
  Json* where = select.find("where_clause");
  plan.has_where = where != nullptr && !where->is_null();
  if (plan.has_where) TRY_DO(rewriter.rewrite_where(*where));
  plan.has_unnest = rewriter.has_unnest();
  TRY_DO(add_hidden_columns(list, rewriter, options));
  plan.needed = rewriter.needed().paths();
  return plan;
}

std::string contract_query(std::string_view topic, const std::vector<ContractRule>& rules) {
  std::string cases, where;
  for (const ContractRule& rule : rules) {
    // The line breaks end a comment at the end of a predicate.
    std::string broken = fmt::format("({}\n) IS NOT TRUE", rule.predicate);
    cases += fmt::format(" WHEN {} THEN {}", broken, model::quote_literal(rule.name));
    where += fmt::format("{}{}", where.empty() ? "" : " OR ", broken);
  }
  return fmt::format("SELECT CASE{} END AS broken FROM {} WHERE {}", cases, model::quote_identifier(topic), where);
}

}  // namespace millrace::stream::plan
