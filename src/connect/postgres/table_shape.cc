#include "connect/postgres/table_shape.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

#include "base/printable.h"

namespace millrace::connect::postgres {
namespace {

constexpr size_t kNameBytesMax = 63;

constexpr const char* kFindTable = "SELECT c.oid::text, c.relkind FROM pg_class c WHERE c.oid = to_regclass($1)";
constexpr const char* kColumns =
    "SELECT a.attname, format_type(a.atttypid, NULL), format_type(a.atttypid, a.atttypmod), "
    "t.typtype='e' OR coalesce(e.typtype='e', false), a.attnotnull, a.atthasdef OR a.attidentity<>'', a.attgenerated<>'', "
    "CASE WHEN coalesce(nullif(t.typelem,0), t.oid)=1700 AND a.atttypmod>0 THEN a.atttypmod-4 ELSE 0 END "
    "FROM pg_attribute a JOIN pg_type t ON t.oid=a.atttypid LEFT JOIN pg_type e ON e.oid=t.typelem "
    "WHERE a.attrelid=$1::oid AND a.attnum>0 AND NOT a.attisdropped ORDER BY a.attnum";
constexpr const char* kUniqueKeys =
    "SELECT i.indexrelid::text, a.attname FROM pg_index i JOIN pg_attribute a ON a.attrelid=i.indrelid AND "
    "a.attnum=ANY(i.indkey[0:i.indnkeyatts-1]) WHERE i.indrelid=$1::oid AND i.indisunique AND i.indisvalid AND i.indimmediate "
    "AND i.indpred IS NULL AND i.indexprs IS NULL ORDER BY 1";

bool is_true(std::string_view text) { return text == "t"; }

ServerColumn read_column(const Rows& rows, size_t row) {
  ServerColumn column;
  column.name = rows.text(row, 0);
  column.type.name = rows.text(row, 1);
  column.shown_type = rows.text(row, 2);
  column.type.is_enum = is_true(rows.text(row, 3));
  column.not_null = is_true(rows.text(row, 4));
  column.has_default = is_true(rows.text(row, 5));
  column.is_generated = is_true(rows.text(row, 6));
  auto modifier = static_cast<int>(rows.integer(row, 7));
  column.type.width = modifier >> 16;
  // 11 bits with a sign since PostgreSQL 15; earlier ones have none, and none negative.
  column.type.scale = ((modifier & 0x7ff) ^ 0x400) - 0x400;
  return column;
}

std::string_view kind_word(char kind) {
  switch (kind) {
    case 'v': return "a view";
    case 'm': return "a materialized view";
    case 'f': return "a foreign table";
    default: return "no table";
  }
}

/// The differences so far, and the statements that would mend them.
struct Differences {
  std::vector<std::string> words, remedies;
};

void compare_column(const std::string& table, const model::Field& field, const ServerTable& server, Differences& out) {
  const ServerColumn* column = server.find(field.name);
  std::string name = model::quote_identifier(field.name), type = ddl_type(field.type);
  if (column == nullptr) {
    std::vector<std::string_view> known;
    for (const ServerColumn& one : server.columns) known.push_back(one.name);
    std::string_view near = nearest_name(field.name, known);
    out.words.push_back(near.empty() ? fmt::format("it has no column '{}'", field.name)
                                     : fmt::format("it has no column '{}' (did you mean '{}'?)", field.name, near));
    out.remedies.push_back(
        near.empty() ? fmt::format("ALTER TABLE {} ADD COLUMN {} {}", table, name, type)
                     : fmt::format("ALTER TABLE {} RENAME COLUMN {} TO {}", table, model::quote_identifier(near), name));
  } else if (column->is_generated) {
    out.words.push_back(fmt::format("column '{}' is computed by the server", column->name));
    out.remedies.push_back(
        fmt::format("ALTER TABLE {} ALTER COLUMN {} DROP EXPRESSION", table, model::quote_identifier(column->name)));
  } else if (!fits(field.type, column->type)) {
    std::string quoted = model::quote_identifier(column->name);
    out.words.push_back(fmt::format("column '{}' is {}, and {} is wanted", column->name, column->shown_type, type));
    out.remedies.push_back(fmt::format("ALTER TABLE {} ALTER COLUMN {} TYPE {} USING {}::{}", table, quoted, type, quoted, type));
  }
}

void compare_key(const std::string& table, const model::TableDef& def, const ServerTable& server, Differences& out) {
  std::set<std::string> key;
  std::vector<std::string> quoted;
  for (size_t column : key_of(def)) {
    const ServerColumn* found = server.find(def.schema.fields[column].name);
    if (found == nullptr) return;  // said already
    key.insert(found->name);
    quoted.push_back(model::quote_identifier(found->name));
  }
  if (std::find(server.unique_keys.begin(), server.unique_keys.end(), key) != server.unique_keys.end()) return;
  out.words.push_back(fmt::format("it has no primary key or unique index on exactly ({})", fmt::join(key, ", ")));
  out.remedies.push_back(fmt::format("ALTER TABLE {} ADD UNIQUE ({})", table, fmt::join(quoted, ", ")));
}

/// What the server demands of every row and no row of the definition would have.
void compare_demands(const std::string& table, const model::TableDef& def, const ServerTable& server, Differences& out) {
  for (const ServerColumn& column : server.columns) {
    if (!column.not_null || column.has_default || column.is_generated || def.schema.find(column.name)) continue;
    out.words.push_back(fmt::format("column '{}' must not be NULL, has no default, and the query does not give it", column.name));
    out.remedies.push_back(
        fmt::format("ALTER TABLE {} ALTER COLUMN {} DROP NOT NULL", table, model::quote_identifier(column.name)));
  }
}

}  // namespace

std::string TableName::quoted() const {
  return schema.empty() ? model::quote_identifier(table) : model::quote_identifier(schema) + "." + model::quote_identifier(table);
}

Result<TableName> parse_table_name(const std::string& name) {
  size_t dot = name.find('.');
  TableName out = dot == std::string::npos ? TableName{"", name} : TableName{name.substr(0, dot), name.substr(dot + 1)};
  for (const std::string& part : {dot == std::string::npos ? out.table : out.schema, out.table}) {
    if (part.empty() || part.size() > kNameBytesMax || part.find('\0') != std::string::npos)
      return fail(Errc::kInvalidArgument, fmt::format("'{}' cannot be the name of a PostgreSQL table", printable(name)),
                  fmt::format("schema.table or table, each of 1 to {} bytes", kNameBytesMax));
  }
  return out;
}

const ServerColumn* ServerTable::find(std::string_view name) const {
  auto same = std::find_if(columns.begin(), columns.end(), [&](const ServerColumn& c) { return c.name == name; });
  if (same == columns.end())
    same = std::find_if(columns.begin(), columns.end(), [&](const ServerColumn& c) { return model::same_name(c.name, name); });
  return same == columns.end() ? nullptr : &*same;
}

bool ServerTable::has_version(const model::TableDef& def) const {
  if (def.schema.find(kVersionColumn)) return false;
  return std::any_of(columns.begin(), columns.end(),
                     [](const ServerColumn& c) { return c.name == kVersionColumn && c.type.name == "bigint"; });
}

Result<std::optional<ServerTable>> read_table(Connection& connection, const TableName& name) {
  TRY(Rows found, connection.query(kFindTable, {name.quoted()}));
  if (found.size() == 0) return std::optional<ServerTable>();
  ServerTable table;
  table.oid = found.text(0, 0);
  table.kind = found.text(0, 1)[0];
  TRY(Rows columns, connection.query(kColumns, {table.oid}));
  for (size_t i = 0; i < columns.size(); ++i) table.columns.push_back(read_column(columns, i));
  TRY(Rows keys, connection.query(kUniqueKeys, {table.oid}));
  std::map<std::string, std::set<std::string>> by_index;
  for (size_t i = 0; i < keys.size(); ++i) by_index[std::string(keys.text(i, 0))].emplace(keys.text(i, 1));
  for (auto& [index, key] : by_index) table.unique_keys.push_back(std::move(key));
  return std::optional<ServerTable>(std::move(table));
}

std::vector<size_t> key_of(const model::TableDef& def) {
  std::vector<size_t> key = def.partition_key;
  for (const model::ClusteringColumn& column : def.clustering) key.push_back(column.column);
  return key;
}

std::string create_statement(const TableName& name, const model::TableDef& def, const std::set<std::string>& as_jsonb) {
  std::string sql = fmt::format("CREATE TABLE {} (", name.quoted());
  for (const model::Field& field : def.schema.fields) {
    bool json = field.type.id == model::TypeId::kText && as_jsonb.contains(field.name);
    sql += fmt::format("{} {}, ", model::quote_identifier(field.name), json ? "jsonb" : ddl_type(field.type));
  }
  if (!def.schema.find(kVersionColumn)) sql += fmt::format("{} bigint NOT NULL DEFAULT 0, ", kVersionColumn);
  std::vector<std::string> key;
  for (size_t column : key_of(def)) key.push_back(model::quote_identifier(def.schema.fields[column].name));
  return sql + fmt::format("PRIMARY KEY ({}))", fmt::join(key, ", "));
}

Status compare(const TableName& name, const model::TableDef& def, const ServerTable& server) {
  if (server.kind != 'r' && server.kind != 'p')
    return fail(Errc::kFailedPrecondition, fmt::format("table {}: it is {}", def.name, kind_word(server.kind)),
                "give the query a table");
  Differences found;
  for (const model::Field& field : def.schema.fields) compare_column(name.quoted(), field, server, found);
  compare_key(name.quoted(), def, server, found);
  compare_demands(name.quoted(), def, server, found);
  if (found.words.empty()) return {};
  return fail(Errc::kFailedPrecondition, fmt::format("table {} differs: {}", def.name, fmt::join(found.words, "; ")),
              fmt::format("{}", fmt::join(found.remedies, "; ")));
}

}  // namespace millrace::connect::postgres
