#include "connect/cassandra/system_schema.h"

#include <fmt/format.h>

#include <map>

namespace millrace::connect::cassandra {
namespace {

using Kind = ExistingColumn::Kind;

Result<Reply> select(Session& session, std::string_view text, std::initializer_list<std::string_view> values) {
  cql::Values bound;
  for (std::string_view value : values) bound.values.push_back(cql::Value::of(value));
  TRY(Reply reply, session.query_system(text, bound));
  if (reply.rows() == nullptr) return fail(Errc::kCorruption, "system_schema was answered without rows");
  return reply;
}

/// The UDTs of the keyspace by name, their fields resolved.
class Types {
 public:
  Status read(Session& session, const std::string& keyspace) {
    TRY(Reply reply,
        select(session, "SELECT type_name, field_names, field_types FROM system_schema.types WHERE keyspace_name = ?",
               {keyspace}));
    Status parsed;
    TRY_DO(for_each_row(*reply.rows(), [&](const RowView& row) {
      cql::CqlType type;
      type.id = cql::CqlTypeId::kUdt;
      type.name = row.text("type_name");
      type.keyspace = keyspace;
      type.field_names = row.texts("field_names");
      for (const std::string& text : row.texts("field_types")) {
        auto field = cql::parse_cql_type(text);
        if (!field) parsed = fail(field.error());
        type.args.push_back(field ? std::move(*field) : cql::CqlType{});
      }
      types_[type.name] = std::move(type);
    }));
    return parsed;
  }
  Result<cql::CqlType> parse(const std::string& text) const {
    TRY(cql::CqlType type, cql::parse_cql_type(text));
    TRY_DO(cql::resolve_udts(type, [&](std::string_view name) -> const cql::CqlType* {
      auto found = types_.find(name);
      return found == types_.end() ? nullptr : &found->second;
    }));
    return type;
  }

 private:
  std::map<std::string, cql::CqlType, std::less<>> types_;
};

Kind kind_of(std::string_view text) {
  if (text == "partition_key") return Kind::kPartitionKey;
  if (text == "clustering") return Kind::kClustering;
  return text == "static" ? Kind::kStatic : Kind::kRegular;
}

}  // namespace

Result<bool> keyspace_exists(Session& session, const std::string& keyspace) {
  TRY(Reply reply, select(session, "SELECT keyspace_name FROM system_schema.keyspaces WHERE keyspace_name = ?", {keyspace}));
  return reply.rows()->row_count > 0;
}

Result<std::optional<ExistingTable>> read_table(Session& session, const TableName& name) {
  TRY(Reply table, select(session, "SELECT id FROM system_schema.tables WHERE keyspace_name = ? AND table_name = ?",
                          {name.keyspace, name.table}));
  if (table.rows()->row_count == 0) return std::nullopt;
  ExistingTable existing;
  TRY_DO(for_each_row(*table.rows(), [&](const RowView& row) { existing.id = format_uuid(row.uuid("id")); }));
  Types types;
  TRY_DO(types.read(session, name.keyspace));
  TRY(Reply columns, select(session,
                            "SELECT column_name, type, kind, position, clustering_order FROM system_schema.columns "
                            "WHERE keyspace_name = ? AND table_name = ?",
                            {name.keyspace, name.table}));
  Status parsed;
  TRY_DO(for_each_row(*columns.rows(), [&](const RowView& row) {
    auto type = types.parse(row.text("type"));
    if (!type) parsed = fail(at(fmt::format("column {} of {}", row.text("column_name"), name.text()), type.error()));
    existing.columns.push_back({row.text("column_name"), type ? std::move(*type) : cql::CqlType{}, kind_of(row.bytes("kind")),
                                row.integer("position", -1), row.bytes("clustering_order") == "desc"});
  }));
  TRY_DO(parsed);
  return existing;
}

}  // namespace millrace::connect::cassandra
