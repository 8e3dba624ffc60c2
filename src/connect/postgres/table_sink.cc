#include "connect/postgres/table_sink.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>
#include <cstring>

#include "base/bytes.h"
#include "connect/postgres/copy_text.h"

namespace millrace::connect::postgres {
namespace {

constexpr size_t kEpochRecordsMax = 200'000;
constexpr size_t kSliceBytes = 64 << 20;
constexpr size_t kSendBytes = 256 << 10;
constexpr uint32_t kDetourMax = 64;
constexpr size_t kTruncateRows = 2000;
constexpr int kTriesMax = 4;
constexpr std::string_view kUniqueViolation = "23505";

void append_number(std::string& out, uint64_t v) {
  char digits[24];
  out.append(digits, std::to_chars(digits, digits + sizeof digits, v).ptr);
}

/// The front of a value as a number that grows about as the server's index does; only speed hangs on it.
uint64_t front_of(const model::Column& column, uint32_t row) {
  switch (model::element_size(*column.type)) {
    case 1: return column.at<uint8_t>(row);
    case 2: return static_cast<uint64_t>(column.at<int16_t>(row)) ^ 1ull << 63;
    case 4: return static_cast<uint64_t>(column.at<int32_t>(row)) ^ 1ull << 63;
    case 8: return column.at<uint64_t>(row) ^ 1ull << 63;
    default: break;
  }
  if (column.type->id == model::TypeId::kUuid) return static_cast<uint64_t>(column.at<model::Int128>(row).high) ^ 1ull << 63;
  if (column.type->id != model::TypeId::kText && column.type->id != model::TypeId::kBlob) return 0;
  char front[8] = {};
  std::string_view text = column.text(row);
  std::memcpy(front, text.data(), std::min(text.size(), sizeof front));
  return load_be<uint64_t>(front);
}

}  // namespace

TableSink::TableSink(MergeSql sql, std::unique_ptr<WriterSession> session, std::shared_ptr<Interrupt> interrupt)
    : sql_(std::move(sql)), session_(std::move(session)), interrupt_(std::move(interrupt)) {}

port::SinkTraits TableSink::traits() const {
  port::SinkTraits traits;
  traits.kind = session_->is_shared() ? port::SinkKind::kIdempotent : port::SinkKind::kTransactional;
  traits.epoch_records_max = kEpochRecordsMax;
  traits.stage_rows_min = 10'000;
  return traits;
}

Result<port::SinkReport> TableSink::stage(const model::ColumnBatch& rows, const std::vector<port::RowOrigin>& origins,
                                          bool check_versions) {
  for (int tries = 1;; ++tries) {
    auto report = put(rows, origins, check_versions);
    if (report && session_->is_shared()) {
      if (Status kept = session_->commit(); !kept) report = fail(kept.error());
      in_stage_ = 0;
    }
    if (report || !session_->is_in_conflict() || tries == kTriesMax) return report;
    TRY_DO(session_->recover());
  }
}

Result<port::SinkReport> TableSink::put(const model::ColumnBatch& rows, const std::vector<port::RowOrigin>& origins,
                                        bool check_versions) {
  TRY(Connection * connection, session_->transaction());
  Staging staging{*connection, rows, origins, check_versions, {}};
  for (uint32_t next = 0; next < rows.rows;) {
    std::vector<uint32_t> places = encode(staging, next);
    order_by_key(staging, places);
    if (!places.empty()) TRY_DO(put_slice(staging, places));
  }
  std::sort(staging.report.faults.begin(), staging.report.faults.end(), [](auto& a, auto& b) { return a.row < b.row; });
  std::sort(staging.report.superseded.begin(), staging.report.superseded.end());
  return std::move(staging.report);
}

/// The rows from `next` on that have a key, as many as a slice holds. In the order of the batch, which is that of memory.
std::vector<uint32_t> TableSink::encode(Staging& staging, uint32_t& next) {
  std::vector<uint32_t> places;
  text_.clear();
  begin_.clear();
  first_ = next;
  for (; next < staging.rows.rows && text_.size() < kSliceBytes; ++next) {
    begin_.push_back(text_.size());
    if (!has_key(staging, next)) continue;
    places.push_back(next);
    for (size_t i = 0; i < sql_.columns.size(); ++i) {
      if (i > 0) text_ += '\t';
      append_copy_value(text_, staging.rows.columns[sql_.columns[i]], next);
    }
  }
  begin_.push_back(text_.size());
  return places;
}

bool TableSink::has_key(Staging& staging, uint32_t row) const {
  for (size_t column : sql_.key) {
    if (!staging.rows.columns[column].is_null(row)) continue;
    const std::string& name = staging.rows.schema->fields[column].name;
    staging.report.faults.push_back({row, "bad_key", fmt::format("key column '{}' is NULL", name)});
    return false;
  }
  return true;
}

Status TableSink::put_slice(Staging& staging, Places places) {
  bool erases = std::any_of(places.begin(), places.end(), [&](uint32_t row) { return staging.origins[row].erase; });
  if (!erases && !staging.check_versions && detour_left_ == 0) {
    TRY(bool done, put_directly(staging, places));
    if (done) return {};
  } else if (detour_left_ > 0) {
    --detour_left_;
  }
  return put_piecewise(staging, places);
}

/// Rows that are near in the index go together: its pages are found in memory, and two writers cannot wait for one another. Rows
/// of one key keep their order.
void TableSink::order_by_key(const Staging& staging, std::vector<uint32_t>& places) const {
  const model::Column& first = staging.rows.columns[sql_.key[0]];
  std::vector<std::pair<uint64_t, uint32_t>> order;
  order.reserve(places.size());
  for (uint32_t place : places) order.emplace_back(front_of(first, place), place);
  std::sort(order.begin(), order.end());
  for (size_t i = 0; i < order.size(); ++i) places[i] = order[i].second;
}

/// False when the server refused a row.
Result<bool> TableSink::put_directly(Staging& staging, Places places) {
  if (Status copied = copy(staging, places, Into::kTable); !copied) {
    if (!staging.connection.is_data_fault()) return fail(copied.error());
    if (staging.connection.sqlstate() == kUniqueViolation) {
      detour_ = std::clamp<uint32_t>(2 * detour_, 1, kDetourMax);
      detour_left_ = detour_;
    }
    TRY_DO(staging.connection.execute("ROLLBACK TO piece; RELEASE piece"));
    return false;
  }
  TRY_DO(staging.connection.execute("RELEASE piece"));
  detour_ = 0;
  return true;
}

/// All of them but those that the server refuses one by one.
Status TableSink::put_piecewise(Staging& staging, Places places) {
  std::vector<Places> left = {places};
  while (!left.empty()) {
    Places piece = left.back();
    left.pop_back();
    Status merged = merge(staging, piece);
    if (merged) continue;
    if (!staging.connection.is_data_fault()) return merged;
    std::string code = staging.connection.sqlstate(), words = staging.connection.server_words();
    TRY_DO(staging.connection.execute("ROLLBACK TO piece; RELEASE piece"));
    if (piece.size() == 1) {
      staging.report.faults.push_back({piece[0], std::move(code), std::move(words)});
      continue;
    }
    // The second half is pushed first: where nothing else orders rows of one key, they are merged in their order.
    size_t half = piece.size() / 2;
    left.push_back(piece.subspan(half));
    left.push_back(piece.first(half));
  }
  return {};
}

Status TableSink::merge(Staging& staging, Places places) {
  TRY_DO(copy(staging, places, Into::kStage));
  size_t superseded = staging.report.superseded.size();
  if (staging.check_versions && sql_.has_version) TRY_DO(add_superseded(staging));
  bool erases = std::any_of(places.begin(), places.end(), [&](uint32_t row) { return staging.origins[row].erase; });
  auto merged =
      staging.connection.execute(fmt::format("{}{}{}; RELEASE piece", erases ? sql_.erase : "", erases ? "; " : "", sql_.upsert));
  if (merged) return {};
  staging.report.superseded.resize(superseded);
  return fail(std::move(merged.error()));
}

Status TableSink::add_superseded(Staging& staging) {
  TRY(Rows rows, staging.connection.execute(sql_.superseded));
  for (size_t i = 0; i < rows.size(); ++i) staging.report.superseded.push_back(static_cast<uint32_t>(rows.integer(i, 0)));
  return {};
}

/// The statements before the rows of a piece. What the stage holds of earlier ones goes before the savepoint, so that it stays
/// gone: a TRUNCATE costs a new file on the server, and rows that are deleted or rolled back are in the way of every later scan.
std::string TableSink::begin_piece(Into into, size_t rows) {
  if (into == Into::kTable) return "SAVEPOINT piece; " + sql_.copy_into_table;
  std::string_view clear = in_stage_ == 0               ? ""
                           : in_stage_ <= kTruncateRows ? "DELETE FROM pg_temp.millrace_stage; "
                                                        : "TRUNCATE pg_temp.millrace_stage; ";
  if (in_stage_ > kTruncateRows) in_stage_ = 0;
  in_stage_ += rows;
  return fmt::format("{}SAVEPOINT piece; {}", clear, sql_.copy_into_stage);
}

Status TableSink::copy(Staging& staging, Places places, Into into) {
  const bool into_table = into == Into::kTable;
  TRY_DO(staging.connection.begin_copy(begin_piece(into, places.size())));
  sending_.clear();
  for (uint32_t row : places) {
    sending_.append(text_, begin_[row - first_], begin_[row - first_ + 1] - begin_[row - first_]);
    const port::RowOrigin& origin = staging.origins[row];
    if (!into_table || sql_.has_version) {
      sending_ += '\t';
      append_number(sending_, origin.version);
    }
    if (!into_table) {
      sending_ += '\t';
      append_number(sending_, origin.ordinal);
      sending_ += '\t';
      append_number(sending_, row);
      sending_ += origin.erase ? "\tt" : "\tf";
    }
    sending_ += '\n';
    if (sending_.size() < kSendBytes) continue;
    TRY_DO(staging.connection.put_copy(sending_));
    sending_.clear();
  }
  TRY_DO(staging.connection.put_copy(sending_));
  TRY_DO(staging.connection.finish_copy());
  return {};
}

Status TableSink::commit(const port::Epoch& epoch, store::Batch&) {
  in_stage_ = 0;  // the server empties it at the end of a transaction
  return session_->is_shared() ? session_->commit() : session_->commit(epoch.number);
}

}  // namespace millrace::connect::postgres
