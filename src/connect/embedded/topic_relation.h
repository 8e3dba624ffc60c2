#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "log/log.h"
#include "model/column_builder.h"
#include "port/relation.h"
#include "port/source.h"

namespace millrace::connect::embedded {

/// Appends one row to a builder of the value schema, or leaves it as it was and returns false: the row's columns are NULL then.
using ValueReader = std::function<bool(const model::RecordView& record, model::BatchBuilder& out)>;

/// How a topic's values become columns; handed in by who knows the format.
struct ValueColumns {
  std::shared_ptr<const model::Schema> schema;
  /// `needed` are indexes into the schema; what the reader puts into other columns is not looked at.
  std::function<Result<ValueReader>(std::span<const size_t> needed)> make_reader;
};

/// What is left to read of one partition.
struct PartitionRange {
  model::Partition partition;
  model::Offset next;
  model::Offset end;
};

/// The records of a topic as of one moment, wherever it lives.
struct TopicContents {
  /// The next records of any of the ranges; nothing at their end. Records behind a range's end may be among them.
  using Next = std::function<Result<std::optional<model::RecordRun>>()>;

  std::string name;
  std::vector<port::OffsetRange> partitions;
  std::function<Result<Next>(std::vector<PartitionRange> ranges)> read;
};
TopicContents contents_of(std::shared_ptr<log::Topic> topic);

/// A topic in FROM: the value's columns, then _partition, _offset, _timestamp, _key, _value (text; bytes that are not UTF-8 show
/// as U+FFFD) and _headers. Shows what is visible when it is made. Predicates on _partition and _offset narrow what is read.
/// Lifetime: must not outlive the log that holds the topic.
class TopicRelation : public port::Relation {
 public:
  /// `values.schema` may be null: a topic without a schema.
  TopicRelation(TopicContents topic, ValueColumns values);

  const model::Schema& schema() const override { return schema_; }
  Result<std::unique_ptr<port::RelationScan>> scan(const port::ScanRequest& request) override;

 private:
  const TopicContents topic_;
  ValueColumns values_;
  model::Schema schema_;
};

/// The text itself when it is UTF-8; otherwise each byte that cannot be part of it becomes U+FFFD.
std::string replace_invalid_utf8(std::string_view bytes);

}  // namespace millrace::connect::embedded
