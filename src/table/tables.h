#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/mutex.h"
#include "base/result.h"
#include "store/store.h"
#include "table/table.h"

namespace millrace::table {

/// The catalog: which tables there are.
/// Threading: safe from any thread. Lifetime: the store outlives it; a Table handed out lives on after drop and evolve.
class Tables {
 public:
  using TablePtr = std::shared_ptr<const Table>;

  /// Errors: kCorruption when an entry cannot be read, kFailedPrecondition when it is of a newer format.
  static Result<std::unique_ptr<Tables>> open(store::Store& store);

  /// Durable when it returns. kAlreadyExists, or the faults of check_table_def.
  Result<TablePtr> create(const TableDef& def);
  /// Takes over appended columns, ttl and delete rule; the same definition again is no change. kNotFound, kFailedPrecondition.
  Result<TablePtr> evolve(const TableDef& def);
  /// create, or evolve when there is such a table.
  Result<TablePtr> declare(const TableDef& def);
  /// Removes the table and its rows. kNotFound.
  Status drop(std::string_view name);
  /// Removes the rows. A batch that is committed later adds its rows to the empty table. kNotFound.
  Status truncate(std::string_view name);

  /// Null when there is none. Names compare without case.
  TablePtr find(std::string_view name) const;
  /// By name.
  std::vector<TablePtr> list() const;

 private:
  explicit Tables(store::Store& store) : store_(store) {}
  Status load() REQUIRES(mutex_);

  store::Store& store_;
  mutable Mutex mutex_;
  std::map<std::string, TablePtr> tables_ GUARDED_BY(mutex_);  // by lower-case name
  uint32_t next_id_ GUARDED_BY(mutex_) = 1;
};

}  // namespace millrace::table
