#include "stream/exec/pipeline.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>

#include "base/check.h"
#include "base/log.h"
#include "env/fault.h"
#include "model/select.h"

namespace millrace::stream {
namespace {

/// In rising order of precedence: a record of several rows ends as the strongest of them.
enum class Fate : uint8_t { kFiltered, kExpired, kOut, kSkipped, kDead };

uint64_t Balance::* count_of(Fate fate) {
  switch (fate) {
    case Fate::kFiltered: return &Balance::filtered;
    case Fate::kExpired: return &Balance::expired;
    case Fate::kOut: return &Balance::out;
    case Fate::kSkipped: return &Balance::skipped;
    case Fate::kDead: return &Balance::dead;
  }
  CHECK(false, "a fate without a count");
}

std::vector<RecordRange> ranges_of(const std::vector<model::RecordRun>& runs) {
  std::vector<RecordRange> ranges;
  for (const model::RecordRun& run : runs) {
    if (!run.records.empty()) ranges.push_back({run.partition.value, run.records.front().offset.value, run.next.value});
  }
  return ranges;
}

}  // namespace

struct Pipeline::Slice {
  struct Item {
    model::RecordView record;
    port::RowOrigin origin;
    Fate fate = Fate::kFiltered;
    uint32_t rows = 0;
  };
  explicit Slice(std::shared_ptr<const model::Schema> columns) : builder(std::move(columns)) {}

  std::vector<Item> items;
  std::vector<uint32_t> item_of_row;  // of `batch`
  model::BatchBuilder builder;
  model::ColumnBatch batch;
  bool replaying = false;
  uint64_t superseded = 0;

  void meet(size_t item, Fate fate) { items[item].fate = std::max(items[item].fate, fate); }
};

Pipeline::Pipeline(PipelineSpec spec, const Parts& parts, Position position, std::unique_ptr<port::ValueDecoder> values)
    : spec_(std::move(spec)),
      parts_(parts),
      decoder_(spec_.input, std::move(values)),
      committer_(spec_.query, parts_.sink, parts_.store, parts_.group),
      committed_(std::move(position)),
      next_(committed_) {}

Pipeline::~Pipeline() = default;

Result<std::unique_ptr<Pipeline>> Pipeline::create(PipelineSpec spec, const Parts& parts, Position position,
                                                   std::unique_ptr<port::ValueDecoder> values) {
  std::unique_ptr<Pipeline> pipeline(new Pipeline(std::move(spec), parts, std::move(position), std::move(values)));
  TRY_DO(pipeline->compile());
  return pipeline;
}

Status Pipeline::compile() {
  port::QueryInput input{spec_.topic, spec_.input};
  TRY(query_, parts_.engine.compile(spec_.statement, input));
  if (!spec_.contract.empty()) {
    TRY(contract_, parts_.engine.compile(spec_.contract, input));
  }
  model::Schema visible = *query_->output();
  if (!visible.fields.empty() && visible.fields.back().name == kDeleteColumn) {
    deletes_ = true;
    visible.fields.pop_back();
  }
  CHECK(!visible.fields.empty() && visible.fields.back().name == kRowColumn, "a statement of the plan ends in the row column");
  visible.fields.pop_back();
  output_ = std::make_shared<const model::Schema>(std::move(visible));
  return {};
}

Status Pipeline::feed(const Runs& runs) {
  if (parts_.attempts == nullptr) return feed_together(runs);
  std::vector<RecordRange> ranges = ranges_of(runs);
  if (parts_.attempts->suspects(ranges)) return feed_one_by_one(runs);
  parts_.attempts->begin(ranges);
  Status done = feed_together(runs);
  parts_.attempts->end();
  return done;
}

Status Pipeline::feed_one_by_one(const Runs& runs) {
  for (const model::RecordRun& run : runs) {
    for (const model::RecordView& record : run.records) {
      model::RecordRun one;
      one.partition = run.partition;
      one.records = {record};
      one.next = model::Offset(record.offset.value + 1);
      one.owner = run.owner;
      if (parts_.attempts->condemns(run.partition.value, record.offset.value)) {
        TRY_DO(condemn(one));
        continue;
      }
      parts_.attempts->begin_alone(run.partition.value, record.offset.value);
      Status done = feed_together({one});
      parts_.attempts->end();
      TRY_DO(std::move(done));
    }
    model::RecordRun rest;  // where the log has gaps, the position is behind them
    rest.partition = run.partition;
    rest.next = run.next;
    TRY_DO(feed_together({rest}));
  }
  return {};
}

Status Pipeline::condemn(const model::RecordRun& one) {
  log_error("stream", fmt::format("query {}: the process died of {}-{}@{}, which becomes a dead letter", spec_.query, spec_.topic,
                                  one.partition.value, one.records[0].offset.value));
  Slice slice(spec_.input);
  take(slice, {one});
  TRY_DO(refuse(slice, 0, {"process", "crashed", "the process died while it worked on this record alone"}));
  next_.balance.*count_of(slice.items[0].fate) += 1;
  // Before the next record runs: if that is deadly too, this one must not come again.
  return commit();
}

Status Pipeline::feed_together(const Runs& runs) {
  Slice slice(spec_.input);
  take(slice, runs);
  return process(slice);
}

void Pipeline::take(Slice& slice, const Runs& runs) {
  for (const model::RecordRun& run : runs) {
    auto partition = static_cast<size_t>(run.partition.value);
    if (partition >= next_.partitions.size()) next_.partitions.resize(partition + 1);
    PartitionPosition& at = next_.partitions[partition];
    at.version = std::max(at.version, run.version_floor);
    for (const model::RecordView& record : run.records) {
      at.version = next_version(at.version, record.timestamp_ms);
      slice.items.push_back({record, {run.partition.value, record.offset.value, record.timestamp_ms, at.version, 0, false}});
      epoch_bytes_ += record.value ? record.value->size() : 0;
    }
    at.next = run.next;
    slice.builder.keep(run.owner);
  }
  epoch_records_ += slice.items.size();
  next_.balance.in += slice.items.size();
}

Status Pipeline::process(Slice& slice) {
  TRY_DO(decode(slice));
  TRY_DO(check_contract(slice));
  TRY_DO(run_sql(slice));
  for (const Slice::Item& item : slice.items) next_.balance.*count_of(item.fate) += 1;
  return {};
}

Status Pipeline::decode(Slice& slice) {
  slice.item_of_row.reserve(slice.items.size());
  bool faults = env::faults_are_on();
  for (size_t i = 0; i < slice.items.size(); ++i) {
    const Slice::Item& item = slice.items[i];
    if (faults) {
      TRY_DO(env::fault("stream.decode", fmt::format("{}/{}/{}/", spec_.topic, item.origin.partition, item.origin.offset)));
    }
    TRY(auto fault, decoder_.append(item.record, model::Partition(item.origin.partition), slice.builder));
    if (fault) {
      TRY_DO(refuse(slice, i, *fault));
    } else {
      slice.item_of_row.push_back(static_cast<uint32_t>(i));
    }
  }
  slice.batch = std::move(slice.builder).finish();
  return {};
}

Status Pipeline::check_contract(Slice& slice) {
  if (contract_ == nullptr || slice.batch.rows == 0) return {};
  std::vector<bool> broken(slice.batch.rows);
  auto refuse_row = [&](size_t row, std::string code, std::string message) {
    broken[row] = true;
    return refuse(slice, slice.item_of_row[row], {"contract", std::move(code), std::move(message)});
  };
  auto on_rows = [&](const model::ColumnBatch& rows) -> Status {
    for (size_t i = 0; i < rows.rows; ++i) {
      std::string rule(rows.columns[1].text(i));
      TRY_DO(refuse_row(static_cast<size_t>(rows.columns[0].at<int64_t>(i)), rule,
                        fmt::format("the contract '{}' is not true", rule)));
    }
    return {};
  };
  auto on_bad_row = [&](size_t row, const Error& error) {
    RecordFault fault = fault_of_run("contract", error);
    return refuse_row(row, fault.code, fault.message);
  };
  TRY_DO(Narrowing(*contract_, slice.batch, parts_.clock, narrowing_, on_rows, on_bad_row).run());
  if (std::find(broken.begin(), broken.end(), true) == broken.end()) return {};

  std::vector<uint32_t> kept, items;
  for (uint32_t row = 0; row < broken.size(); ++row) {
    if (broken[row]) continue;
    kept.push_back(row);
    items.push_back(slice.item_of_row[row]);
  }
  slice.batch = model::select_rows(slice.batch, kept);
  slice.item_of_row = std::move(items);
  return {};
}

Status Pipeline::run_sql(Slice& slice) {
  if (slice.batch.rows == 0) return {};
  size_t enough = parts_.sink.traits().stage_rows_min;
  std::vector<model::ColumnBatch> pieces;
  size_t rows_of_pieces = 0;
  auto stage_pieces = [&]() -> Status {
    if (pieces.empty()) return {};
    TRY_DO(stage(slice, pieces.size() == 1 ? pieces[0] : model::concat(pieces)));
    pieces.clear();
    rows_of_pieces = 0;
    return {};
  };
  auto on_rows = [&](const model::ColumnBatch& rows) -> Status {
    if (rows.rows == 0) return {};
    pieces.push_back(rows);
    rows_of_pieces += rows.rows;
    return rows_of_pieces >= enough ? stage_pieces() : Status();
  };
  auto on_bad_row = [&](size_t row, const Error& error) {
    return refuse(slice, slice.item_of_row[row], fault_of_run("sql", error));
  };
  TRY_DO(Narrowing(*query_, slice.batch, parts_.clock, narrowing_, on_rows, on_bad_row).run());
  return stage_pieces();
}

Status Pipeline::stage(Slice& slice, const model::ColumnBatch& rows) {
  const model::Column& row_column = rows.columns[output_->fields.size()];
  const model::Column* delete_column = deletes_ ? &rows.columns.back() : nullptr;
  std::vector<port::RowOrigin> origins(rows.rows);
  std::vector<uint32_t> items(rows.rows);
  for (size_t i = 0; i < rows.rows; ++i) {
    items[i] = slice.item_of_row[static_cast<size_t>(row_column.at<int64_t>(i))];
    Slice::Item& item = slice.items[items[i]];
    origins[i] = item.origin;
    origins[i].ordinal = item.rows++;
    origins[i].erase = delete_column != nullptr && !delete_column->is_null(i) && delete_column->at<bool>(i);
  }
  model::ColumnBatch visible{output_,
                             {rows.columns.begin(), rows.columns.begin() + static_cast<ptrdiff_t>(output_->fields.size())},
                             rows.rows,
                             rows.owner};
  TRY(port::SinkReport report, parts_.sink.stage(visible, origins, slice.replaying));

  std::vector<Fate> fates(rows.rows, Fate::kOut);
  for (uint32_t row : report.expired) fates[row] = Fate::kExpired;
  for (const auto& fault : report.faults) fates[fault.row] = Fate::kFiltered;  // what refuse() says stands
  for (size_t i = 0; i < rows.rows; ++i) slice.meet(items[i], fates[i]);
  for (const auto& fault : report.faults) TRY_DO(refuse(slice, items[fault.row], {"sink", fault.code, fault.message}));
  slice.superseded += report.superseded.size();
  next_.balance.superseded += report.superseded.size();
  next_.balance.rows_written += rows.rows - report.expired.size() - report.faults.size() - report.superseded.size();
  return {};
}

Status Pipeline::refuse(Slice& slice, size_t index, const RecordFault& fault) {
  const Slice::Item& item = slice.items[index];
  switch (spec_.on_error) {
    case OnError::kSkip: slice.meet(index, Fate::kSkipped); return {};
    case OnError::kFail:
      return fail(Errc::kFailedPrecondition,
                  fmt::format("query {} stopped at {}-{}@{}: {}: {}", spec_.query, spec_.topic, item.origin.partition,
                              item.origin.offset, fault.stage, fault.message),
                  "mend the query or the contract, or set on_error: dead_letter (keeps the record) or skip (counts it)");
    case OnError::kDeadLetter: break;
  }
  if (item.fate == Fate::kDead) return {};  // one letter a record: the first fault
  slice.meet(index, Fate::kDead);
  table::DeadLetter letter;
  letter.query = spec_.query;
  letter.topic = spec_.topic;
  letter.topic_id = next_.topic_id;
  letter.partition = item.origin.partition;
  letter.offset = item.origin.offset;
  letter.stage = fault.stage;
  letter.code = fault.code;
  letter.message = fault.message;
  letter.timestamp = instant_from_millis(item.origin.timestamp_ms);
  letter.version = item.origin.version;
  if (item.record.key) letter.key = std::string(*item.record.key);
  if (item.record.value) letter.value = std::string(*item.record.value);
  return letter.add_to(batch_);
}

Status Pipeline::commit() {
  if (next_ == committed_) return {};
  next_.epoch = committed_.epoch + 1;
  TRY_DO(committer_.commit(committed_, next_, std::move(batch_)));
  parts_.sink.committed();
  committed_ = next_;
  begin_epoch();
  return {};
}

Status Pipeline::recover() {
  TRY(committed_, committer_.recover(committed_));
  next_ = committed_;
  return {};
}

Status Pipeline::skip_lost(model::Partition partition, model::Offset next, uint64_t lost) {
  CHECK(next_ == committed_, "nothing is skipped within an epoch");
  next_.partitions[static_cast<size_t>(partition.value)].next = next;
  next_.balance.lost += lost;
  return commit();
}

void Pipeline::begin_epoch() {
  batch_ = store::Batch();
  epoch_records_ = epoch_bytes_ = 0;
  narrowing_ = NarrowingBudget();
}

void Pipeline::abandon() {
  parts_.sink.abandon();
  next_ = committed_;
  begin_epoch();
}

void Pipeline::interrupt() {
  query_->interrupt();
  if (contract_ != nullptr) contract_->interrupt();
  parts_.sink.interrupt();
}

Result<Pipeline::ReplayReport> Pipeline::replay(const std::vector<table::DeadLetter>& letters) {
  CHECK(epoch_records_ == 0, "a replay is an epoch of its own");
  Slice slice(spec_.input);
  slice.replaying = true;
  // The decoder reads ahead of a value's end, so each value gets room behind it.
  constexpr size_t kPadding = 64;
  auto values = std::make_shared<std::vector<std::string>>();
  values->reserve(letters.size());
  for (const table::DeadLetter& letter : letters) {
    TRY_DO(letter.erase_from(batch_));
    std::string& value = values->emplace_back(letter.value.value_or(""));
    size_t size = value.size();
    value.append(kPadding, '\0');
    model::RecordView record;
    record.offset = model::Offset(letter.offset);
    record.timestamp_ms = to_millis(letter.timestamp);
    if (letter.key) record.key = *letter.key;
    if (letter.value) record.value = std::string_view(value).substr(0, size);
    slice.items.push_back({record, {letter.partition, letter.offset, record.timestamp_ms, letter.version, 0, false}});
  }
  slice.builder.keep(values);
  for (const table::DeadLetter& letter : letters) {
    // Letters of an earlier topic of the name are in no count of this one.
    bool counted = letter.topic_id == next_.topic_id && next_.balance.dead > 0;
    counted ? --next_.balance.dead : ++next_.balance.in;
  }
  TRY_DO(process(slice));
  TRY_DO(commit());
  ReplayReport report;
  for (const Slice::Item& item : slice.items) (item.fate == Fate::kDead ? report.still_dead : report.replayed) += 1;
  report.superseded = slice.superseded;
  return report;
}

}  // namespace millrace::stream
