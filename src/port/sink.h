#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/column.h"
#include "store/store.h"

namespace millrace::port {

/// What lets a sink take part in an epoch's commit; the pipeline's guarantee follows from it.
enum class SinkKind {
  kLocalCommit,    // its rows join the epoch's store::Batch: exactly-once
  kTransactional,  // rows and epoch marker in one foreign transaction: exactly-once
  kIdempotent,     // keyed and versioned writes: effectively-once
};

struct SinkTraits {
  SinkKind kind = SinkKind::kLocalCommit;
  /// How the epoch's batch must be committed.
  store::Durability durability = store::Durability::kLog;
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

/// Takes the rows of an epoch. Call order: stage*, commit, then committed or abandon. Threading: one thread.
class Sink {
 public:
  virtual ~Sink() = default;
  virtual SinkTraits traits() const = 0;
  /// Takes rows of the query's output schema; views need not outlive the call. `check_versions`: compare with what is stored
  /// (replay of dead letters).
  virtual Result<SinkReport> stage(const model::ColumnBatch& rows, const std::vector<RowOrigin>& origins,
                                   bool check_versions) = 0;
  /// Makes the staged rows part of the epoch: a local sink puts them into `batch`, a foreign one flushes.
  virtual Status commit(store::Batch& batch) = 0;
  /// The epoch's batch is committed.
  virtual void committed() = 0;
  /// Forget what was staged.
  virtual void abandon() = 0;
};

}  // namespace millrace::port
