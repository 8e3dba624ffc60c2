#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "model/ids.h"

namespace millrace::model {

struct Header {
  std::string key;
  std::optional<std::string> value;
};

/// A record on its way into a topic. Null key and null value are not the empty ones.
struct Record {
  std::optional<std::string> key;
  std::optional<std::string> value;
  std::vector<Header> headers;
  /// Milliseconds since 1970; without it the log stamps the time of the append.
  std::optional<int64_t> timestamp_ms;
};

/// A record as read from a topic: views into memory that the RecordRun keeps alive.
struct RecordView {
  Offset offset;
  int64_t timestamp_ms = 0;
  std::optional<std::string_view> key;
  std::optional<std::string_view> value;
  /// The record's headers as they stand in the Kafka record (varint count, then key and value of each); decode with
  /// codec/kafka_record. Most queries never look.
  std::string_view raw_headers;
};

/// Consecutive records of one partition in offset order. Offsets may have gaps (removed control batches).
struct RecordRun {
  Partition partition;
  std::vector<RecordView> records;
  /// Where to read on.
  Offset next;
  /// Keeps the bytes behind the views; at least 64 readable bytes follow every value (simdjson reads ahead).
  std::shared_ptr<const void> owner;
  /// Write versions of these records are above it: the last one that another process gave out for this partition, else 0.
  uint64_t version_floor = 0;
};

}  // namespace millrace::model
