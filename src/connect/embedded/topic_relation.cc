#include "connect/embedded/topic_relation.h"

#include <algorithm>
#include <charconv>
#include <map>

#include "base/bytes.h"
#include "codec/kafka_record/record_batch.h"

namespace millrace::connect::embedded {
namespace {

constexpr size_t kChunkBytes = 1 << 20;

const model::Schema& record_schema() {
  static const model::Schema schema = [] {
    using model::Type;
    using model::TypeId;
    Type header{TypeId::kStruct, 0, 0, {{"key", {TypeId::kText}}, {"value", {TypeId::kBlob}}}};
    return model::Schema{{{"_partition", {TypeId::kInteger}},
                          {"_offset", {TypeId::kBigint}},
                          {"_timestamp", {TypeId::kTimestampTz}},
                          {"_key", {TypeId::kText}},
                          {"_value", {TypeId::kText}},
                          {"_headers", {TypeId::kList, 0, 0, {{"element", header}}}}}};
  }();
  return schema;
}
enum RecordColumn : size_t { kPartition, kOffset, kTimestamp, kKey, kValue, kHeaders, kRecordColumns };

void append_bytes_as_text(model::ColumnBuilder& column, std::optional<std::string_view> bytes) {
  if (!bytes) {
    column.append_null();
  } else if (is_utf8(*bytes)) {
    column.append_stable_text(*bytes);
  } else {
    column.append_text(replace_invalid_utf8(*bytes));
  }
}

Status append_headers(model::ColumnBuilder& column, std::string_view raw) {
  TRY(auto headers, codec::kafka_record::decode_headers(raw));
  model::ColumnBuilder& element = column.child();
  for (const model::Header& header : headers) {
    element.child(0).append_text(is_utf8(header.key) ? header.key : replace_invalid_utf8(header.key));
    if (header.value) {
      element.child(1).append_text(*header.value);
    } else {
      element.child(1).append_null();
    }
    element.finish_struct();
  }
  column.finish_list(headers.size());
  return {};
}

Status append_record_column(size_t which, model::Partition partition, const model::RecordView& record,
                            model::ColumnBuilder& column) {
  switch (static_cast<RecordColumn>(which)) {
    case kPartition: column.append(partition.value); break;
    case kOffset: column.append(record.offset.value); break;
    case kTimestamp: column.append(int64_t{to_micros(instant_from_millis(record.timestamp_ms))}); break;
    case kKey: append_bytes_as_text(column, record.key); break;
    case kValue: append_bytes_as_text(column, record.value); break;
    case kHeaders: return append_headers(column, record.raw_headers);
    case kRecordColumns: break;
  }
  return {};
}

using Range = PartitionRange;

void narrow(std::vector<Range>& ranges, const port::KeyPredicate& predicate) {
  int64_t v = 0;
  const std::string& text = predicate.constant;
  auto [stop, error] = std::from_chars(text.data(), text.data() + text.size(), v);
  if (error != std::errc() || stop != text.data() + text.size() || v == INT64_MAX) return;
  using Op = port::KeyPredicate::Op;
  bool has_low = predicate.op == Op::kEq || predicate.op == Op::kGt || predicate.op == Op::kGe;
  bool has_high = predicate.op == Op::kEq || predicate.op == Op::kLt || predicate.op == Op::kLe;
  int64_t low = predicate.op == Op::kGt ? v + 1 : v;   // inclusive
  int64_t high = predicate.op == Op::kLt ? v : v + 1;  // exclusive
  if (model::same_name(predicate.column, "_partition")) {
    std::erase_if(
        ranges, [&](const Range& r) { return (has_low && r.partition.value < low) || (has_high && r.partition.value >= high); });
  } else if (model::same_name(predicate.column, "_offset")) {
    for (Range& r : ranges) {
      if (has_low) r.next = std::max(r.next, model::Offset(low));
      if (has_high) r.end = std::min(r.end, model::Offset(high));
    }
  }
}

class TopicScan : public port::RelationScan {
 public:
  TopicScan(TopicContents::Next next, std::map<model::Partition, model::Offset> ends, std::vector<size_t> columns,
            std::shared_ptr<const model::Schema> values, ValueReader reader, std::shared_ptr<const model::Schema> schema)
      : next_(std::move(next)),
        ends_(std::move(ends)),
        columns_(std::move(columns)),
        values_(std::move(values)),
        reader_(std::move(reader)),
        schema_(std::move(schema)) {
    for (size_t column : columns_) {
      if (column >= value_count()) record_columns_.push_back(column - value_count());
    }
    auto picked = std::make_shared<model::Schema>();
    for (size_t column : record_columns_) picked->fields.push_back(record_schema().fields[column]);
    picked_ = std::move(picked);
  }

  Result<model::ColumnBatch> next() override {
    model::BatchBuilder records(picked_);
    std::optional<model::BatchBuilder> values;
    if (reader_) values.emplace(values_);
    size_t rows = 0;
    while (rows < port::kScanRowsMax) {
      if (at_ == run_.records.size()) {
        TRY(bool more, refill());
        if (!more) break;
        continue;
      }
      if (rows == 0 || at_ == 0) keep(records, values);
      TRY_DO(append(run_.records[at_++], records, values));
      ++rows;
    }
    return assemble(rows, std::move(records), std::move(values));
  }

 private:
  size_t value_count() const { return values_ ? values_->fields.size() : 0; }

  Result<bool> refill() {
    while (true) {
      TRY(std::optional<model::RecordRun> run, next_());
      if (!run) return false;
      run_ = std::move(*run);
      at_ = 0;
      auto end = ends_.find(run_.partition);
      std::erase_if(run_.records, [&](const model::RecordView& r) { return end == ends_.end() || r.offset >= end->second; });
      if (!run_.records.empty()) return true;
    }
  }

  void keep(model::BatchBuilder& records, std::optional<model::BatchBuilder>& values) {
    records.keep(run_.owner);
    if (values) values->keep(run_.owner);
  }

  Status append(const model::RecordView& record, model::BatchBuilder& records, std::optional<model::BatchBuilder>& values) {
    for (size_t i = 0; i < record_columns_.size(); ++i) {
      TRY_DO(append_record_column(record_columns_[i], run_.partition, record, records.column(i)));
    }
    if (!values || (record.value && reader_(record, *values))) return {};
    for (size_t i = 0; i < values->column_count(); ++i) values->column(i).append_null();
    return {};
  }

  model::ColumnBatch assemble(size_t rows, model::BatchBuilder records, std::optional<model::BatchBuilder> values) {
    auto parts = std::make_shared<std::pair<model::ColumnBatch, model::ColumnBatch>>();
    parts->first = std::move(records).finish();
    if (values) parts->second = std::move(*values).finish();
    model::ColumnBatch out;
    out.schema = schema_;
    out.rows = rows;
    size_t record_column = 0;
    for (size_t column : columns_) {
      out.columns.push_back(column < value_count() ? parts->second.columns[column] : parts->first.columns[record_column++]);
    }
    out.owner = std::move(parts);
    return out;
  }

  const TopicContents::Next next_;
  const std::map<model::Partition, model::Offset> ends_;
  const std::vector<size_t> columns_;
  std::shared_ptr<const model::Schema> values_;
  ValueReader reader_;  // empty when no value column is wanted
  std::shared_ptr<const model::Schema> schema_;
  std::vector<size_t> record_columns_;
  std::shared_ptr<const model::Schema> picked_;
  model::RecordRun run_;
  size_t at_ = 0;
};

}  // namespace

std::string replace_invalid_utf8(std::string_view bytes) {
  std::string out;
  while (!bytes.empty()) {
    size_t length = 1;
    while (length <= 4 && length <= bytes.size() && !is_utf8(bytes.substr(0, length))) ++length;
    bool valid = length <= 4 && length <= bytes.size();
    out += valid ? bytes.substr(0, length) : std::string_view("\xEF\xBF\xBD");
    bytes.remove_prefix(valid ? length : 1);
  }
  return out;
}

TopicContents contents_of(std::shared_ptr<log::Topic> topic) {
  TopicContents contents{topic->name(), {}, {}};
  for (int32_t i = 0; i < topic->partition_count(); ++i) {
    log::PartitionLog& partition = topic->partition(model::Partition(i));
    contents.partitions.push_back({partition.start_offset(), partition.end_offset()});
  }
  contents.read = [topic](std::vector<Range> ranges) -> Result<TopicContents::Next> {
    return [topic, ranges = std::move(ranges)]() mutable -> Result<std::optional<model::RecordRun>> {
      while (!ranges.empty()) {
        Range& range = ranges.front();
        log::PartitionLog& partition = topic->partition(range.partition);
        // Retention goes on while a statement runs; what it took is not there any more.
        range.next = std::max(range.next, partition.start_offset());
        if (range.next >= range.end) {
          ranges.erase(ranges.begin());
          continue;
        }
        TRY(model::RecordRun run, partition.read(range.next, kChunkBytes, static_cast<size_t>(range.end - range.next)));
        range.next = run.next == range.next ? range.end : std::max(range.next, run.next);
        return std::optional(std::move(run));
      }
      return std::optional<model::RecordRun>();
    };
  };
  return contents;
}

TopicRelation::TopicRelation(TopicContents topic, ValueColumns values) : topic_(std::move(topic)), values_(std::move(values)) {
  if (values_.schema) schema_ = *values_.schema;
  for (const model::Field& field : record_schema().fields) schema_.fields.push_back(field);
}

Result<std::unique_ptr<port::RelationScan>> TopicRelation::scan(const port::ScanRequest& request) {
  std::vector<Range> ranges;
  for (size_t i = 0; i < topic_.partitions.size(); ++i)
    ranges.push_back({model::Partition(static_cast<int32_t>(i)), topic_.partitions[i].start, topic_.partitions[i].end});
  for (const port::KeyPredicate& predicate : request.predicates) narrow(ranges, predicate);
  std::map<model::Partition, model::Offset> ends;
  for (const Range& range : ranges) ends.emplace(range.partition, range.end);

  auto schema = std::make_shared<model::Schema>();
  std::vector<size_t> needed;
  size_t value_columns = schema_.fields.size() - kRecordColumns;
  for (size_t column : request.columns) {
    if (column >= schema_.fields.size())
      return fail(Errc::kInvalidArgument, "topic " + topic_.name + " has no column of that number");
    schema->fields.push_back(schema_.fields[column]);
    if (column < value_columns) needed.push_back(column);
  }
  ValueReader reader;
  if (!needed.empty()) {
    TRY(reader, values_.make_reader(needed));
  }
  TRY(TopicContents::Next next, topic_.read(std::move(ranges)));
  return std::make_unique<TopicScan>(std::move(next), std::move(ends), request.columns, values_.schema, std::move(reader),
                                     std::move(schema));
}

}  // namespace millrace::connect::embedded
