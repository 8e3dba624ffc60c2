#include "connect/cassandra/write_plan.h"

#include <fmt/format.h>

#include <algorithm>

namespace millrace::connect::cassandra {
namespace {

std::vector<std::string> key_names(const model::TableDef& def) {
  std::vector<std::string> names;
  for (size_t column : def.partition_key) names.push_back(def.schema.fields[column].name);
  for (const model::ClusteringColumn& key : def.clustering) names.push_back(def.schema.fields[key.column].name);
  return names;
}

}  // namespace

Result<WritePlan> plan_writes(const TableName& name, const model::TableDef& def, const model::Schema& output,
                              const ExistingTable& table) {
  WritePlan plan{name, {}, def.partition_key.size(), def.partition_key.size() + def.clustering.size(), def.ttl};
  auto add = [&](size_t source) -> Status {
    const model::Field& field = output.fields[source];
    const ExistingColumn* column = table.find(field.name);
    if (column == nullptr)
      return fail(Errc::kFailedPrecondition, fmt::format("table {} in Cassandra has no column {}", name.text(), field.name));
    auto encoder = cql::ValueEncoder::make(field.type, column->type);
    if (!encoder)
      return fail(at(fmt::format("table {} in Cassandra: column {}", name.text(), field.name), std::move(encoder.error())));
    bool is_text = field.type.id == model::TypeId::kText || field.type.id == model::TypeId::kBlob;
    plan.columns.push_back({column->name, source, std::move(*encoder), is_text});
    return {};
  };
  std::vector<bool> taken(output.fields.size());
  for (const std::string& key : key_names(def)) {
    auto source = output.find(key);
    if (!source) return fail(Errc::kInvalidArgument, fmt::format("table {}: nothing gives its key column {}", name.text(), key));
    TRY_DO(add(*source));
    taken[*source] = true;
  }
  for (size_t i = 0; i < output.fields.size(); ++i) {
    if (!taken[i]) TRY_DO(add(i));
  }
  return plan;
}

std::string WritePlan::insert_text() const {
  std::string names, marks;
  for (const Column& column : columns) {
    names += (names.empty() ? "" : ", ") + model::quote_identifier(column.name);
    marks += marks.empty() ? "?" : ", ?";
  }
  return fmt::format("INSERT INTO {} ({}) VALUES ({}) USING TIMESTAMP ?{}", name.quoted(), names, marks, ttl ? " AND TTL ?" : "");
}

std::string WritePlan::delete_text() const {
  std::string where;
  for (size_t i = 0; i < key_columns; ++i)
    where += fmt::format("{}{} = ?", i == 0 ? "" : " AND ", model::quote_identifier(columns[i].name));
  return fmt::format("DELETE FROM {} USING TIMESTAMP ? WHERE {}", name.quoted(), where);
}

}  // namespace millrace::connect::cassandra
