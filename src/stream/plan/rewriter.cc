#include "stream/plan/rewriter.h"

#include <fmt/format.h>

#include <algorithm>

#include "stream/plan/refusal.h"

namespace millrace::stream::plan {
namespace {

constexpr std::string_view kEventTime = "event_time";
constexpr const char* kTimestamp = "_timestamp";

bool is_unnest(const Json& node) {
  std::string name = lower_case(node.string_or("function_name", ""));
  return class_of(node) == "FUNCTION" && (name == "unnest" || name == "unlist");
}

bool is_struct_column(const TopicShape& topic, const std::vector<std::string>& names) {
  const std::vector<model::Field>* fields = &topic.schema.fields;
  for (size_t i = 0; i < names.size(); ++i) {
    auto field = std::find_if(fields->begin(), fields->end(),
                              [&](const model::Field& one) { return model::same_name(one.name, names[i]); });
    if (field == fields->end() || field->type.id != model::TypeId::kStruct) return false;
    fields = &field->type.fields;
  }
  return true;
}

}  // namespace

Status Rewriter::rewrite_select_list(Json::Array& list) {
  in_select_list_ = true;
  for (const Json& item : list) TRY_DO(find_unnests(item));
  Json::Array out;
  for (Json& item : list) {
    if (class_of(item) == "STAR") {
      TRY_DO(expand_star(item, out));
      continue;
    }
    // A column keeps the name it would have had.
    std::string name = class_of(item) == "COLUMN_REF" && has_elements(item, "column_names") ? column_names(item).back()
                       : class_of(item) == "FUNCTION" && !has_elements(item, "children")
                           ? item.string_or("function_name", "") + "()"
                           : "";
    std::string alias = item.string_or("alias", "");
    changed_ = false;
    Json before = item;
    TRY_DO(rewrite(item));
    if (changed_ && alias.empty()) {
      if (name.empty()) {
        return mistake(before, sql_, "an expression with uuid(), random(), now() or event_time needs a name",
                       "write AS and a name behind it");
      }
      item.set("alias", name);
    }
    note_alias(item);
    out.push_back(std::move(item));
  }
  if (out.empty()) return fail(Errc::kInvalidArgument, "the query selects no column");
  list = std::move(out);
  in_select_list_ = false;
  return {};
}

Status Rewriter::rewrite_where(Json& condition) { return rewrite(condition); }

Status Rewriter::rewrite_foreign(Json& expression) {
  std::string_view sql = std::exchange(sql_, std::string_view());
  in_select_list_ = true;
  Status done = rewrite(expression);
  in_select_list_ = false;
  sql_ = sql;
  return done;
}

void Rewriter::note_alias(const Json& item) {
  if (std::string alias = item.string_or("alias", ""); !alias.empty()) aliases_.insert(lower_case(alias));
}

Status Rewriter::find_unnests(const Json& node) {
  if (const Json::Array* array = node.as_array()) {
    for (const Json& element : *array) TRY_DO(find_unnests(element));
  }
  if (node.as_object() == nullptr) return {};
  if (is_unnest(node)) {
    has_unnest_ = true;
    const Json::Array* children = has_elements(node, "children") ? node.find("children")->as_array() : nullptr;
    bool plain = children != nullptr && children->size() == 1;
    unnest_is_special_ |= !plain;
    // UNNEST of a struct gives columns, not rows.
    if (plain && !(class_of(children->front()) == "COLUMN_REF" && is_struct_column(topic_, column_names(children->front())))) {
      unnested_.push_back(children->front());
    }
  }
  for (const Json::Member& one : *node.as_object()) TRY_DO(find_unnests(one.value));
  return {};
}

Result<std::vector<std::string>> Rewriter::starred_columns(const Json& star, const model::Schema& columns) const {
  std::vector<std::string> excluded;
  if (const Json* list = star.find("exclude_list"); list != nullptr && list->as_array() != nullptr) {
    for (const Json& name : *list->as_array())
      excluded.push_back(name.as_string() ? *name.as_string() : name.string_or("column", ""));
  }
  if (const Json* list = star.find("qualified_exclude_list"); list != nullptr && list->as_array() != nullptr) {
    for (const Json& name : *list->as_array()) excluded.push_back(name.string_or("column", ""));
  }
  for (const std::string& name : excluded) {
    if (!columns.find(name)) return mistake(star, sql_, fmt::format("EXCLUDE names '{}', which is no column here", name));
  }
  std::vector<std::string> out;
  for (const model::Field& field : columns.fields) {
    auto is_field = [&](const std::string& name) { return model::same_name(name, field.name); };
    if (std::none_of(excluded.begin(), excluded.end(), is_field)) out.push_back(field.name);
  }
  return out;
}

Status Rewriter::expand_star(const Json& star, Json::Array& out) {
  if (star.bool_or("columns", false)) return refuse(star, sql_, "COLUMNS(…) comes in a later version", "write the columns out");
  if (has_value(star, "expr")) return refuse(star, sql_, "`*` with a pattern comes in a later version", "write the columns out");
  if (has_elements(star, "rename_list"))
    return refuse(star, sql_, "`* RENAME` comes in a later version", "write the columns out with AS");
  std::string relation = star.string_or("relation_name", "");
  model::Schema columns = topic_.schema;
  std::vector<std::string> prefix;
  if (!relation.empty() && !model::same_name(relation, table_)) {
    auto column = topic_.schema.find(relation);
    if (!column || topic_.schema.fields[*column].type.id != model::TypeId::kStruct) {
      return mistake(star, sql_, fmt::format("'{}.*' names neither the topic nor a column with fields", relation));
    }
    columns = {topic_.schema.fields[*column].type.fields};
    prefix.push_back(topic_.schema.fields[*column].name);
  }
  TRY(std::vector<std::string> names, starred_columns(star, columns));
  Json::Array expanded;
  for (const std::string& name : names) {
    std::vector<std::string> path = prefix;
    path.push_back(name);
    needed_.add(path, 0);
    expanded.push_back(make_column(path));
  }
  TRY_DO(replace_starred(star, expanded));
  for (Json& column : expanded) out.push_back(std::move(column));
  return {};
}

Status Rewriter::replace_starred(const Json& star, Json::Array& columns) {
  if (!has_elements(star, "replace_list")) return {};
  for (const Json& replacement : *star.find("replace_list")->as_array()) {
    std::string name = replacement.string_or("key", "");
    auto column = std::find_if(columns.begin(), columns.end(),
                               [&](const Json& one) { return model::same_name(column_names(one).back(), name); });
    const Json* value = replacement.find("value");
    if (column == columns.end() || value == nullptr) {
      return mistake(star, sql_, fmt::format("REPLACE names '{}', which is no column here", name));
    }
    Json expression = *value;
    TRY_DO(rewrite(expression));
    expression.set("alias", column_names(*column).back());
    *column = std::move(expression);
  }
  return {};
}

Status Rewriter::rewrite(Json& node) {
  TRY_DO(check_expression_class(node, sql_, options_));
  std::string kind = class_of(node);
  if (kind == "COLUMN_REF") return rewrite_column(node);
  if (kind == "LAMBDA") return rewrite_lambda(node);
  if (kind == "FUNCTION") return rewrite_function(node);
  if (kind == "STAR") return refuse(node, sql_, "`*` inside of an expression comes in a later version", "write the columns out");
  return rewrite_children(node);
}

Status Rewriter::rewrite_children(Json& node) {
  if (Json::Array* array = node.as_array()) {
    for (Json& element : *array) TRY_DO(rewrite(element));
  }
  if (Json::Object* object = node.as_object()) {
    for (Json::Member& one : *object) {
      if (one.name == "cast_type" || (one.name == "value" && class_of(node) == "CONSTANT")) continue;
      TRY_DO(rewrite(one.value));
    }
  }
  return {};
}

/// What stands left of `->`: one parameter, row() of several, or, as `->` is JSON's operator too, any value. A row() of anything
/// but plain names is a value.
Status Rewriter::enter_lambda(Json& left) {
  std::vector<std::string> names = column_names(left);
  bool parameters =
      class_of(left) == "FUNCTION" && has_elements(left, "children") && lower_case(left.string_or("function_name", "")) == "row";
  if (parameters) {
    const Json::Array& children = *left.find("children")->as_array();
    parameters = std::all_of(children.begin(), children.end(), [](const Json& one) { return column_names(one).size() == 1; });
  }
  if (names.empty() && !parameters) return rewrite(left);
  if (!names.empty()) {
    // A column that may be a parameter is read in any case; at worst that is one too many. `lambda x:` gives x no place.
    if (position_of(left)) needed_.add(names, is_qualified(names) ? 1 : 0);
    if (names.size() == 1) parameters_.push_back(names[0]);
    return {};
  }
  for (const Json& parameter : *left.find("children")->as_array()) {
    if (std::vector<std::string> one = column_names(parameter); one.size() == 1) parameters_.push_back(one[0]);
  }
  return {};
}

Status Rewriter::rewrite_lambda(Json& node) {
  size_t outer = parameters_.size();
  Json* left = node.find("lhs");
  if (left != nullptr) TRY_DO(enter_lambda(*left));
  Json* body = node.find("expr");
  Status done = body == nullptr ? Status() : rewrite(*body);
  parameters_.resize(outer);
  return done;
}

bool Rewriter::is_parameter(std::string_view name) const {
  return std::any_of(parameters_.begin(), parameters_.end(), [&](const std::string& one) { return model::same_name(one, name); });
}

bool Rewriter::is_qualified(const std::vector<std::string>& names) const {
  if (names.size() < 2 || !model::same_name(names[0], table_)) return false;
  return topic_.schema.find(names[1]) || topic_.metadata.find(names[1]) || model::same_name(names[1], kEventTime);
}

Status Rewriter::rewrite_column(Json& node) {
  std::vector<std::string> names = column_names(node);
  if (names.empty()) return fail(Errc::kInternal, "a column without a name in the syntax tree");
  if (is_parameter(names[0])) return {};
  size_t first = is_qualified(names) ? 1 : 0;
  if (needed_.add(names, first)) return {};
  std::string alias = node.string_or("alias", "");
  if (model::same_name(names[first], kEventTime) && names.size() == first + 1) {
    if (in_event_time_) return fail(Errc::kInvalidArgument, "event_time is defined by itself");
    Json expression = event_time();
    in_event_time_ = true;
    std::string_view sql = std::exchange(sql_, std::string_view());
    Status done = rewrite(expression);
    sql_ = sql;
    in_event_time_ = false;
    TRY_DO(std::move(done));
    node = std::move(expression);
    node.set("alias", alias);
    changed_ = true;
    return {};
  }
  if (names.size() > 1 || aliases_.contains(lower_case(names[0]))) return {};
  // `current_date` and its like are columns to the parser. What is unknown stays: DuckDB says it best.
  Json record_time;
  if (!make_record_time(lower_case(names[0]), record_time)) return {};
  node = std::move(record_time);
  node.set("alias", alias);
  changed_ = true;
  return {};
}

Json Rewriter::event_time() {
  const Json* expression = single_expression(topic_.event_time);
  return expression == nullptr ? make_column({kTimestamp}) : *expression;
}

bool Rewriter::make_record_time(std::string_view name, Json& out) {
  constexpr std::string_view kNow[] = {"now", "current_timestamp", "get_current_timestamp", "transaction_timestamp"};
  constexpr std::string_view kDates[] = {"today", "current_date"};
  constexpr std::string_view kTimes[] = {"get_current_time", "current_time", "localtime", "current_localtime"};
  constexpr std::string_view kLocal[] = {"localtimestamp", "current_localtimestamp"};
  auto among = [&](const auto& list) { return std::find(std::begin(list), std::end(list), name) != std::end(list); };
  Json time = make_column({kTimestamp});
  if (among(kNow)) {
    out = std::move(time);
  } else if (among(kDates)) {
    out = make_cast(std::move(time), "DATE");
  } else if (among(kTimes)) {
    out = make_cast(std::move(time), "TIME");
  } else if (among(kLocal)) {
    out = make_cast(std::move(time), "TIMESTAMP");
  } else {
    return false;
  }
  needed_.add({kTimestamp}, 0);
  return true;
}

Status Rewriter::rewrite_function(Json& node) {
  std::string name = lower_case(node.string_or("function_name", ""));
  std::string alias = node.string_or("alias", "");
  bool no_arguments = !has_elements(node, "children");
  if (no_arguments && (name == "uuid" || name == "gen_random_uuid" || name == "uuidv4"))
    return make_seeded("millrace_uuid", node);
  if (no_arguments && name == "random") return make_seeded("millrace_random", node);
  Json record_time;
  if (no_arguments && make_record_time(name, record_time)) {
    node = std::move(record_time);
    node.set("alias", alias);
    changed_ = true;
    return {};
  }
  if (name == "age" && !no_arguments && node.find("children")->as_array()->size() == 1) {
    return refuse(node, sql_, "age() of one argument counts from today, which is another day in a replay",
                  "write age(now(), …): now() is the record's time");
  }
  // error() is called volatile so that it is not folded; it always does the same.
  if (name != "error" && options_.volatile_functions.contains(name)) {
    return refuse(node, sql_, fmt::format("{}() gives another result in a replay", name),
                  "uuid(), random() and now() follow from the record and can be used");
  }
  if (is_unnest(node) && !in_select_list_) return refuse(node, sql_, "UNNEST can only stand in the select list");
  if (Json* children = node.find("children")) return rewrite_children(*children);
  return {};
}

Json Rewriter::ordinal() const {
  if (!in_select_list_ || unnested_.empty()) return make_integer(0);
  // UNNESTs of one select list go in step, as many rows as the longest list has; this one counts them.
  Json::Array lengths;
  for (const Json& list : unnested_) lengths.push_back(make_function("len", {list}));
  Json rows = lengths.size() == 1 ? std::move(lengths[0]) : make_function("greatest", std::move(lengths));
  return make_function("unnest", {make_function("range", {std::move(rows)})});
}

Status Rewriter::make_seeded(std::string_view function, Json& node) {
  std::string alias = node.string_or("alias", "");
  if (unnest_is_special_ && in_select_list_) {
    return refuse(node, sql_, "uuid() and random() beside a recursive UNNEST come in a later version",
                  "use UNNEST without further arguments");
  }
  if (!parameters_.empty())
    return refuse(node, sql_, "uuid() and random() cannot stand in a lambda: every element would get the same value");
  needed_.add({"_partition"}, 0);
  needed_.add({"_offset"}, 0);
  Json::Array arguments;
  arguments.push_back(make_cast(make_text(format_uuid(topic_.id)), "UUID"));
  arguments.push_back(make_column({"_partition"}));
  arguments.push_back(make_column({"_offset"}));
  arguments.push_back(make_integer(calls_++));
  arguments.push_back(ordinal());
  node = make_function(function, std::move(arguments));
  node.set("alias", alias);
  changed_ = true;
  return {};
}

}  // namespace millrace::stream::plan
