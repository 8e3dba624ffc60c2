#pragma once

#include <cstdint>
#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/ids.h"
#include "store/store.h"

namespace millrace::stream {

/// What became of the records that a query has read. Every record is in exactly one of the lower counts, so
///   in = out + filtered + absorbed + dead + skipped + late + expired        (+ in_flight, for what was not read yet)
struct Balance {
  uint64_t in = 0;
  uint64_t out = 0;       // gave at least one row to the sink
  uint64_t filtered = 0;  // WHERE was not true
  uint64_t absorbed = 0;  // taken into an aggregate
  uint64_t dead = 0;      // is a dead letter
  uint64_t skipped = 0;   // failed under on_error: skip
  uint64_t late = 0;      // came after its window was closed
  uint64_t expired = 0;   // older than the table's TTL
  uint64_t rows_written = 0;
  uint64_t superseded = 0;  // replayed rows that were older than what the table has
  uint64_t lost = 0;        // records that were gone before the query came to them; not among `in`

  uint64_t accounted() const { return out + filtered + absorbed + dead + skipped + late + expired; }
  friend bool operator==(const Balance&, const Balance&) = default;
};

struct PartitionPosition {
  model::Offset next{0};
  /// The last write version given to a record of this partition, in microseconds.
  uint64_t version = 0;
  friend bool operator==(const PartitionPosition&, const PartitionPosition&) = default;
};

/// Where a query stands. It is part of every commit of the query, next to the rows it produced, so that rows, offsets and
/// counts can never disagree.
struct Position {
  model::TopicId topic_id;
  std::vector<PartitionPosition> partitions;
  uint64_t epoch = 0;
  Balance balance;
  friend bool operator==(const Position&, const Position&) = default;
};

/// The key in store::Space::kMeta.
std::string position_key(std::string_view query);
/// Where the epoch that is being written into a foreign transaction stands meanwhile.
std::string intent_key(std::string_view query);
/// Calls `on_position` with the name and the encoded position of every query that is there.
Status each_position(store::Store& store,
                     const std::function<Status(std::string_view query, std::string_view position)>& on_position);
/// Format 1 (docs/formats/position.md). decode: kCorruption when the bytes are not that, kFailedPrecondition for a newer format.
std::string encode_position(const Position& position);
Result<Position> decode_position(std::string_view bytes);

/// The write version of a record: microseconds of its timestamp, but always more than the
/// previous one of its partition, so that of two records with one key the later in the partition wins.
inline uint64_t next_version(uint64_t previous, int64_t timestamp_ms) {
  uint64_t of_record = timestamp_ms > 0 ? static_cast<uint64_t>(timestamp_ms) * 1000 : 0;
  return of_record > previous ? of_record : previous + 1;
}

}  // namespace millrace::stream
