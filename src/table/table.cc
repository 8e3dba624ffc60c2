#include "table/table.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/bytes.h"
#include "table/key_codec.h"

namespace millrace::table {
namespace {

using model::TypeId;

constexpr size_t kColumnsMax = 4096;

bool has_interval(const model::Type& type) {
  if (type.id == TypeId::kInterval) return true;
  return std::any_of(type.fields.begin(), type.fields.end(), [](const model::Field& field) { return has_interval(field.type); });
}

Status bad(const TableDef& def, std::string what, std::string hint = {}) {
  return fail(Errc::kInvalidArgument, fmt::format("table {}: {}", def.name, what), std::move(hint));
}

Status check_columns(const TableDef& def) {
  const auto& fields = def.schema.fields;
  if (fields.empty()) return bad(def, "it has no columns");
  if (fields.size() > kColumnsMax) return bad(def, fmt::format("it has more than {} columns", kColumnsMax));
  for (size_t i = 0; i < fields.size(); ++i) {
    if (fields[i].name.empty()) return bad(def, fmt::format("column {} has no name", i + 1));
    if (def.schema.find(fields[i].name) != i) return bad(def, fmt::format("column {} is named twice", fields[i].name));
    if (has_interval(fields[i].type)) {
      return bad(def, fmt::format("column {} holds an interval, which cannot be stored", fields[i].name),
                 "store its microseconds as bigint");
    }
    // What the catalog cannot read back would keep the whole store from opening.
    if (!model::decode_schema(model::encode_schema({{fields[i]}}))) {
      return bad(def, fmt::format("column {} has a type that cannot be stored", fields[i].name),
                 "a type nests at most 64 deep, a struct has fields, a decimal 1 to 38 digits");
    }
  }
  return {};
}

}  // namespace

Table::Table(uint32_t id, TableDef definition) : id(id), def(std::move(definition)) {
  for (size_t column : def.partition_key) key_columns.push_back({column, false});
  key_columns.insert(key_columns.end(), def.clustering.begin(), def.clustering.end());
  for (size_t i = 0; i < def.schema.fields.size(); ++i) {
    if (!is_key(i)) value_columns.push_back(i);
  }
}

bool Table::is_key(size_t column) const {
  return std::any_of(key_columns.begin(), key_columns.end(), [&](const ClusteringColumn& key) { return key.column == column; });
}

Status check_table_def(const TableDef& def) {
  size_t dot = def.name.find('.');
  if (dot == 0 || dot == std::string::npos || dot + 1 == def.name.size() || def.name.find('.', dot + 1) != std::string::npos) {
    return bad(def, "a table's name is keyspace.table");
  }
  TRY_DO(check_columns(def));
  if (def.partition_key.empty()) return bad(def, "it has no partition key", "name the columns that tell its rows apart");
  std::vector<size_t> keys = def.partition_key;
  for (const ClusteringColumn& column : def.clustering) keys.push_back(column.column);
  for (size_t i = 0; i < keys.size(); ++i) {
    if (keys[i] >= def.schema.fields.size())
      return bad(def, fmt::format("its key names column {}, which it does not have", keys[i] + 1));
    const model::Field& field = def.schema.fields[keys[i]];
    if (std::find(keys.begin(), keys.begin() + static_cast<ptrdiff_t>(i), keys[i]) != keys.begin() + static_cast<ptrdiff_t>(i)) {
      return bad(def, fmt::format("column {} stands twice in its key", field.name));
    }
    if (!can_be_key(field.type)) {
      return bad(def, fmt::format("column {} cannot be a key: it is a {}", field.name, model::to_sql(field.type)));
    }
  }
  if (def.ttl && def.ttl->count() <= 0) return bad(def, "its ttl is not above zero");
  return {};
}

Status check_evolution(const TableDef& now, const TableDef& next) {
  auto refuse = [&](std::string what) {
    return fail(
        Errc::kFailedPrecondition, fmt::format("table {}: {}", now.name, what),
        "only new columns at the end, the ttl and the delete rule can change; for the rest make a new table, or drop this one");
  };
  const auto& old_fields = now.schema.fields;
  const auto& new_fields = next.schema.fields;
  for (size_t i = 0; i < old_fields.size(); ++i) {
    auto place = next.schema.find(old_fields[i].name);
    if (!place) return refuse(fmt::format("column {} is gone", old_fields[i].name));
    if (*place != i) return refuse(fmt::format("column {} has moved from place {} to {}", old_fields[i].name, i + 1, *place + 1));
    if (!(new_fields[i].type == old_fields[i].type)) {
      return refuse(fmt::format("column {} was {} and would become {}", old_fields[i].name, model::to_sql(old_fields[i].type),
                                model::to_sql(new_fields[i].type)));
    }
  }
  if (now.partition_key != next.partition_key) return refuse("its partition key differs");
  if (now.clustering != next.clustering) return refuse("its clustering differs");
  return {};
}

std::string encode_table(const Table& table) {
  const TableDef& def = table.def;
  std::string out(1, static_cast<char>(kTableFormat));
  append_le(out, table.id);
  append_sized(out, def.name);
  append_sized(out, model::encode_schema(def.schema));
  append_varint(out, def.partition_key.size());
  for (size_t column : def.partition_key) append_varint(out, column);
  append_varint(out, def.clustering.size());
  for (const ClusteringColumn& column : def.clustering) append_varint(out, column.column << 1 | (column.descending ? 1 : 0));
  append_varint(out, def.ttl ? static_cast<uint64_t>(def.ttl->count()) : 0);
  append_sized(out, def.delete_when);
  return out;
}

std::optional<Table> decode_table(std::string_view bytes) {
  ByteReader in(bytes);
  if (in.le<uint8_t>() != kTableFormat) return std::nullopt;
  auto id = in.le<uint32_t>();
  TableDef def;
  def.name = in.sized();
  auto schema = model::decode_schema(in.sized());
  if (!schema) return std::nullopt;
  def.schema = std::move(*schema);
  uint64_t count = in.varint();
  if (count > in.left()) return std::nullopt;
  for (uint64_t i = 0; i < count; ++i) def.partition_key.push_back(in.varint());
  count = in.varint();
  if (count > in.left()) return std::nullopt;
  for (uint64_t i = 0; i < count; ++i) {
    uint64_t column = in.varint();
    def.clustering.push_back({column >> 1, (column & 1) != 0});
  }
  auto ttl = static_cast<int64_t>(in.varint());
  if (ttl != 0) def.ttl = Duration(ttl);
  def.delete_when = in.sized();
  if (!in.ok() || !in.empty() || !check_table_def(def)) return std::nullopt;
  return Table(id, std::move(def));
}

}  // namespace millrace::table
