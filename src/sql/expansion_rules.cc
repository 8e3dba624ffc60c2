#include "sql/expansion_rules.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <string>

namespace millrace::sql {
namespace {

using format::Json;

// Expressions and relations of the whole statement with everything put in its place; takes DuckDB below a second.
constexpr double kWeightMax = 30'000;
// A common table expression costs as a relation of the planner does.
constexpr double kRelationWeight = 20;

struct NameLess {
  bool operator()(const std::string& a, const std::string& b) const {
    return std::lexicographical_compare(a.begin(), a.end(), b.begin(), b.end(),
                                        [](unsigned char x, unsigned char y) { return std::tolower(x) < std::tolower(y); });
  }
};
/// What a name stands for, as a number of expressions. Doubles: a chain of 20,000 aliases passes every integer.
using Weights = std::map<std::string, double, NameLess>;

double weigh(const Json& node, const Weights& aliases, const Weights& queries);

double weigh_query(const Json& node, Weights queries) {
  double total = 0;
  const Json* ctes = node.find("cte_map");
  const Json* map = ctes == nullptr ? nullptr : ctes->find("map");
  if (map != nullptr && map->as_array() != nullptr) {
    for (const Json& one : *map->as_array()) {
      double weight = weigh(one, {}, queries);
      total += weight;
      queries[one.string_or("key", "")] = weight;
    }
  }
  Weights aliases;
  const Json* list = node.find("select_list");
  if (list != nullptr && list->as_array() != nullptr) {
    for (const Json& item : *list->as_array()) {
      double weight = weigh(item, aliases, queries);
      total += weight;
      if (std::string alias = item.string_or("alias", ""); !alias.empty()) aliases[alias] = weight;
    }
  }
  for (const Json::Member& one : *node.as_object()) {
    if (one.name != "cte_map" && one.name != "select_list") total += weigh(one.value, aliases, queries);
  }
  return total;
}

double weight_of_name(const Json& node, const Weights& aliases) {
  const Json* names = node.find("column_names");
  const Json::Array* array = names == nullptr ? nullptr : names->as_array();
  // The first of several names may be an alias too: `alias.field`.
  if (array == nullptr || array->empty() || array->front().as_string() == nullptr) return 1;
  auto found = aliases.find(*array->front().as_string());
  return found == aliases.end() ? 1 : 1 + found->second;
}

double weigh(const Json& node, const Weights& aliases, const Weights& queries) {
  double total = 0;
  if (const Json::Array* array = node.as_array()) {
    for (const Json& element : *array) total += weigh(element, aliases, queries);
  }
  const Json::Object* object = node.as_object();
  if (object == nullptr) return total;
  if (node.find("cte_map") != nullptr) return weigh_query(node, queries);
  if (node.string_or("class", "") == "COLUMN_REF") return weight_of_name(node, aliases);
  if (node.string_or("type", "") == "BASE_TABLE") {
    auto found = queries.find(node.string_or("table_name", ""));
    return kRelationWeight + (found == queries.end() ? 0 : found->second);
  }
  if (node.find("class") != nullptr) total = 1;
  for (const Json::Member& one : *object) total += weigh(one.value, aliases, queries);
  return total;
}

}  // namespace

Status check_expansion(const Json& tree) {
  if (weigh(tree, {}, {}) <= kWeightMax) return {};
  return fail(
      Errc::kResourceExhausted,
      fmt::format("with aliases and WITH queries put in their places the statement has more than {} expressions", kWeightMax),
      "use fewer aliases that refer to other aliases, or a subquery in FROM, which is computed once");
}

}  // namespace millrace::sql
