#include "connect/postgres/tables.h"

#include <fmt/format.h>

#include "connect/postgres/merge_sql.h"
#include "connect/postgres/table_relation.h"
#include "connect/postgres/table_sink.h"

namespace millrace::connect::postgres {
namespace {

constexpr Duration kPatience = std::chrono::seconds(10);

Status check_def(const model::TableDef& def) {
  if (def.ttl)
    return fail(Errc::kInvalidArgument, fmt::format("table {}: PostgreSQL keeps rows for ever, it has no ttl", def.name),
                "take the ttl away, and delete old rows in a dag: sql: DELETE FROM … WHERE …");
  if (def.partition_key.empty()) return fail(Errc::kInvalidArgument, fmt::format("table {}: it has no key", def.name));
  return {};
}

/// Without versions nothing tells an earlier row of another process from a later one.
Status check_shareable(const TableName& name, const model::TableDef& def, const ServerTable& table) {
  if (table.has_version(def)) return {};
  if (const ServerColumn* column = table.find(kVersionColumn)) {
    return fail(Errc::kFailedPrecondition,
                fmt::format("table {}: several processes write it, so {} must hold their rows' versions, and it is a column of "
                            "yours ({})",
                            def.name, kVersionColumn, column->shown_type),
                fmt::format("ALTER TABLE {} RENAME COLUMN \"{}\" TO …", name.quoted(), column->name));
  }
  return fail(Errc::kFailedPrecondition,
              fmt::format("table {}: several processes write it, and it has no column {} by which the latest row wins", def.name,
                          kVersionColumn),
              fmt::format("ALTER TABLE {} ADD COLUMN \"{}\" bigint NOT NULL DEFAULT 0", name.quoted(), kVersionColumn));
}

}  // namespace

Result<std::unique_ptr<PostgresTables>> PostgresTables::open(const PostgresOptions& options, env::Env env) {
  TRY(Target target, read_options(options));
  return std::unique_ptr<PostgresTables>(new PostgresTables(std::move(target), env.clock));
}

void PostgresTables::create_as_jsonb(const std::string& table, const std::string& column) {
  MutexLock lock(mutex_);
  jsonb_.emplace(table, column);
}

Result<std::unique_ptr<Connection>> PostgresTables::connect() {
  std::string name = target_.application_name.empty() ? "millrace" : target_.application_name;
  return Connection::open_patiently(target_, name, interrupt_, clock_, kPatience);
}

Result<std::string> PostgresTables::declare(const model::TableDef& def) {
  TRY_DO(check_def(def));
  TRY(TableName name, parse_table_name(def.name));
  TRY(auto connection, connect());
  TRY(auto table, read_table(*connection, name));
  if (!table) {
    TRY_DO(create(*connection, name, def));
    TRY(table, read_table(*connection, name));
  }
  if (!table) return fail(Errc::kFailedPrecondition, fmt::format("table {} was dropped while it was looked at", def.name));
  TRY_DO(compare(name, def, *table));
  return table->oid;
}

/// Or finds that somebody else was quicker.
Status PostgresTables::create(Connection& connection, const TableName& name, const model::TableDef& def) {
  std::set<std::string> as_jsonb;
  {
    MutexLock lock(mutex_);
    for (const auto& [table, column] : jsonb_) {
      if (table == def.name) as_jsonb.insert(column);
    }
  }
  TRY_DO(connection.execute("BEGIN; " + schema_lock_statement()));
  TRY(auto table, read_table(connection, name));
  if (!table) {
    if (!name.schema.empty()) TRY_DO(make_schema(connection, name.schema));
    TRY_DO(connection.execute(create_statement(name, def, as_jsonb)));
  }
  TRY_DO(connection.execute("COMMIT"));
  return {};
}

Result<ServerTable> PostgresTables::existing(const model::TableDef& def, TableName& name) {
  TRY(name, parse_table_name(def.name));
  TRY(auto connection, connect());
  TRY(auto table, read_table(*connection, name));
  if (!table) return fail(Errc::kFailedPrecondition, fmt::format("{}: table {} is gone", target_.shown, def.name));
  return std::move(*table);
}

Result<std::unique_ptr<port::Sink>> PostgresTables::sink(const port::TableSinkSpec& spec) {
  TableName name;
  TRY(ServerTable table, existing(spec.def, name));
  TRY_DO(compare(name, spec.def, table));
  if (spec.shared) TRY_DO(check_shareable(name, spec.def, table));
  TRY(MergeSql sql, make_merge_sql(name, spec, table));
  auto interrupt = std::make_shared<Interrupt>();
  Writer writer{spec.pipeline, spec.query, spec.shared, table.oid, sql.create_stage};
  auto session = std::make_unique<WriterSession>(target_, std::move(writer), interrupt, clock_);
  return std::make_unique<TableSink>(std::move(sql), std::move(session), std::move(interrupt));
}

Result<std::unique_ptr<port::Relation>> PostgresTables::relation(const model::TableDef& def) {
  TableName name;
  TRY(ServerTable table, existing(def, name));
  std::vector<std::string> columns;
  for (const model::Field& field : def.schema.fields) {
    const ServerColumn* column = table.find(field.name);
    if (column == nullptr)
      return fail(Errc::kFailedPrecondition, fmt::format("{}: table {} has no column '{}'", target_.shown, def.name, field.name));
    columns.push_back(model::quote_identifier(column->name));
  }
  auto open = [target = target_, interrupt = interrupt_, clock = &clock_] {
    std::string application = target.application_name.empty() ? "millrace" : target.application_name;
    return Connection::open(target, application, interrupt, *clock);
  };
  return std::make_unique<TableRelation>(def.schema, name.quoted(), std::move(columns), open);
}

}  // namespace millrace::connect::postgres
