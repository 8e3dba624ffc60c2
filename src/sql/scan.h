#pragma once

#include <duckdb.h>

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include "base/mutex.h"
#include "base/result.h"
#include "model/column.h"

namespace millrace::sql {

/// The rows of one execution of a scan.
class ScanCursor {
 public:
  virtual ~ScanCursor() = default;
  struct Slice {
    const model::ColumnBatch* batch =
        nullptr;  // its columns in the order asked for; the last ones may be left out: they are NULL
    size_t first = 0;
    size_t count = 0;  // at most DuckDB's vector size; 0 at the end
  };
  /// What the slice shows is read before the next call; long texts are read until the statement ends.
  virtual Result<Slice> next() = 0;
};

/// What `millrace_scan(id)` reads. Its calls come from one thread at a time.
class ScanSource {
 public:
  virtual ~ScanSource() = default;
  virtual const model::Schema& columns() const = 0;
  /// `wanted` are indexes into columns(). Called once for each execution.
  virtual Result<std::unique_ptr<ScanCursor>> open(const std::vector<size_t>& wanted) = 0;
  /// The cursor failed: the words that DuckDB passes on are not all that the error says.
  virtual void failed(Error error) = 0;
};

/// Finds sources by the number that stands in a statement. Threading: any.
class ScanRegistry {
 public:
  int64_t add(ScanSource& source) EXCLUDES(mutex_);
  void remove(int64_t id) EXCLUDES(mutex_);
  ScanSource* find(int64_t id) EXCLUDES(mutex_);

 private:
  Mutex mutex_;
  int64_t next_id_ GUARDED_BY(mutex_) = 1;
  std::unordered_map<int64_t, ScanSource*> sources_ GUARDED_BY(mutex_);
};

/// The name of the table function over the registry.
inline constexpr const char* kScanFunction = "millrace_scan";
Status register_scan(duckdb_connection connection, ScanRegistry& registry);

}  // namespace millrace::sql
