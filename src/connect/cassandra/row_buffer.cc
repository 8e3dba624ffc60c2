#include "connect/cassandra/row_buffer.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "codec/cql/murmur3.h"

namespace millrace::connect::cassandra {
namespace {

constexpr size_t kInsert = 0;
constexpr size_t kDelete = 1;

bool same_record(const port::RowOrigin& a, const port::RowOrigin& b) {
  return a.partition == b.partition && a.offset == b.offset;
}

}  // namespace

void RowBuffer::add(const model::ColumnBatch& rows, std::span<const port::RowOrigin> origins, Instant now,
                    port::SinkReport& report) {
  rows_.reserve(rows_.size() + rows.rows);
  uint64_t newest = static_cast<uint64_t>(std::max<int64_t>(0, to_micros(now + kAheadMax)));
  size_t refused = report.faults.size();  // in ascending order
  for (uint32_t i = 0, next = 0; i < rows.rows; ++i) {
    if (next < refused && report.faults[next].row == i) {
      ++next;
      continue;
    }
    Row row{.origin = origins[i]};
    if (row.origin.version > newest) {
      report.faults.push_back({i, "far_future",
                               fmt::format("table {}: the record's time {} is more than {} ahead of the clock; its row could not "
                                           "be replaced until then",
                                           plan_.name.text(),
                                           format_instant(instant_from_micros(
                                               static_cast<int64_t>(std::min<uint64_t>(row.origin.version, INT64_MAX / 2)))),
                                           format_duration(kAheadMax))});
      continue;
    }
    if (plan_.ttl && !row.origin.erase) {
      row.ttl_seconds = ttl_left(row.origin, now);
      if (row.ttl_seconds < 0) {
        report.expired.push_back(i);
        continue;
      }
    }
    row.at = bytes_.size();
    if (encode(rows, i, row, report)) {
      rows_.push_back(row);
    } else {
      bytes_.resize(row.at);
    }
  }
}

/// Whole seconds, rounded up; 0: for ever; negative: over.
int32_t RowBuffer::ttl_left(const port::RowOrigin& origin, Instant now) const {
  int64_t end = 0;
  if (__builtin_mul_overflow(origin.timestamp_ms, int64_t{1000}, &end) || __builtin_add_overflow(end, plan_.ttl->count(), &end))
    return 0;
  int64_t left = end - to_micros(now);
  if (left <= 0) return -1;
  return static_cast<int32_t>(std::min((left + 999'999) / 1'000'000, kTtlMaxSeconds));
}

bool RowBuffer::encode(const model::ColumnBatch& rows, size_t row, Row& to, port::SinkReport& report) {
  for (size_t i = 0; i < plan_.key_columns; ++i) {
    const WritePlan::Column& column = plan_.columns[i];
    const model::Column& values = rows.columns[column.source];
    auto refuse = [&](std::string_view code, std::string why) {
      report.faults.push_back({static_cast<uint32_t>(row), std::string(code), std::move(why)});
      return false;
    };
    if (values.is_null(row))
      return refuse("bad_key", fmt::format("table {}: key column {} is NULL", plan_.name.text(), column.name));
    // A partition key of one column must not be empty; one of several may have empty parts.
    if (plan_.partition_columns == 1 && i == 0 && column.is_text && values.text(row).empty())
      return refuse("bad_key", fmt::format("table {}: the partition key {} is empty", plan_.name.text(), column.name));
    size_t before = bytes_.size();
    Status put = column.encoder.append(bytes_, values, row);
    if (!put)
      return refuse("bad_key", fmt::format("table {}: key column {}: {}", plan_.name.text(), column.name, put.error().message));
    if (bytes_.size() - before > kKeyBytesMax || bytes_.size() - to.at > kKeyBytesMax)
      return refuse("bad_key", fmt::format("table {}: the key is longer than {} bytes", plan_.name.text(), kKeyBytesMax));
    if (i + 1 == plan_.partition_columns) to.partition_size = static_cast<uint32_t>(bytes_.size() - to.at);
  }
  to.key_size = static_cast<uint32_t>(bytes_.size() - to.at);
  if (!to.origin.erase && !encode_rest(rows, row, report)) return false;
  size_t size = bytes_.size() - to.at;
  if (size > kRowBytesMax) {
    report.faults.push_back(
        {static_cast<uint32_t>(row), "row_too_large",
         fmt::format("table {}: the row has {} bytes, Cassandra takes {}", plan_.name.text(), size, kRowBytesMax)});
    return false;
  }
  to.size = static_cast<uint32_t>(size);
  return true;
}

bool RowBuffer::encode_rest(const model::ColumnBatch& rows, size_t row, port::SinkReport& report) {
  for (size_t i = plan_.key_columns; i < plan_.columns.size(); ++i) {
    const WritePlan::Column& column = plan_.columns[i];
    const model::Column& values = rows.columns[column.source];
    if (mode_.nulls_unset && values.is_null(row)) {
      cql::put_unset(bytes_);
      continue;
    }
    Status put = column.encoder.append(bytes_, values, row);
    if (put) continue;
    report.faults.push_back({static_cast<uint32_t>(row), "bad_value",
                             fmt::format("table {}: column {}: {}", plan_.name.text(), column.name, put.error().message)});
    return false;
  }
  return true;
}

void RowBuffer::drop_duplicates(size_t count) {
  std::unordered_map<std::string_view, uint32_t> last;
  last.reserve(count);
  for (uint32_t i = 0; i < count; ++i) {
    auto [entry, is_new] = last.try_emplace(key(rows_[i]), i);
    if (is_new) continue;
    Row& before = rows_[entry->second];
    bool older = rows_[i].origin.version < before.origin.version;
    bool equal = rows_[i].origin.version == before.origin.version;
    // Where NULLs leave what is there, an earlier row gives values that a later one does not have.
    if (!mode_.nulls_unset || equal) (older ? rows_[i] : before).dropped = true;
    if (!older) entry->second = i;
  }
}

std::vector<std::vector<uint32_t>> RowBuffer::groups(size_t count) const {
  std::vector<std::vector<uint32_t>> groups;
  bool grouping = mode_.batches && plan_.key_columns > plan_.partition_columns;
  std::unordered_map<std::string_view, size_t> open;  // the partition's last group
  std::vector<size_t> sizes;
  for (uint32_t i = 0; i < count; ++i) {
    const Row& row = rows_[i];
    if (row.dropped) continue;
    if (grouping) {
      auto [entry, is_new] = open.try_emplace(partition(row), groups.size());
      if (!is_new && sizes[entry->second] + row.size <= kBatchBytesMax) {
        groups[entry->second].push_back(i);
        sizes[entry->second] += row.size;
        continue;
      }
      entry->second = groups.size();
    }
    groups.push_back({i});
    sizes.push_back(row.size);
  }
  return groups;
}

std::vector<RowBuffer::Out> RowBuffer::take(std::span<const Prepared> statements, bool all) {
  drop_duplicates(rows_.size());
  size_t count = rows_.size();
  if (!all) {
    while (count > 0 && same_record(rows_[count - 1].origin, rows_.back().origin)) --count;
    if (rows_.size() - count > kHeldRowsMax) count = rows_.size();
  }
  std::vector<Out> out;
  for (const std::vector<uint32_t>& group : groups(count))
    out.push_back(group.size() == 1 ? execute(group[0], statements) : batch(group, statements));
  forget(count);
  return out;
}

void RowBuffer::put_values(cql::ValueWriter& values, const Row& row) const {
  std::string_view bytes = std::string_view(bytes_).substr(row.at, row.size);
  auto timestamp = static_cast<int64_t>(row.origin.version);
  if (row.origin.erase) values.bigint(timestamp);
  size_t columns = row.origin.erase ? plan_.key_columns : plan_.columns.size();
  for (size_t i = 1; i < columns; ++i) values.next();
  values.next() += bytes;
  if (row.origin.erase) return;
  values.bigint(timestamp);
  if (plan_.ttl) values.integer(row.ttl_seconds);
}

RowBuffer::Out RowBuffer::execute(uint32_t i, std::span<const Prepared> statements) const {
  const Row& row = rows_[i];
  const Prepared& statement = statements[row.origin.erase ? kDelete : kInsert];
  Out out{std::make_unique<Request>(), {row.origin}};
  out.request->bytes.reserve(row.size + 128);
  cql::ExecuteWriter writer(out.request->bytes, mode_.version, 0, statement.id, statement.result_metadata_id, mode_.params);
  put_values(writer.values(), row);
  writer.finish();
  out.request->token = token_of(row);
  return out;
}

RowBuffer::Out RowBuffer::batch(std::span<const uint32_t> group, std::span<const Prepared> statements) const {
  Out out{std::make_unique<Request>(), {}};
  out.request->bytes.reserve(kBatchBytesMax + 1024);
  cql::BatchWriter writer(out.request->bytes, mode_.version, 0, cql::BatchType::kUnlogged, mode_.params);
  for (uint32_t i : group) {
    const Row& row = rows_[i];
    put_values(writer.statement(statements[row.origin.erase ? kDelete : kInsert].id), row);
    out.rows.push_back(row.origin);
  }
  writer.finish();
  out.request->token = token_of(rows_[group[0]]);
  return out;
}

int64_t RowBuffer::token_of(const Row& row) const {
  cql::Reader in(partition(row));
  if (plan_.partition_columns == 1) return cql::murmur3_token(in.bytes().value_or(""));
  std::string routing_key;
  for (size_t i = 0; i < plan_.partition_columns; ++i) cql::append_key_component(routing_key, in.bytes().value_or(""));
  return cql::murmur3_token(routing_key);
}

/// Takes the first rows off; the others' bytes move to the front.
void RowBuffer::forget(size_t count) {
  size_t from = count < rows_.size() ? rows_[count].at : bytes_.size();
  bytes_.erase(0, from);
  rows_.erase(rows_.begin(), rows_.begin() + static_cast<ptrdiff_t>(count));
  for (Row& row : rows_) row.at -= from;
}

void RowBuffer::clear() {
  rows_.clear();
  bytes_.clear();
}

}  // namespace millrace::connect::cassandra
