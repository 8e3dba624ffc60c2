#pragma once

#include <cstdint>
#include <vector>

#include "base/result.h"
#include "model/column.h"
#include "store/store.h"

namespace millrace::port {

/// What lets a sink take part in an epoch's commit; the pipeline's guarantee follows from it (architecture 4.5-4.8).
enum class SinkKind {
  kLocalCommit,    // its rows join the epoch's store::Batch: exactly-once
  kTransactional,  // rows and epoch marker in one foreign transaction: exactly-once
  kIdempotent,     // keyed and versioned writes: effectively-once
};

/// Where an output row comes from, one for each row of the staged batch.
struct RowOrigin {
  int32_t partition = 0;
  int64_t offset = 0;
  int64_t timestamp_ms = 0;  // of the record
  uint64_t version = 0;      // architecture 4.8: microseconds, grows along an input partition
  uint32_t ordinal = 0;      // of the row among those of its record
};

struct SinkReport {
  uint64_t written = 0;
  uint64_t superseded = 0;  // an existing row was newer (only when `check_versions`)
  uint64_t expired = 0;     // older than the table's TTL
};

/// Takes the rows of an epoch. Call order: stage*, commit, then committed or abandon. Threading: one thread.
class Sink {
 public:
  virtual ~Sink() = default;
  virtual SinkKind kind() const = 0;
  /// Takes rows of the query's output schema. `check_versions`: compare with what is stored (replay of dead letters).
  virtual Result<SinkReport> stage(const model::ColumnBatch& rows, const std::vector<RowOrigin>& origins, bool check_versions) = 0;
  /// Makes the staged rows part of the epoch: a local sink puts them into `batch`, a foreign one flushes.
  virtual Status commit(store::Batch& batch) = 0;
  /// The epoch's batch is committed.
  virtual void committed() = 0;
  /// Forget what was staged.
  virtual void abandon() = 0;
};

}  // namespace millrace::port
