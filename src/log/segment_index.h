#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "codec/kafka_record/record_batch.h"
#include "model/ids.h"

namespace millrace::log {

/// A segment in five numbers.
struct SegmentSummary {
  model::Offset base;
  model::Offset next;  // the offset after its last record
  uint64_t bytes = 0;
  int64_t max_timestamp_ms = INT64_MIN;  // of its records; INT64_MIN without any
  int64_t written_ms = 0;                // wall time of the last append

  friend bool operator==(const SegmentSummary&, const SegmentSummary&) = default;
};

/// Sparse index of one segment: the position of about one batch in every `interval_bytes`. It is a cache of what the segment
/// says.
///
/// The `.index` file, little-endian: magic "MRIX", format u16 = 1, zero u16, base i64, next i64, bytes i64, max timestamp i64,
/// written i64, count u32, CRC-32C u32 of all before; then `count` entries {offset i64, position i64, max timestamp before the
/// position i64}, then the CRC-32C u32 of the entries. It is right when both CRCs hold and the segment has at least `bytes`
/// bytes; a segment that went on growing is scanned from there.
class SegmentIndex {
 public:
  struct Entry {
    model::Offset offset;
    uint64_t position = 0;
    int64_t max_timestamp_before_ms = INT64_MIN;
  };
  static constexpr size_t kHeaderBytes = 56;
  static constexpr size_t kEntryBytes = 24;

  SegmentIndex(model::Offset base, uint64_t interval_bytes);

  /// Takes the next batch of the segment.
  void add(const codec::kafka_record::BatchHeader& header, int64_t written_ms);
  const SegmentSummary& summary() const { return summary_; }
  /// The last indexed batch that starts at or before `offset`.
  Entry find(model::Offset offset) const;
  /// The last indexed batch before which everything is older than the time.
  Entry find_time(int64_t timestamp_ms) const;
  const std::vector<Entry>& entries() const { return entries_; }

  std::string encode() const;
  /// Errors: kCorruption; kFailedPrecondition for a newer format.
  static Result<SegmentIndex> decode(std::string_view bytes, uint64_t interval_bytes);
  /// Only the front, at least kHeaderBytes long.
  static Result<SegmentSummary> decode_summary(std::string_view bytes);

 private:
  SegmentSummary summary_;
  uint64_t interval_bytes_;
  uint64_t next_entry_at_ = 0;
  std::vector<Entry> entries_;
};

}  // namespace millrace::log
