#include "sql/memory_guard.h"

#include <fmt/format.h>
#include <malloc.h>

#include <algorithm>
#include <cerrno>
#include <cstdlib>
#include <utility>

// How allocations are seen: the executable defines malloc and its kin, which the dynamic linker prefers over glibc's for every
// shared library (operator new of libstdc++ ends there too), and the three functions of the jemalloc inside of libduckdb.so,
// which DuckDB calls by way of its PLT. Both pass on to the allocator behind them. Outside of a scope that costs one thread-local
// load.
#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define MILLRACE_ALLOCATOR_IS_TAKEN 1
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__) || !defined(__GLIBC__)
#define MILLRACE_ALLOCATOR_IS_TAKEN 1
#endif

namespace millrace::sql {
namespace {

constexpr int64_t kStep = 1 << 20;  // by which an account takes from the budget
constexpr int64_t kKept = 8 * kStep;

// initial-exec: the other models may allocate at the first access, inside of malloc.
__attribute__((tls_model("initial-exec"))) constinit thread_local MemoryAccount* current = nullptr;

}  // namespace

bool MemoryBudget::take(int64_t bytes) {
  if (taken_.fetch_add(bytes, std::memory_order_relaxed) + bytes <= bytes_max_) return true;
  give(bytes);
  return false;
}

bool MemoryAccount::allow(size_t bytes) {
  int64_t after = 0;
  bool countable = bytes < PTRDIFF_MAX && !__builtin_add_overflow(held_, static_cast<int64_t>(bytes), &after);
  if (countable && after <= reserved_) return true;
  if (countable && after <= budget_.bytes_max()) {
    int64_t missing = (after - reserved_ + kStep - 1) / kStep * kStep;
    if (budget_.take(missing)) {
      reserved_ += missing;
      return true;
    }
  }
  alone_ = !countable || after > budget_.bytes_max();
  exceeded_ = true;
  interrupt_(interrupt_argument_);
  return bytes < kLargeBytes && after - reserved_ <= budget_.bytes_max() / 4;
}

void MemoryAccount::note_freed(size_t bytes) {
  held_ -= static_cast<int64_t>(bytes);
  if (reserved_ - held_ <= 2 * kKept || reserved_ <= kKept) return;
  int64_t spare = (std::min(reserved_ - held_, reserved_) - kKept) / kStep * kStep;
  budget_.give(spare);
  reserved_ -= spare;
}

Error MemoryAccount::error() const {
  int64_t mebibytes = budget_.bytes_max() >> 20;
  if (alone_) {
    return {Errc::kResourceExhausted, fmt::format("the statement needs more memory than the {} MiB that SQL may have", mebibytes),
            "read fewer rows or columns at once, or raise the memory limit of SQL"};
  }
  return {Errc::kUnavailable, fmt::format("the statements under way hold the {} MiB of memory that SQL may have", mebibytes),
          "try again when they are done, or raise the memory limit of SQL"};
}

MemoryScope::MemoryScope(MemoryAccount& account) : outer_(std::exchange(current, &account)) {}
MemoryScope::~MemoryScope() { current = outer_; }
MemoryPause::MemoryPause() : outer_(std::exchange(current, nullptr)) {}
MemoryPause::~MemoryPause() { current = outer_; }

#ifdef MILLRACE_ALLOCATOR_IS_TAKEN
const bool kMemoryIsCounted = false;
#else
const bool kMemoryIsCounted = true;

namespace {

/// Allocates by `allocate`; `size_of` gives what a block really takes.
template <class Allocate, class SizeOf>
void* counted(size_t bytes, const Allocate& allocate, const SizeOf& size_of) {
  MemoryAccount* account = current;
  if (account == nullptr) [[likely]]
    return allocate();
  if (!account->allow(bytes)) {
    errno = ENOMEM;
    return nullptr;
  }
  void* block = allocate();
  if (block != nullptr) account->note_allocated(size_of(block));
  return block;
}

template <class Allocate, class SizeOf>
void* counted_again(void* block, size_t bytes, const Allocate& allocate, const SizeOf& size_of) {
  MemoryAccount* account = current;
  if (account == nullptr) [[likely]]
    return allocate();
  size_t before = block == nullptr ? 0 : size_of(block);
  if (bytes > before && !account->allow(bytes - before)) {
    errno = ENOMEM;
    return nullptr;
  }
  void* moved = allocate();
  if (moved != nullptr) account->note_allocated(size_of(moved));
  if (moved != nullptr || bytes == 0) account->note_freed(before);
  return moved;
}

}  // namespace
#endif

}  // namespace millrace::sql

#ifndef MILLRACE_ALLOCATOR_IS_TAKEN

extern "C" {

void* __libc_malloc(size_t);
void* __libc_calloc(size_t, size_t);
void* __libc_realloc(void*, size_t);
void __libc_free(void*);
// Weak: a DuckDB without jemalloc calls malloc, and nothing below.
__attribute__((weak)) void* duckdb_je_mallocx(size_t, int);
__attribute__((weak)) void* duckdb_je_rallocx(void*, size_t, int);
__attribute__((weak)) void duckdb_je_dallocx(void*, int);
__attribute__((weak)) size_t duckdb_je_sallocx(const void*, int);
void* duckdb_je_malloc(size_t);
void* duckdb_je_realloc(void*, size_t);
void duckdb_je_free(void*);

void* malloc(size_t bytes) noexcept {
  return millrace::sql::counted(bytes, [=] { return __libc_malloc(bytes); }, malloc_usable_size);
}

void* calloc(size_t count, size_t size) noexcept {
  size_t bytes = 0;
  if (__builtin_mul_overflow(count, size, &bytes)) bytes = SIZE_MAX;
  return millrace::sql::counted(bytes, [=] { return __libc_calloc(count, size); }, malloc_usable_size);
}

void* realloc(void* block, size_t bytes) noexcept {
  return millrace::sql::counted_again(block, bytes, [=] { return __libc_realloc(block, bytes); }, malloc_usable_size);
}

void free(void* block) noexcept {
  if (millrace::sql::current != nullptr && block != nullptr) millrace::sql::current->note_freed(malloc_usable_size(block));
  __libc_free(block);
}

void* duckdb_je_malloc(size_t bytes) {
  size_t at_least = bytes == 0 ? 1 : bytes;
  return millrace::sql::counted(
      bytes, [=] { return duckdb_je_mallocx(at_least, 0); }, [](void* block) { return duckdb_je_sallocx(block, 0); });
}

void* duckdb_je_realloc(void* block, size_t bytes) {
  if (block == nullptr) return duckdb_je_malloc(bytes);
  size_t at_least = bytes == 0 ? 1 : bytes;
  return millrace::sql::counted_again(
      block, at_least, [=] { return duckdb_je_rallocx(block, at_least, 0); },
      [](void* one) { return duckdb_je_sallocx(one, 0); });
}

void duckdb_je_free(void* block) {
  if (block == nullptr) return;
  if (millrace::sql::current != nullptr) millrace::sql::current->note_freed(duckdb_je_sallocx(block, 0));
  duckdb_je_dallocx(block, 0);
}

}  // extern "C"

#endif
