#include "table/table_writer.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/bytes.h"
#include "base/check.h"
#include "table/key_codec.h"
#include "table/key_order.h"
#include "table/row_codec.h"

namespace millrace::table {
namespace {
constexpr size_t kBlockBytesMin = 64 << 10;
constexpr size_t kBlockBytesMax = 4 << 20;
}  // namespace

void RowArena::grow(size_t size) {
  // Blocks double, so that one row costs one small block and a million cost few.
  size_t block = std::max(size, std::min(kBlockBytesMax, kBlockBytesMin << std::min<size_t>(blocks_.size(), 6)));
  blocks_.push_back(std::make_unique_for_overwrite<char[]>(block));
  next_ = blocks_.back().get();
  left_ = block;
}

void RowArena::clear() {
  blocks_.clear();
  next_ = nullptr;
  left_ = used_ = 0;
}

TableWriter::TableWriter(std::shared_ptr<const Table> table) : table_(std::move(table)) {}

Status TableWriter::set_source(std::vector<size_t> source) {
  if (source.size() != table_->def.schema.fields.size()) {
    return fail(Errc::kInvalidArgument, fmt::format("table {} has {} columns, and {} were given a source", table_->def.name,
                                                    table_->def.schema.fields.size(), source.size()));
  }
  source_ = std::move(source);
  return {};
}

Status TableWriter::bind(const model::ColumnBatch& batch) {
  const auto& fields = table_->def.schema.fields;
  auto column_of = [&](size_t column) -> Result<const model::Column*> {
    size_t source = !source_.empty() ? source_[column] : column < batch.columns.size() ? column : kNoColumn;
    if (source == kNoColumn) {
      if (!table_->is_key(column)) return nullptr;
      return fail(Errc::kInvalidArgument,
                  fmt::format("table {}: nothing gives its key column {}", table_->def.name, fields[column].name));
    }
    if (source >= batch.columns.size() || !(*batch.columns[source].type == fields[column].type)) {
      return fail(Errc::kInvalidArgument,
                  fmt::format("table {}: column {} is {}, and is given {}", table_->def.name, fields[column].name,
                              model::to_sql(fields[column].type),
                              source < batch.columns.size() ? model::to_sql(*batch.columns[source].type) : "nothing"));
    }
    return &batch.columns[source];
  };
  key_.clear();
  values_.clear();
  for (const ClusteringColumn& key : table_->key_columns) {
    TRY(const model::Column* column, column_of(key.column));
    key_.push_back(column);
  }
  for (size_t value : table_->value_columns) {
    TRY(const model::Column* column, column_of(value));
    values_.push_back(column);
  }
  return {};
}

size_t TableWriter::key_bound(size_t row, Report& report) const {
  size_t bound = sizeof(uint32_t);
  for (size_t i = 0; i < key_.size(); ++i) {
    size_t element = key_element_bound(*key_[i], row);
    if (element == 0) {
      const std::string& name = table_->def.schema.fields[table_->key_columns[i].column].name;
      report.faults.push_back(
          {static_cast<uint32_t>(row), fmt::format("table {}: key column {} is NULL", table_->def.name, name)});
      return 0;
    }
    bound += element;
  }
  if (bound > kKeyBytesMax) {
    report.faults.push_back(
        {static_cast<uint32_t>(row), fmt::format("table {}: the key is longer than {} bytes", table_->def.name, kKeyBytesMax)});
    return 0;
  }
  return bound;
}

Result<TableWriter::Report> TableWriter::add(const model::ColumnBatch& batch, const RowStamps& stamps, Instant now) {
  bool has_ttl = table_->def.ttl.has_value();
  CHECK(stamps.versions.size() == batch.rows, "a version a row");
  CHECK(stamps.timestamps_micros.size() == batch.rows || (!has_ttl && stamps.timestamps_micros.empty()), "a timestamp a row");
  CHECK(stamps.erased.size() == batch.rows || stamps.erased.empty(), "a flag a row");
  TRY_DO(bind(batch));
  Report report;
  for (size_t row = 0; row < batch.rows; ++row, ++seen_) {
    RowHeader header;
    header.version = stamps.versions[row];
    header.tombstone = !stamps.erased.empty() && stamps.erased[row] != 0;
    if (has_ttl && !header.tombstone) {
      // A sum past the end of time is a row that never expires.
      if (__builtin_add_overflow(stamps.timestamps_micros[row], table_->def.ttl->count(), &header.expiry_micros))
        header.expiry_micros = 0;
      else if (header.expiry_micros <= to_micros(now)) {
        report.expired.push_back(static_cast<uint32_t>(row));
        continue;
      }
    }
    size_t bound = key_bound(row, report);
    if (bound == 0) continue;
    encode(row, header, bound);
  }
  return report;
}

void TableWriter::encode(size_t row, const RowHeader& header, size_t key_bound) {
  size_t bound = key_bound + row_value_bound(values_, row);
  char* key = arena_.reserve(bound);
  store_be(key, table_->id);
  char* value = key + sizeof(uint32_t);
  for (size_t i = 0; i < key_.size(); ++i) value = write_key_element(value, *key_[i], row, table_->key_columns[i].descending);
  char* end = write_row_value(value, header, values_, row);
  arena_.advance(static_cast<size_t>(end - key));
  rows_.push_back({key, static_cast<uint32_t>(value - key), static_cast<uint32_t>(end - value), seen_});
}

uint64_t TableWriter::Row::version() const {
  std::string_view value = value_view();
  return take_row_header(value)->version;
}

std::vector<std::string_view> TableWriter::keys() const {
  std::vector<std::string_view> keys;
  keys.reserve(rows_.size());
  for (const Row& row : rows_) keys.push_back(row.key_view());
  return keys;
}

Result<std::vector<uint32_t>> TableWriter::drop_superseded(store::Store& store, const store::Snapshot* snapshot) {
  std::vector<uint32_t> dropped;
  std::vector<bool> is_dropped(rows_.size());
  bool readable = true;
  auto compare = [&](size_t i, std::string_view stored) {
    auto header = take_row_header(stored);
    readable = readable && header;
    if (!header || header->version <= rows_[i].version()) return;
    is_dropped[i] = true;
    dropped.push_back(rows_[i].number);
  };
  TRY_DO(store.get_many(store::Space::kRows, keys(), compare, snapshot));
  if (!readable) return fail(Errc::kCorruption, fmt::format("table {} holds a row that cannot be read", table_->def.name));
  size_t i = 0;
  std::erase_if(rows_, [&](const Row&) { return is_dropped[i++]; });
  return dropped;
}

void TableWriter::add_to(store::Batch& batch) {
  std::vector<uint32_t> order = KeyOrder(keys()).sort();
  std::vector<store::Batch::Entry> entries;
  entries.reserve(order.size());
  const Row* last = nullptr;
  for (uint32_t i : order) {
    const Row& row = rows_[i];
    // Rows with one key stand in the order in which they came.
    bool same = last != nullptr && last->key_view() == row.key_view();
    if (same && row.version() < last->version()) continue;
    if (same) entries.pop_back();
    entries.push_back({row.key_view(), row.value_view()});
    last = &row;
  }
  batch.put_sorted(store::Space::kRows, std::move(entries));
}

void TableWriter::clear() {
  arena_.clear();
  rows_.clear();
  seen_ = 0;
}

}  // namespace millrace::table
