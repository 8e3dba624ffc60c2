#pragma once

#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/time.h"
#include "codec/cql/execute_writer.h"
#include "connect/cassandra/request.h"
#include "connect/cassandra/write_plan.h"
#include "port/sink.h"

namespace millrace::connect::cassandra {

/// What all requests of a sink have in common.
struct WriteMode {
  cql::Version version = cql::Version::kV5;
  cql::QueryParams params;
  bool nulls_unset = false;  // a NULL leaves the value that is there
  bool batches = true;
};

/// Rows of a query on their way to requests: encodes them, keeps one row a key, groups those of a partition. Pure.
///
/// Of rows with one key the highest version is kept, of equal versions the last: Cassandra would choose between equal timestamps
/// by the values. So the rows of a record must come out together, and those of the record that was added last are held back until
/// more come, or finish.
class RowBuffer {
 public:
  static constexpr Duration kAheadMax = std::chrono::hours(1);
  static constexpr int64_t kTtlMaxSeconds = 630'720'000;  // Attributes.MAX_TTL: 20 years
  static constexpr size_t kKeyBytesMax = 65'535;
  /// Servers take 16 MiB by default (native_transport_max_frame_size, max_mutation_size).
  static constexpr size_t kRowBytesMax = (16 << 20) - (64 << 10);
  static constexpr size_t kBatchBytesMax = 5 << 10;  // batch_size_warn_threshold
  static constexpr size_t kHeldRowsMax = 8192;

  RowBuffer(const WritePlan& plan, WriteMode mode) : plan_(plan), mode_(mode) {}

  /// Rows that `report` names, before or after the call, are not taken.
  void add(const model::ColumnBatch& rows, std::span<const port::RowOrigin> origins, Instant now, port::SinkReport& report);
  /// The requests for what was added and is not held back (`all`: for everything). `statements`: INSERT and DELETE.
  struct Out {
    std::unique_ptr<Request> request;
    std::vector<port::RowOrigin> rows;
  };
  std::vector<Out> take(std::span<const Prepared> statements, bool all);
  void clear();
  void without_batches() { mode_.batches = false; }

 private:
  struct Row {
    port::RowOrigin origin;
    size_t at = 0;  // its values in bytes_: key, then the rest (only the key of an erasing row)
    uint32_t partition_size = 0;
    uint32_t key_size = 0;
    uint32_t size = 0;
    int32_t ttl_seconds = 0;
    bool dropped = false;
  };

  bool encode(const model::ColumnBatch& rows, size_t row, Row& to, port::SinkReport& report);
  bool encode_rest(const model::ColumnBatch& rows, size_t row, port::SinkReport& report);
  int32_t ttl_left(const port::RowOrigin& origin, Instant now) const;
  void drop_duplicates(size_t count);
  std::vector<std::vector<uint32_t>> groups(size_t count) const;
  Out execute(uint32_t row, std::span<const Prepared> statements) const;
  Out batch(std::span<const uint32_t> rows, std::span<const Prepared> statements) const;
  void put_values(cql::ValueWriter& values, const Row& row) const;
  int64_t token_of(const Row& row) const;
  std::string_view key(const Row& row) const { return std::string_view(bytes_).substr(row.at, row.key_size); }
  std::string_view partition(const Row& row) const { return std::string_view(bytes_).substr(row.at, row.partition_size); }
  void forget(size_t count);

  const WritePlan& plan_;
  WriteMode mode_;
  std::string bytes_;
  std::vector<Row> rows_;
};

}  // namespace millrace::connect::cassandra
