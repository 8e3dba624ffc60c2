#include "app/remarks.h"

#include <fmt/format.h>

#include <algorithm>

namespace millrace::app {
namespace {

using format::Json;

/// The dotted path that stands alone behind an output column's name; empty when it is another expression.
std::string select_path(const Json& tree, std::string_view column, std::string_view topic) {
  const Json* statements = tree.find("statements");
  if (statements == nullptr || statements->as_array() == nullptr || statements->as_array()->empty()) return {};
  const Json* node = statements->as_array()->front().find("node");
  const Json* list = node != nullptr ? node->find("select_list") : nullptr;
  if (list == nullptr || list->as_array() == nullptr) return {};
  for (const Json& item : *list->as_array()) {
    const Json* names = item.find("column_names");
    if (item.string_or("class", "") != "COLUMN_REF" || names == nullptr || names->as_array() == nullptr ||
        names->as_array()->empty())
      continue;
    const Json::Array& parts = *names->as_array();
    std::string alias = item.string_or("alias", "");
    if (alias.empty()) alias = parts.back().as_string() != nullptr ? *parts.back().as_string() : "";
    if (!model::same_name(alias, column)) continue;
    std::string path;
    for (size_t i = 0; i < parts.size(); ++i) {
      const std::string* part = parts[i].as_string();
      if (part == nullptr || (i == 0 && parts.size() > 1 && model::same_name(*part, topic))) continue;
      path += (path.empty() ? "" : ".") + *part;
    }
    return path;
  }
  return {};
}

bool has_zone(const model::Type& type) {
  return type.id == model::TypeId::kTimestampTz ||
         std::any_of(type.fields.begin(), type.fields.end(), [](const model::Field& field) { return has_zone(field.type); });
}

}  // namespace

void warn_key_across_partitions(const project::Project& project, const project::Query& query, const project::Table& table,
                                const std::string& topic_name, const format::Json& tree, project::FaultList& faults) {
  const project::Topic* topic = project::find(project.topics, topic_name);
  if (topic == nullptr || topic->partitions <= 1 || table.holds_raw) return;
  std::vector<std::string> keys = {"_key"};
  for (const project::Source& source : project.sources) {
    if (source.into == topic_name && source.key.starts_with("$.")) keys.push_back(source.key.substr(2));
  }
  for (const project::KeyColumn& column : table.partition_key) {
    std::string path = select_path(tree, column.name, topic_name);
    if (std::find(keys.begin(), keys.end(), path) != keys.end()) return;
  }
  faults.add(query.location, "key-across-partitions",
             fmt::format("rows of {} with one key may come from several partitions of {}; the one that is committed last stays",
                         table.name, topic_name),
             "give the records that key (`key:` of the source, or the producer's), or use one partition");
}

void warn_lost_zones(const project::Query& query, const model::Schema& from, const model::Schema& output,
                     project::FaultList& faults) {
  bool zoned =
      std::any_of(from.fields.begin(), from.fields.end(), [](const model::Field& field) { return has_zone(field.type); });
  for (const model::Field& field : output.fields) {
    if (field.type.id != model::TypeId::kTimestamp || !zoned) continue;
    faults.add(
        query.sql.location, "lost-zone",
        fmt::format("column '{}' of query {} is a TIMESTAMP: the offset of a zoned time is dropped", field.name, query.name),
        "use TIMESTAMP WITH TIME ZONE");
  }
}

std::vector<std::string> plan_in_words(const project::Project& project, const project::Query& query,
                                       const stream::plan::QueryPlan& planned, const CompiledQuery& compiled) {
  std::vector<std::string> plan;
  std::string needed;
  for (const stream::plan::ColumnPath& path : planned.needed) {
    std::string dotted;
    for (const std::string& part : path) dotted += (dotted.empty() ? "" : ".") + part;
    needed += (needed.empty() ? "" : ", ") + dotted;
  }
  const project::Topic* topic = project::find(project.topics, compiled.topic);
  plan.push_back(fmt::format("read topic {} ({} partition{})", compiled.topic, topic != nullptr ? topic->partitions : 1,
                             topic != nullptr && topic->partitions != 1 ? "s" : ""));
  plan.push_back(needed.empty() ? "decode nothing of the record" : "decode " + needed);
  if (topic != nullptr && !topic->contract.empty()) {
    std::string rules;
    for (const project::NamedSql& rule : topic->contract) rules += (rules.empty() ? "" : ", ") + rule.name;
    plan.push_back("check the contract: " + rules);
  }
  if (planned.has_where) plan.push_back("filter by WHERE");
  plan.push_back(fmt::format("project {} column{}{}", compiled.output.fields.size(),
                             compiled.output.fields.size() == 1 ? "" : "s",
                             planned.has_unnest ? ", several rows a record (UNNEST)" : ""));
  if (query.into_table) {
    const project::Table* table = project::find(project.tables, query.into);
    std::string key;
    for (const auto& column : table->partition_key) key += (key.empty() ? "" : ", ") + column.name;
    for (const auto& column : table->clustering) key += ", " + column.name;
    plan.push_back(fmt::format("upsert into table {} by ({})", query.into, key));
  } else {
    plan.push_back(fmt::format("append to topic {}", query.into));
  }
  return plan;
}

}  // namespace millrace::app
