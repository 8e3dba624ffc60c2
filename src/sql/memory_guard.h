#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>

#include "base/result.h"

namespace millrace::sql {

/// What the statements of one engine may hold together. Threading: any.
class MemoryBudget {
 public:
  explicit MemoryBudget(uint64_t bytes_max) : bytes_max_(static_cast<int64_t>(bytes_max)) {}
  int64_t bytes_max() const { return bytes_max_; }
  bool take(int64_t bytes);
  void give(int64_t bytes) { taken_.fetch_sub(bytes, std::memory_order_relaxed); }

 private:
  const int64_t bytes_max_;
  std::atomic<int64_t> taken_ = 0;
};

/// What one statement holds: everything that is allocated less everything that is freed while a MemoryScope of it is open on the
/// thread, whichever part of DuckDB does it. DuckDB's own memory_limit sees only its buffers; texts, lists, the planner and half
/// of the functions allocate beside it.
///
/// Beyond the budget an allocation of kLargeBytes or more fails, as it would without memory, and DuckDB ends the statement. A
/// smaller one fails only when a quarter of the budget more is gone, since DuckDB has small allocations where it cannot bear an
/// error; until then each of them calls `interrupt`.
///
/// Threading: one scope at a time. Lifetime: the budget outlives it.
class MemoryAccount {
 public:
  static constexpr size_t kLargeBytes = 1 << 20;

  MemoryAccount(MemoryBudget& budget, void (*interrupt)(void*), void* interrupt_argument)
      : budget_(budget), interrupt_(interrupt), interrupt_argument_(interrupt_argument) {}
  MemoryAccount(const MemoryAccount&) = delete;
  ~MemoryAccount() { budget_.give(reserved_); }

  /// Whether so many bytes more can be had.
  bool allow(size_t bytes);
  void note_allocated(size_t bytes) { held_ += static_cast<int64_t>(bytes); }
  void note_freed(size_t bytes);

  /// An allocation was refused, or made beyond the budget.
  bool exceeded() const { return exceeded_; }
  /// kResourceExhausted when the statement alone is too large, kUnavailable when others hold what it lacked.
  Error error() const;

 private:
  MemoryBudget& budget_;
  void (*const interrupt_)(void*);
  void* const interrupt_argument_;
  int64_t held_ = 0;      // can be below 0: what an earlier run left is freed in this one
  int64_t reserved_ = 0;  // of the budget
  bool exceeded_ = false;
  bool alone_ = true;
};

/// Allocations of this thread are the account's as long as this lives.
class MemoryScope {
 public:
  explicit MemoryScope(MemoryAccount& account);
  MemoryScope(const MemoryScope&) = delete;
  ~MemoryScope();

 private:
  MemoryAccount* const outer_;
};

/// Inside of a scope: code of ours, which must not meet a failing allocation.
class MemoryPause {
 public:
  MemoryPause();
  MemoryPause(const MemoryPause&) = delete;
  ~MemoryPause();

 private:
  MemoryAccount* const outer_;
};

/// False in builds whose allocator is a sanitizer's: there nothing is counted.
extern const bool kMemoryIsCounted;

}  // namespace millrace::sql
