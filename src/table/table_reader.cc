#include "table/table_reader.h"

#include <fmt/format.h>

#include "base/bytes.h"
#include "base/check.h"
#include "table/key_codec.h"
#include "table/row_codec.h"

namespace millrace::table {
namespace {

Error unreadable(const Table& table, std::string_view key) {
  return {Errc::kCorruption, fmt::format("table {}: the row with key x'{}' cannot be read", table.def.name, to_hex(key)),
          "`millrace verify` checks every file of the store"};
}

Status check_value(const Table& table, size_t key_place, const model::Column& value) {
  const model::Field& field = table.def.schema.fields[table.key_columns[key_place].column];
  if (*value.type == field.type) return {};
  return fail(Errc::kInvalidArgument, fmt::format("table {}: key column {} is {}, and is compared with {}", table.def.name,
                                                  field.name, model::to_sql(field.type), model::to_sql(*value.type)));
}

}  // namespace

RowDecoder::RowDecoder(const Table& table, std::span<const size_t> columns) : table_(table), columns_(columns) {
  for (size_t column : table.value_columns) value_types_.push_back(&table.def.schema.fields[column].type);
}

void RowDecoder::bind(model::BatchBuilder& out) {
  key_out_.assign(table_.key_columns.size(), nullptr);
  value_out_.assign(table_.value_columns.size(), nullptr);
  last_key_ = 0;
  wants_values_ = false;
  for (size_t i = 0; i < columns_.size(); ++i) {
    for (size_t k = 0; k < table_.key_columns.size(); ++k) {
      if (table_.key_columns[k].column != columns_[i]) continue;
      CHECK(key_out_[k] == nullptr, "a column is wanted twice");
      key_out_[k] = &out.column(i);
      last_key_ = std::max(last_key_, k + 1);
    }
    for (size_t v = 0; v < table_.value_columns.size(); ++v) {
      if (table_.value_columns[v] != columns_[i]) continue;
      CHECK(value_out_[v] == nullptr, "a column is wanted twice");
      value_out_[v] = &out.column(i);
      wants_values_ = true;
    }
  }
}

Status RowDecoder::append(std::string_view key, std::string_view rest) {
  std::string_view key_rest = key.substr(std::min(key.size(), sizeof(uint32_t)));
  for (size_t k = 0; k < last_key_; ++k) {
    const ClusteringColumn& column = table_.key_columns[k];
    if (!take_key_element(key_rest, table_.def.schema.fields[column.column].type, column.descending, key_out_[k])) {
      return fail(unreadable(table_, key));
    }
  }
  if (wants_values_ && !decode_row_columns(rest, value_types_, value_out_)) return fail(unreadable(table_, key));
  return {};
}

KeyRange whole_table(const Table& table) {
  std::string prefix = table_prefix(table.id);
  std::string end = after_prefix(prefix);
  return {std::move(prefix), std::move(end), false};
}

Result<KeyRange> key_range(const Table& table, std::span<const model::Column> equal, const std::optional<KeyBound>& low,
                           const std::optional<KeyBound>& high) {
  size_t named = equal.size() + (low || high ? 1 : 0);
  if (named > table.key_columns.size()) {
    return fail(Errc::kInvalidArgument,
                fmt::format("table {} has {} key columns, and {} were given", table.def.name, table.key_columns.size(), named));
  }
  KeyRange none;
  none.empty = true;
  std::string prefix = table_prefix(table.id);
  for (size_t i = 0; i < equal.size(); ++i) {
    TRY_DO(check_value(table, i, equal[i]));
    if (equal[i].is_null(0)) return none;
    append_key_element(prefix, equal[i], 0, table.key_columns[i].descending);
  }
  KeyRange range{prefix, after_prefix(prefix), false};
  if (!low && !high) return range;

  bool descending = table.key_columns[equal.size()].descending;
  const auto& first = descending ? high : low;  // of the key bytes
  const auto& last = descending ? low : high;
  for (const auto* bound : {&low, &high}) {
    if (!*bound) continue;
    TRY_DO(check_value(table, equal.size(), (*bound)->value));
    if ((*bound)->value.is_null(0)) return none;
  }
  if (first) {
    append_key_element(range.from, first->value, 0, descending);
    if (!first->inclusive) range.from = after_prefix(range.from);
  }
  if (last) {
    range.to = prefix;
    append_key_element(range.to, last->value, 0, descending);
    if (last->inclusive) range.to = after_prefix(range.to);
  }
  range.empty = range.from >= range.to;
  return range;
}

std::shared_ptr<const model::Schema> projected_schema(const Table& table, std::span<const size_t> columns) {
  auto schema = std::make_shared<model::Schema>();
  for (size_t column : columns) schema->fields.push_back(table.def.schema.fields.at(column));
  return schema;
}

TableScan::TableScan(store::Store& store, std::shared_ptr<const Table> table, const KeyRange& range, std::vector<size_t> columns,
                     Instant now, const store::Snapshot* snapshot)
    : table_(std::move(table)),
      columns_(std::move(columns)),
      schema_(projected_schema(*table_, columns_)),
      decoder_(*table_, columns_),
      now_(now) {
  if (!range.empty) cursor_ = store.scan(store::Space::kRows, range.from, range.to, snapshot);
}

Result<model::ColumnBatch> TableScan::next() {
  model::BatchBuilder out(schema_);
  decoder_.bind(out);
  if (cursor_ == nullptr) return std::move(out).finish();
  size_t rows = 0;
  for (; rows < kScanRowsMax && cursor_->valid(); cursor_->next()) {
    std::string_view value = cursor_->value();
    auto header = take_row_header(value);
    if (!header) return fail(unreadable(*table_, cursor_->key()));
    if (is_hidden(*header, now_)) continue;
    ++rows;
    if (columns_.empty()) {
      out.add_row_without_columns();
    } else {
      TRY_DO(decoder_.append(cursor_->key(), value));
    }
  }
  TRY_DO(cursor_->status());
  return std::move(out).finish();
}

Result<model::ColumnBatch> get_row(store::Store& store, const Table& table, std::span<const model::Column> key,
                                   std::span<const size_t> columns, Instant now, const store::Snapshot* snapshot) {
  if (key.size() != table.key_columns.size()) {
    return fail(Errc::kInvalidArgument, fmt::format("table {} has {} key columns, and {} were given", table.def.name,
                                                    table.key_columns.size(), key.size()));
  }
  TRY(KeyRange range, key_range(table, key));
  model::BatchBuilder out(projected_schema(table, columns));
  if (range.empty) return std::move(out).finish();
  TRY(auto stored, store.get(store::Space::kRows, range.from, snapshot));
  if (!stored) return std::move(out).finish();
  std::string_view value = *stored;
  auto header = take_row_header(value);
  if (!header) return fail(unreadable(table, range.from));
  if (is_hidden(*header, now)) return std::move(out).finish();
  if (columns.empty()) out.add_row_without_columns();
  RowDecoder decoder(table, columns);
  decoder.bind(out);
  TRY_DO(decoder.append(range.from, value));
  return std::move(out).finish();
}

Result<uint64_t> count_rows(store::Store& store, const Table& table, const KeyRange& range, Instant now,
                            const store::Snapshot* snapshot) {
  uint64_t count = 0;
  if (range.empty) return count;
  auto cursor = store.scan(store::Space::kRows, range.from, range.to, snapshot);
  for (; cursor->valid(); cursor->next()) {
    std::string_view value = cursor->value();
    auto header = take_row_header(value);
    if (!header) return fail(unreadable(table, cursor->key()));
    if (!is_hidden(*header, now)) ++count;
  }
  TRY_DO(cursor->status());
  return count;
}

}  // namespace millrace::table
