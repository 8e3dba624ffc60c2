#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "model/column.h"
#include "port/source.h"
#include "store/store.h"

namespace millrace::port {

/// What lets a sink take part in an epoch's commit; the pipeline's guarantee follows from it.
enum class SinkKind {
  kLocalCommit,    // its rows join the epoch's store::Batch: exactly-once
  kTransactional,  // rows and the epoch's number in one foreign transaction: exactly-once
  kIdempotent,     // keyed and versioned writes: effectively-once
  kAtLeastOnce,    // rows of an epoch that was cut off come again
};

struct SinkTraits {
  SinkKind kind = SinkKind::kLocalCommit;
  /// How the epoch's batch must be committed.
  store::Durability durability = store::Durability::kLog;
  /// An epoch that is cut off is worked through again, so where rows are slow it should be small.
  size_t epoch_records_max = 1'000'000;
  Duration epoch_time_max = std::chrono::hours(1);
  /// A stage() costs as much as so many rows, so smaller pieces are put together.
  size_t stage_rows_min = 1;
};

/// The epoch that a commit ends. Numbers of a query's epochs grow, and are never used twice for what was committed.
struct Epoch {
  uint64_t number = 0;
  std::vector<PartitionEnd> ends;  // of the partitions that it read
};

/// Where an output row comes from, one for each row of the staged batch.
struct RowOrigin {
  int32_t partition = 0;
  int64_t offset = 0;
  int64_t timestamp_ms = 0;  // of the record
  uint64_t version = 0;      // microseconds, grows along an input partition
  uint32_t ordinal = 0;      // of the row among those of its record
  bool erase = false;        // the row says that its key is deleted
};

/// What became of the staged rows: all were taken but those that are listed, by their place in the batch.
struct SinkReport {
  struct RowFault {
    uint32_t row;
    std::string code;
    std::string message;
  };
  std::vector<RowFault> faults;      // cannot be written: a NULL in the key, a far-future version
  std::vector<uint32_t> expired;     // older than the table's TTL
  std::vector<uint32_t> superseded;  // the table has a newer row (only with `check_versions`)
};

/// Takes the rows of an epoch. Call order: recover, then for each epoch stage*, commit, and committed or abandon. After an error
/// comes abandon, and for a transactional sink recover. Threading: one thread, but for interrupt().
///
/// Errors: kUnavailable (nobody answers; a later try may succeed), kFenced (another process writes as this query),
/// kFailedPrecondition (the target is gone or has changed).
class Sink {
 public:
  virtual ~Sink() = default;
  virtual SinkTraits traits() const = 0;
  /// Takes rows of the query's output schema; views need not outlive the call. A foreign sink may send them at once. A row that
  /// the target refuses for what it holds is a fault of the report, if it shows here. `check_versions`: compare with what is
  /// stored (replay of dead letters).
  virtual Result<SinkReport> stage(const model::ColumnBatch& rows, const std::vector<RowOrigin>& origins,
                                   bool check_versions) = 0;
  /// Makes the staged rows part of the epoch: a local sink puts them into `batch`, a foreign one returns when they are durable.
  virtual Status commit(const Epoch& epoch, store::Batch& batch) = 0;
  /// The epoch's batch is committed.
  virtual void committed() {}
  /// Forget what was staged.
  virtual void abandon() = 0;
  /// kTransactional: the number of the query's last epoch that is committed there, none before the first. What an earlier writer
  /// left open is rolled back, and that writer can commit nothing any more.
  virtual Result<std::optional<uint64_t>> recover() { return std::optional<uint64_t>(); }
  /// A clean stop, after the last epoch: completes what is begun there, such as a file.
  virtual Status finish() { return {}; }
  /// Ends the call that waits, and every later one, with kCancelled; from any thread.
  virtual void interrupt() {}
};

}  // namespace millrace::port
