#include "connect/cassandra/table_shape.h"

#include <fmt/format.h>

#include <algorithm>

#include "codec/cql/value.h"

namespace millrace::connect::cassandra {
namespace {

using model::quote_identifier;
using Kind = ExistingColumn::Kind;

std::string joined(const std::vector<std::string>& parts, std::string_view between) {
  std::string text;
  for (const std::string& part : parts) text += fmt::format("{}{}", text.empty() ? "" : between, part);
  return text;
}

/// Finds the CQL type of a column, and the UDTs that it needs on the way, the innermost first.
class TypePlan {
 public:
  explicit TypePlan(const TableName& name) : name_(name) {}

  Result<cql::CqlType> plan(const model::Type& type, const std::string& path) {
    cql::CqlType planned;
    planned.frozen = true;
    if (type.id == model::TypeId::kList) {
      planned.id = cql::CqlTypeId::kList;
      TRY(cql::CqlType element, plan(type.fields[0].type, path));
      planned.args.push_back(std::move(element));
      return planned;
    }
    if (type.id == model::TypeId::kStruct) return plan_struct(type, path);
    auto natural = cql::natural_cql_type(type);
    if (!natural)
      return fail(Errc::kInvalidArgument, fmt::format("column {}: Cassandra has no type for {}", path, model::to_sql(type)),
                  "cast it in the query");
    return std::move(*natural);
  }
  std::vector<std::string> take_statements() { return std::move(statements_); }

 private:
  Result<cql::CqlType> plan_struct(const model::Type& type, const std::string& path) {
    cql::CqlType planned;
    planned.id = cql::CqlTypeId::kUdt;
    planned.frozen = true;
    planned.name = name_.table + "_" + path;
    std::vector<std::string> fields;
    for (const model::Field& field : type.fields) {
      TRY(cql::CqlType inner, plan(field.type, path + "_" + field.name));
      fields.push_back(quote_identifier(field.name) + " " + cql::to_cql(inner));
    }
    statements_.push_back(fmt::format("CREATE TYPE IF NOT EXISTS {}.{} ({})", quote_identifier(name_.keyspace),
                                      quote_identifier(planned.name), joined(fields, ", ")));
    return planned;
  }

  const TableName& name_;
  std::vector<std::string> statements_;
};

std::vector<const ExistingColumn*> of_kind(const ExistingTable& table, Kind kind) {
  std::vector<const ExistingColumn*> list;
  for (const ExistingColumn& column : table.columns) {
    if (column.kind == kind) list.push_back(&column);
  }
  std::sort(list.begin(), list.end(), [](auto* a, auto* b) { return a->position < b->position; });
  return list;
}

std::string squashed(std::string_view name) {
  std::string text;
  for (char c : name) {
    if (c != '_') text += static_cast<char>(c >= 'A' && c <= 'Z' ? c + ('a' - 'A') : c);
  }
  return text;
}

/// Levenshtein's distance.
size_t distance(std::string_view a, std::string_view b) {
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j < row.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t corner = std::exchange(row[0], i);
    for (size_t j = 1; j <= b.size(); ++j)
      corner = std::exchange(row[j], std::min({row[j] + 1, row[j - 1] + 1, corner + (a[i - 1] != b[j - 1])}));
  }
  return row[b.size()];
}

/// The column that was probably meant; null when none is close.
const ExistingColumn* closest(const ExistingTable& table, std::string_view name) {
  const ExistingColumn* best = nullptr;
  size_t best_distance = 3;
  for (const ExistingColumn& column : table.columns) {
    size_t d = distance(squashed(column.name), squashed(name));
    if (d < best_distance && d * 3 <= name.size()) {
      best = &column;
      best_distance = d;
    }
  }
  return best;
}

/// What differs, and what helps.
struct Differences {
  std::vector<std::string> faults;
  std::vector<std::string> remedies;

  void add(std::string fault, std::string remedy) {
    faults.push_back(std::move(fault));
    if (!remedy.empty() && std::find(remedies.begin(), remedies.end(), remedy) == remedies.end())
      remedies.push_back(std::move(remedy));
  }
};

void check_column(const TableName& name, const model::Field& field, const ExistingTable& table, Differences& out) {
  const ExistingColumn* column = table.find(field.name);
  if (column != nullptr) {
    Status writable = cql::check_writable(field.type, column->type);
    if (!writable) out.add(fmt::format("column {}: {}", field.name, writable.error().message), writable.error().hint);
    if (column->kind == Kind::kStatic)
      out.add(fmt::format("column {} is static: its value belongs to the whole partition", field.name), "");
    return;
  }
  TypePlan plan(name);
  auto type = plan.plan(field.type, field.name);
  std::string type_text = type ? cql::to_cql(*type) : model::to_sql(field.type);
  std::string fault = fmt::format("column {} {} is missing", field.name, type_text);
  std::string remedy = fmt::format("ALTER TABLE {}.{} ADD {} {}", cql::quote_cql_identifier(name.keyspace),
                                   cql::quote_cql_identifier(name.table), cql::quote_cql_identifier(field.name), type_text);
  if (const ExistingColumn* meant = closest(table, field.name)) {
    fault += fmt::format(" (did you mean {}? The table has {} {})", meant->name, meant->name, cql::to_cql(meant->type));
    remedy += fmt::format(", or name the query's column {}", meant->name);
  }
  out.add(std::move(fault), std::move(remedy));
}

void check_key(const model::TableDef& def, const ExistingTable& table, Differences& out) {
  const std::string remedy = "the key of a table cannot be changed: declare it as it is, or take another table";
  auto compare = [&](std::string_view what, const std::vector<std::string>& declared, const std::vector<std::string>& there) {
    bool same = declared.size() == there.size();
    for (size_t i = 0; same && i < declared.size(); ++i) same = model::same_name(declared[i], there[i]);
    if (!same)
      out.add(fmt::format("its {} is ({}), declared is ({})", what, joined(there, ", "), joined(declared, ", ")), remedy);
  };
  std::vector<std::string> declared, there;
  for (size_t column : def.partition_key) declared.push_back(def.schema.fields[column].name);
  for (const ExistingColumn* column : of_kind(table, Kind::kPartitionKey)) there.push_back(column->name);
  compare("partition key", declared, there);
  auto ordered = [](const std::string& name, bool descending) { return name + (descending ? " desc" : ""); };
  declared.clear();
  there.clear();
  for (const model::ClusteringColumn& key : def.clustering)
    declared.push_back(ordered(def.schema.fields[key.column].name, key.descending));
  for (const ExistingColumn* column : of_kind(table, Kind::kClustering))
    there.push_back(ordered(column->name, column->descending));
  compare("clustering key", declared, there);
}

}  // namespace

std::string TableName::quoted() const { return quote_identifier(keyspace) + "." + quote_identifier(table); }

Result<TableName> parse_table_name(std::string_view name) {
  size_t dot = name.find('.');
  if (dot == std::string_view::npos || dot == 0 || dot + 1 == name.size() || name.find('.', dot + 1) != std::string_view::npos)
    return fail(Errc::kInvalidArgument, fmt::format("table {}: Cassandra needs a name of two parts", name),
                "write keyspace.table");
  return TableName{std::string(name.substr(0, dot)), std::string(name.substr(dot + 1))};
}

const ExistingColumn* ExistingTable::find(std::string_view name) const {
  const ExistingColumn* found = nullptr;
  for (const ExistingColumn& column : columns) {
    if (column.name == name) return &column;
    if (model::same_name(column.name, name)) found = &column;
  }
  return found;
}

Result<std::vector<std::string>> create_statements(const TableName& name, const model::TableDef& def) {
  TypePlan plan(name);
  std::string columns;
  for (const model::Field& field : def.schema.fields) {
    TRY(cql::CqlType type, plan.plan(field.type, field.name));
    columns += fmt::format("{} {}, ", quote_identifier(field.name), cql::to_cql(type));
  }
  std::vector<std::string> partition, key, order;
  for (size_t column : def.partition_key) partition.push_back(quote_identifier(def.schema.fields[column].name));
  key.push_back("(" + joined(partition, ", ") + ")");
  for (const model::ClusteringColumn& clustering : def.clustering) {
    std::string column = quote_identifier(def.schema.fields[clustering.column].name);
    key.push_back(column);
    order.push_back(column + (clustering.descending ? " DESC" : " ASC"));
  }
  std::vector<std::string> statements = plan.take_statements();
  statements.push_back(fmt::format("CREATE TABLE IF NOT EXISTS {} ({}PRIMARY KEY ({})){}", name.quoted(), columns,
                                   joined(key, ", "),
                                   order.empty() ? "" : fmt::format(" WITH CLUSTERING ORDER BY ({})", joined(order, ", "))));
  return statements;
}

Status check_shape(const TableName& name, const model::TableDef& def, const ExistingTable& existing) {
  Differences found;
  for (const model::Field& field : def.schema.fields) check_column(name, field, existing, found);
  check_key(def, existing, found);
  if (found.faults.empty()) return {};
  return fail(Errc::kFailedPrecondition,
              fmt::format("table {} in Cassandra is not as declared: {}", name.text(), joined(found.faults, "; ")),
              joined(found.remedies, "; "));
}

}  // namespace millrace::connect::cassandra
