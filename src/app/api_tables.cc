#include <fmt/format.h>

#include "app/api.h"
#include "format/json_write.h"
#include "format/text.h"
#include "model/column_builder.h"
#include "table/table_reader.h"
#include "table/table_writer.h"

namespace millrace::app {
namespace {

using format::Json;
using TablePtr = table::Tables::TablePtr;

Result<TablePtr> table_of(const Call& call) {
  TablePtr found = call.instance.data().tables().find(call.path[0]);
  if (found != nullptr) return found;
  std::string known;
  for (const TablePtr& other : call.instance.data().tables().list()) known += (known.empty() ? "" : ", ") + other->def.name;
  return fail(Errc::kNotFound, fmt::format("there is no table '{}'", call.path[0]),
              known.empty() ? "declare one in the pipeline file" : "there are: " + known);
}

/// The key texts of a path, read as the types of the leading key columns.
Result<model::ColumnBatch> key_of(const TablePtr& table, std::span<const std::string> texts) {
  if (texts.size() > table->key_columns.size()) {
    return fail(Errc::kInvalidArgument,
                fmt::format("the key of {} has {} columns, not {}", table->def.name, table->key_columns.size(), texts.size()));
  }
  auto schema = std::make_shared<model::Schema>();
  for (size_t i = 0; i < texts.size(); ++i) schema->fields.push_back(table->def.schema.fields[table->key_columns[i].column]);
  model::BatchBuilder builder(schema);
  for (size_t i = 0; i < texts.size(); ++i) {
    if (Status read = format::append_text_as(builder.column(i), texts[i]); !read) {
      return fail(at(fmt::format("key column {} of {}", schema->fields[i].name, table->def.name), read.error()));
    }
  }
  return std::move(builder).finish();
}

std::vector<size_t> all_columns(const TablePtr& table) {
  std::vector<size_t> columns(table->def.schema.fields.size());
  for (size_t i = 0; i < columns.size(); ++i) columns[i] = i;
  return columns;
}

Json summary(const model::TableDef& def) {
  Json json = Json::object();
  Json partition_key = Json::array(), clustering = Json::array();
  for (size_t column : def.partition_key) partition_key.push(def.schema.fields[column].name);
  for (const auto& column : def.clustering)
    clustering.push(def.schema.fields[column.column].name + (column.descending ? " desc" : ""));
  json.set("table", def.name)
      .set("partition_key", std::move(partition_key))
      .set("clustering", std::move(clustering))
      .set("ttl", def.ttl ? Json(format_duration(*def.ttl)) : Json())
      .set("delete_when", def.delete_when.empty() ? Json() : Json(def.delete_when));
  return json;
}

Json columns_json(const table::Table& table) {
  Json columns = Json::array();
  for (size_t i = 0; i < table.def.schema.fields.size(); ++i) {
    Json column = Json::object();
    column.set("name", table.def.schema.fields[i].name)
        .set("type", model::to_sql(table.def.schema.fields[i].type))
        .set("key", table.is_key(i));
    columns.push(std::move(column));
  }
  return columns;
}

/// The table of another system that has this name; null when there is none.
std::optional<TableElsewhere> elsewhere(const Call& call) {
  for (TableElsewhere& table : call.instance.tables_elsewhere()) {
    if (model::same_name(table.def.name, call.path[0])) return std::move(table);
  }
  return std::nullopt;
}

Status refuse_elsewhere(const Call& call) {
  if (!elsewhere(call)) return {};
  return fail(Errc::kFailedPrecondition,
              fmt::format("table {} is in another system, which this command does not change", call.path[0]),
              "use the tools of that system, such as cqlsh or psql");
}

std::string quote_text(std::string_view text) {
  std::string out = "'";
  for (char c : text) out += c == '\'' ? std::string("''") : std::string(1, c);
  return out + "'";
}

/// The row of a whole key, or the rows that share the leading key columns which are given.
Result<Response> get_elsewhere(const Call& call, const TableElsewhere& elsewhere) {
  table::Table table(0, elsewhere.def);
  std::span<const std::string> texts = std::span(call.path).subspan(1);
  if (texts.size() > table.key_columns.size() || texts.size() < table.def.partition_key.size()) {
    return fail(Errc::kInvalidArgument,
                fmt::format("the key of {} has {} columns, not {}", table.def.name, table.key_columns.size(), texts.size()));
  }
  // The engine filters again what a relation could not.
  size_t dot = table.def.name.find('.');
  std::string sql = fmt::format("SELECT * FROM {}.{} WHERE true", model::quote_identifier(table.def.name.substr(0, dot)),
                                model::quote_identifier(table.def.name.substr(dot + 1)));
  for (size_t i = 0; i < texts.size(); ++i) {
    const model::Field& column = table.def.schema.fields[table.key_columns[i].column];
    sql += fmt::format(" AND {} = CAST({} AS {})", model::quote_identifier(column.name), quote_text(texts[i]),
                       model::to_sql(column.type));
  }
  TRY(int64_t limit, call.number("limit", 10'000, 1, 100'000));
  Response response;
  bool one = texts.size() == table.key_columns.size();
  if (!one) response.body = "[";
  int64_t found = 0;
  TRY_DO(call.instance.shell_engine().execute(fmt::format("{} LIMIT {}", sql, limit), call.instance.catalog(),
                                              {call.instance.options().statement_time_max},
                                              [&](const model::ColumnBatch& rows) -> Status {
                                                for (size_t i = 0; i < rows.rows; ++i, ++found) {
                                                  if (found > 0) response.body += ",\n ";
                                                  format::append_row_json(response.body, rows, i);
                                                }
                                                return {};
                                              }));
  if (one && found == 0) return fail(Errc::kNotFound, fmt::format("{} has no row with this key", table.def.name));
  if (!one) response.body += "]";
  return response;
}

Result<Response> list(const Call& call) {
  Json tables = Json::array();
  for (const TableElsewhere& table : call.instance.tables_elsewhere())
    tables.push(summary(table.def).set("columns", table.def.schema.fields.size()));
  for (const TablePtr& table : call.instance.data().tables().list())
    tables.push(summary(table->def).set("columns", table->def.schema.fields.size()));
  return json_response(tables);
}

Result<Response> describe(const Call& call) {
  if (auto there = elsewhere(call)) {
    Json json = summary(there->def);
    json.set("columns", columns_json(table::Table(0, there->def))).set("rows", Json());  // counting may take that system long
    return json_response(json);
  }
  TRY(TablePtr table, table_of(call));
  Json json = summary(table->def);
  TRY(uint64_t rows,
      table::count_rows(call.instance.data().store(), *table, table::whole_table(*table), call.instance.env().clock.now()));
  json.set("columns", columns_json(*table)).set("rows", rows);
  return json_response(json);
}

/// The row of a whole key, or the rows that share the leading key columns which are given.
Result<Response> get(const Call& call) {
  if (auto there = elsewhere(call)) return get_elsewhere(call, *there);
  TRY(TablePtr table, table_of(call));
  std::span<const std::string> texts = std::span(call.path).subspan(1);
  TRY(model::ColumnBatch key, key_of(table, texts));
  store::Store& store = call.instance.data().store();
  Instant now = call.instance.env().clock.now();
  Response response;
  if (texts.size() == table->key_columns.size()) {
    TRY(model::ColumnBatch row, table::get_row(store, *table, key.columns, all_columns(table), now));
    if (row.rows == 0) return fail(Errc::kNotFound, fmt::format("{} has no row with this key", table->def.name));
    format::append_row_json(response.body, row, 0);
    return response;
  }
  if (texts.size() < table->def.partition_key.size()) {
    return fail(Errc::kInvalidArgument,
                fmt::format("{} of the {} partition key columns of {} are given", texts.size(), table->def.partition_key.size(),
                            table->def.name),
                "give all of them, or ask with SQL");
  }
  TRY(int64_t limit, call.number("limit", 10'000, 1, 100'000));
  TRY(table::KeyRange range, table::key_range(*table, key.columns));
  table::TableScan scan(store, table, range, all_columns(table), now);
  response.body = "[";
  while (limit > 0) {
    TRY(model::ColumnBatch rows, scan.next());
    if (rows.rows == 0) break;
    for (size_t i = 0; i < rows.rows && limit > 0; ++i, --limit) {
      if (response.body.size() > 1) response.body += ",\n ";
      format::append_row_json(response.body, rows, i);
    }
  }
  response.body += "]";
  return response;
}

/// A tombstone of the present moment: it wins over everything that was written before it.
Result<Response> erase_row(const Call& call) {
  TRY_DO(refuse_elsewhere(call));
  TRY(TablePtr table, table_of(call));
  std::span<const std::string> texts = std::span(call.path).subspan(1);
  if (texts.size() != table->key_columns.size()) {
    return fail(Errc::kInvalidArgument, fmt::format("the key of {} has {} columns, {} are given", table->def.name,
                                                    table->key_columns.size(), texts.size()));
  }
  TRY(model::ColumnBatch key, key_of(table, texts));
  Instant now = call.instance.env().clock.now();
  TRY(model::ColumnBatch row, table::get_row(call.instance.data().store(), *table, key.columns, all_columns(table), now));
  Json json = Json::object();
  json.set("table", table->def.name).set("deleted", row.rows);
  if (row.rows == 0) return json_response(json);
  table::TableWriter writer(table);
  uint64_t version = static_cast<uint64_t>(to_micros(now));
  int64_t timestamp = to_micros(now);
  uint8_t erased = 1;
  TRY(auto report, writer.add(row, {std::span(&version, 1), std::span(&timestamp, 1), std::span(&erased, 1)}, now));
  store::Batch batch;
  writer.add_to(batch);
  TRY_DO(call.instance.data().store().commit(std::move(batch), store::Durability::kSync));
  return json_response(json);
}

Result<Response> drop(const Call& call) {
  TRY_DO(refuse_elsewhere(call));
  TRY(TablePtr table, table_of(call));
  TRY_DO(call.instance.check_unused_table(table->def.name));
  TRY_DO(call.instance.data().tables().drop(table->def.name));
  Json json = Json::object();
  json.set("table", table->def.name).set("deleted", true);
  return json_response(json);
}

Result<Response> truncate(const Call& call) {
  TRY_DO(refuse_elsewhere(call));
  TRY(TablePtr table, table_of(call));
  TRY_DO(call.instance.data().tables().truncate(table->def.name));
  Json json = Json::object();
  json.set("table", table->def.name).set("truncated", true);
  return json_response(json);
}

constexpr Route kRoutes[] = {
    {"GET", "/v1/tables", true, list},
    {"GET", "/v1/tables/*", true, describe},
    {"GET", "/v1/tables/**", true, get},
    {"DELETE", "/v1/tables/*", false, drop},
    {"DELETE", "/v1/tables/**", false, erase_row},
    {"POST", "/v1/tables/*/truncate", false, truncate},
};

}  // namespace

std::span<const Route> table_routes() { return kRoutes; }

}  // namespace millrace::app
