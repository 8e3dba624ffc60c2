#include "table/tables.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/bytes.h"
#include "table/key_codec.h"

namespace millrace::table {
namespace {

using store::Space;

constexpr std::string_view kEntryPrefix = "table/";
/// The next table id, little-endian. It sorts outside of the entries' prefix.
constexpr std::string_view kNextIdKey = "table-next-id";

std::string folded(std::string_view name) {
  std::string out(name);
  for (char& c : out) {
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c - 'A' + 'a');
  }
  return out;
}

std::string entry_key(std::string_view name) { return std::string(kEntryPrefix) + folded(name); }

tl::unexpected<Error> no_such_table(std::string_view name) {
  return fail(Errc::kNotFound, fmt::format("there is no table {}", name), "`millrace table list` shows the tables there are");
}

void erase_rows(store::Batch& batch, uint32_t id) {
  std::string prefix = table_prefix(id);
  batch.erase_range(Space::kRows, prefix, after_prefix(prefix));
}

}  // namespace

Result<std::unique_ptr<Tables>> Tables::open(store::Store& store) {
  std::unique_ptr<Tables> tables(new Tables(store));
  MutexLock lock(tables->mutex_);
  TRY_DO(tables->load());
  return tables;
}

Status Tables::load() {
  TRY(auto next_id, store_.get(Space::kMeta, kNextIdKey));
  if (next_id) {
    if (next_id->size() != sizeof next_id_)
      return fail(Errc::kCorruption, fmt::format("catalog key {} is not a number", kNextIdKey));
    next_id_ = load_le<uint32_t>(next_id->data());
  }
  auto cursor = store_.scan(Space::kMeta, kEntryPrefix, after_prefix(std::string(kEntryPrefix)));
  for (; cursor->valid(); cursor->next()) {
    if (std::string_view entry = cursor->value(); !entry.empty() && static_cast<uint8_t>(entry[0]) > kTableFormat) {
      return fail(Errc::kFailedPrecondition,
                  fmt::format("catalog entry {} has format {}, and this version reads up to {}", cursor->key(),
                              static_cast<uint8_t>(entry[0]), kTableFormat),
                  "use the version of millrace that wrote it, or a newer one");
    }
    auto table = decode_table(cursor->value());
    if (!table || entry_key(table->def.name) != cursor->key() || table->id >= next_id_) {
      return fail(Errc::kCorruption, fmt::format("catalog entry {} cannot be read", cursor->key()));
    }
    std::string name = folded(table->def.name);
    tables_[name] = std::make_shared<const Table>(std::move(*table));
  }
  return cursor->status();
}

Result<Tables::TablePtr> Tables::create(const TableDef& def) {
  TRY_DO(check_table_def(def));
  MutexLock lock(mutex_);
  if (tables_.contains(folded(def.name))) return fail(Errc::kAlreadyExists, fmt::format("there is a table {} already", def.name));
  // The upper half of the id space stays free, so that a prefix always has a successor.
  if (next_id_ >= uint32_t{1} << 31) return fail(Errc::kResourceExhausted, "all table ids are used up");
  auto table = std::make_shared<const Table>(next_id_, def);
  store::Batch batch;
  std::string next_id;
  append_le(next_id, next_id_ + 1);
  batch.put(Space::kMeta, kNextIdKey, next_id);
  batch.put(Space::kMeta, entry_key(def.name), encode_table(*table));
  TRY_DO(store_.commit(std::move(batch), store::Durability::kSync));
  ++next_id_;
  tables_[folded(def.name)] = table;
  return table;
}

Result<Tables::TablePtr> Tables::evolve(const TableDef& def) {
  TRY_DO(check_table_def(def));
  MutexLock lock(mutex_);
  auto found = tables_.find(folded(def.name));
  if (found == tables_.end()) return no_such_table(def.name);
  if (found->second->def == def) return found->second;
  TRY_DO(check_evolution(found->second->def, def));
  auto table = std::make_shared<const Table>(found->second->id, def);
  store::Batch batch;
  batch.put(Space::kMeta, entry_key(def.name), encode_table(*table));
  TRY_DO(store_.commit(std::move(batch), store::Durability::kSync));
  found->second = table;
  return table;
}

Result<Tables::TablePtr> Tables::declare(const TableDef& def) { return find(def.name) == nullptr ? create(def) : evolve(def); }

Status Tables::drop(std::string_view name) {
  MutexLock lock(mutex_);
  auto found = tables_.find(folded(name));
  if (found == tables_.end()) return no_such_table(name);
  store::Batch batch;
  batch.erase(Space::kMeta, entry_key(name));
  erase_rows(batch, found->second->id);
  TRY_DO(store_.commit(std::move(batch), store::Durability::kSync));
  tables_.erase(found);
  return {};
}

Status Tables::truncate(std::string_view name) {
  MutexLock lock(mutex_);
  auto found = tables_.find(folded(name));
  if (found == tables_.end()) return no_such_table(name);
  store::Batch batch;
  erase_rows(batch, found->second->id);
  return store_.commit(std::move(batch), store::Durability::kSync);
}

Tables::TablePtr Tables::find(std::string_view name) const {
  MutexLock lock(mutex_);
  auto found = tables_.find(folded(name));
  return found == tables_.end() ? nullptr : found->second;
}

std::vector<Tables::TablePtr> Tables::list() const {
  MutexLock lock(mutex_);
  std::vector<TablePtr> out;
  for (const auto& [name, table] : tables_) out.push_back(table);
  return out;
}

}  // namespace millrace::table
