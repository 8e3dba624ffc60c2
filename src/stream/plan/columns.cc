#include "stream/plan/columns.h"

#include <algorithm>
#include <optional>

namespace millrace::stream::plan {
namespace {

using model::Field;
using model::Schema;
using model::TypeId;

std::optional<size_t> find(const std::vector<Field>& fields, std::string_view name) {
  for (size_t i = 0; i < fields.size(); ++i) {
    if (model::same_name(fields[i].name, name)) return i;
  }
  return std::nullopt;
}

/// The path in the schema's spelling and the indexes that lead to it; empty when there is no such column.
struct Resolved {
  ColumnPath path;
  std::vector<size_t> indexes;
};

Resolved resolve(const std::vector<Field>& columns, const std::vector<std::string>& names, size_t first) {
  Resolved out;
  const std::vector<Field>* fields = &columns;
  for (size_t i = first; i < names.size(); ++i) {
    auto index = find(*fields, names[i]);
    if (!index) break;
    const Field& field = (*fields)[*index];
    out.path.push_back(field.name);
    out.indexes.push_back(*index);
    if (field.type.id != TypeId::kStruct) break;
    fields = &field.type.fields;
  }
  return out;
}

bool begins_with(const ColumnPath& path, const ColumnPath& prefix) {
  return path.size() >= prefix.size() && std::equal(prefix.begin(), prefix.end(), path.begin());
}

/// The fields that `paths` (from `depth` on) name, in the order of `fields`.
std::vector<Field> cut_down(const std::vector<Field>& fields, const std::vector<ColumnPath>& paths, size_t depth) {
  std::vector<Field> out;
  for (const Field& field : fields) {
    std::vector<ColumnPath> inside;
    bool whole = false;
    for (const ColumnPath& path : paths) {
      if (path[depth] != field.name) continue;
      whole |= path.size() == depth + 1;
      inside.push_back(path);
    }
    if (inside.empty()) continue;
    Field kept = field;
    if (!whole) kept.type.fields = cut_down(field.type.fields, inside, depth + 1);
    out.push_back(std::move(kept));
  }
  return out;
}

}  // namespace

bool Needed::add(const std::vector<std::string>& names, size_t first) {
  for (const Schema* schema : {&topic_.schema, &topic_.metadata}) {
    Resolved found = resolve(schema->fields, names, first);
    if (found.path.empty()) continue;
    paths_.insert(std::move(found.path));
    return true;
  }
  return false;
}

std::vector<ColumnPath> Needed::paths() const {
  std::vector<std::pair<std::vector<size_t>, ColumnPath>> ordered;
  for (const ColumnPath& path : paths_) {
    bool inside = std::any_of(paths_.begin(), paths_.end(),
                              [&](const ColumnPath& other) { return other != path && begins_with(path, other); });
    if (inside) continue;
    Resolved found = resolve(topic_.schema.fields, path, 0);
    bool metadata = found.path.empty();
    if (metadata) found = resolve(topic_.metadata.fields, path, 0);
    found.indexes.insert(found.indexes.begin(), metadata ? 1 : 0);
    ordered.emplace_back(std::move(found.indexes), path);
  }
  std::sort(ordered.begin(), ordered.end());
  std::vector<ColumnPath> out;
  for (auto& [indexes, path] : ordered) out.push_back(std::move(path));
  return out;
}

Schema input_schema(const TopicShape& topic, const std::vector<ColumnPath>& needed) {
  std::vector<ColumnPath> record, metadata;
  for (const ColumnPath& path : needed) (find(topic.schema.fields, path[0]) ? record : metadata).push_back(path);
  Schema schema{cut_down(topic.schema.fields, record, 0)};
  for (Field& field : cut_down(topic.metadata.fields, metadata, 0)) schema.fields.push_back(std::move(field));
  if (!schema.fields.empty()) return schema;
  // A query of constants still needs something that has rows.
  auto offset = topic.metadata.find("_offset");
  schema.fields.push_back(offset ? topic.metadata.fields[*offset] : Field{"_offset", {TypeId::kBigint, 0, 0, {}}});
  return schema;
}

std::vector<ColumnPath> merge_needed(const TopicShape& topic, std::vector<ColumnPath> a, const std::vector<ColumnPath>& b) {
  Needed needed(topic);
  for (const ColumnPath& path : a) needed.add_path(path);
  for (const ColumnPath& path : b) needed.add_path(path);
  return needed.paths();
}

}  // namespace millrace::stream::plan
