#include "connect/postgres/merge_sql.h"

#include <fmt/format.h>
#include <fmt/ranges.h>

#include <algorithm>

namespace millrace::connect::postgres {
namespace {

constexpr std::string_view kMarks = "_stage_version, _stage_ordinal, _stage_place, _stage_erase";

struct Names {
  std::vector<std::string> columns, key, others;  // as the server has them, quoted
};

Result<Names> resolve(const port::TableSinkSpec& spec, const ServerTable& server, MergeSql& out) {
  const model::Schema& output = *spec.output;
  Names names;
  std::vector<std::string_view> key_names;
  for (size_t column : key_of(spec.def)) key_names.push_back(spec.def.schema.fields[column].name);
  for (size_t i = 0; i < output.fields.size(); ++i) {
    const ServerColumn* column = server.find(output.fields[i].name);
    if (column == nullptr || !spec.def.schema.find(output.fields[i].name))
      return fail(Errc::kInvalidArgument, fmt::format("table {} has no column '{}'", spec.def.name, output.fields[i].name));
    out.columns.push_back(i);
    names.columns.push_back(model::quote_identifier(column->name));
  }
  for (std::string_view key : key_names) {
    auto place = output.find(key);
    if (!place)
      return fail(Errc::kInvalidArgument,
                  fmt::format("the query has no column '{}', which is in the key of table {}", key, spec.def.name));
    out.key.push_back(*place);
    names.key.push_back(names.columns[*place]);
  }
  for (const std::string& column : names.columns) {
    if (std::find(names.key.begin(), names.key.end(), column) == names.key.end()) names.others.push_back(column);
  }
  return names;
}

std::string same_key(const Names& names) {
  std::vector<std::string> equal;
  for (const std::string& column : names.key) equal.push_back(fmt::format("t.{} = s.{}", column, column));
  return fmt::format("{}", fmt::join(equal, " AND "));
}

std::string on_conflict(const Names& names, bool has_version) {
  std::vector<std::string> sets;
  for (const std::string& column : names.others) sets.push_back(fmt::format("{} = excluded.{}", column, column));
  if (has_version) sets.push_back(fmt::format("{} = excluded.{}", kVersionColumn, kVersionColumn));
  std::string key = fmt::format(" ON CONFLICT ({}) ", fmt::join(names.key, ", "));
  if (sets.empty()) return key + "DO NOTHING";
  std::string newer = has_version ? fmt::format(" WHERE t.{} <= excluded.{}", kVersionColumn, kVersionColumn) : "";
  return fmt::format("{}DO UPDATE SET {}{}", key, fmt::join(sets, ", "), newer);
}

}  // namespace

Result<MergeSql> make_merge_sql(const TableName& name, const port::TableSinkSpec& spec, const ServerTable& server) {
  MergeSql out;
  out.has_version = server.has_version(spec.def);
  TRY(Names names, resolve(spec, server, out));
  std::string table = name.quoted(), columns = fmt::format("{}", fmt::join(names.columns, ", "));
  std::string key = fmt::format("{}", fmt::join(names.key, ", ")), equal = same_key(names);
  std::string version(kVersionColumn);
  std::string last = fmt::format(
      "(SELECT DISTINCT ON ({}) * FROM pg_temp.millrace_stage ORDER BY {}, _stage_version DESC, _stage_ordinal DESC, "
      "_stage_place DESC) s",
      key, key);
  out.create_stage = fmt::format(
      "CREATE TEMP TABLE millrace_stage ON COMMIT DELETE ROWS AS SELECT {}, 0::bigint AS _stage_version, 0::bigint "
      "AS _stage_ordinal, 0::bigint AS _stage_place, false AS _stage_erase FROM {} WITH NO DATA",
      columns, table);
  out.copy_into_stage = fmt::format("COPY pg_temp.millrace_stage ({}, {}) FROM STDIN", columns, kMarks);
  out.copy_into_table = fmt::format("COPY {} ({}{}) FROM STDIN", table, columns, out.has_version ? ", " + version : "");
  out.erase = fmt::format("DELETE FROM {} t USING {} WHERE s._stage_erase AND {}{}", table, last, equal,
                          out.has_version ? fmt::format(" AND t.{} <= s._stage_version", version) : "");
  out.upsert = fmt::format("INSERT INTO {} AS t ({}{}) SELECT {}{} FROM {} WHERE NOT s._stage_erase{}", table, columns,
                           out.has_version ? ", " + version : "", columns, out.has_version ? ", _stage_version" : "", last,
                           on_conflict(names, out.has_version));
  if (out.has_version)
    out.superseded =
        fmt::format("SELECT s._stage_place FROM pg_temp.millrace_stage s JOIN {} t ON {} WHERE t.{} > s._stage_version", table,
                    equal, version);
  return out;
}

}  // namespace millrace::connect::postgres
