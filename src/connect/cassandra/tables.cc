#include "connect/cassandra/tables.h"

#include <fmt/format.h>

#include <algorithm>

#include "connect/cassandra/system_schema.h"
#include "connect/cassandra/table_relation.h"
#include "connect/cassandra/table_sink.h"

namespace millrace::connect::cassandra {
namespace {
constexpr size_t kReplicas = 3;
}  // namespace

Status check_options(const std::string& url, const std::map<std::string, std::string>& options) {
  TRY_DO(read_settings(url, options));
  return {};
}

Result<std::unique_ptr<CassandraTables>> CassandraTables::open(const CassandraOptions& options, env::Env env) {
  TRY(Settings settings, read_settings(options.url, options.options));
  TRY(auto session, Session::open(std::move(settings), env.clock));
  return std::unique_ptr<CassandraTables>(new CassandraTables(std::move(session), env.clock));
}

Status CassandraTables::create_keyspace(const std::string& keyspace) {
  SessionState state = session_->state();
  Replication replication{Replication::Strategy::kNetworkTopology, 0, {}};
  if (session_->settings().replication) {
    replication = *session_->settings().replication;
  } else {
    auto local = std::count_if(state.cluster.nodes.begin(), state.cluster.nodes.end(),
                               [&](const NodeInfo& node) { return node.place.dc == state.local_dc; });
    replication.per_dc[""] = static_cast<int32_t>(std::clamp<size_t>(static_cast<size_t>(local), 1, kReplicas));
  }
  return session_->change_schema(fmt::format("CREATE KEYSPACE IF NOT EXISTS {} WITH replication = {}",
                                             model::quote_identifier(keyspace), to_cql(replication, state.local_dc)));
}

Result<std::string> CassandraTables::declare(const model::TableDef& def) {
  TRY(TableName name, parse_table_name(def.name));
  auto where = [&](Error error) { return fail(at("table " + name.text(), std::move(error))); };
  TRY(auto table, read_table(*session_, name));
  if (!table) {
    TRY(auto statements, create_statements(name, def));
    TRY(bool exists, keyspace_exists(*session_, name.keyspace));
    Status made = exists ? Status() : create_keyspace(name.keyspace);
    for (size_t i = 0; made && i < statements.size(); ++i) made = session_->change_schema(statements[i]);
    if (!made) return where(made.error());
    TRY(table, read_table(*session_, name));
  }
  if (!table) return where({Errc::kUnavailable, "Cassandra made it, and does not know it", ""});
  TRY_DO(check_shape(name, def, *table));
  return table->id;
}

Result<std::unique_ptr<port::Sink>> CassandraTables::sink(const port::TableSinkSpec& spec) {
  return TableSink::create(*session_, clock_, spec);
}

Result<std::unique_ptr<port::Relation>> CassandraTables::relation(const model::TableDef& def) {
  TRY(TableName name, parse_table_name(def.name));
  TRY(auto table, read_table(*session_, name));
  if (!table) return fail(Errc::kFailedPrecondition, fmt::format("table {} is not in Cassandra", name.text()));
  TRY_DO(check_shape(name, def, *table));
  return std::make_unique<TableRelation>(*session_, std::move(name), def, std::move(*table));
}

}  // namespace millrace::connect::cassandra
