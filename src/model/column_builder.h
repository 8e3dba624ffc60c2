#pragma once

#include <cstddef>
#include <memory>
#include <string_view>
#include <vector>

#include "model/column.h"

namespace millrace::model {

/// Hands out memory that lives until the arena goes.
class Arena {
 public:
  char* allocate(size_t size) {
    if (size > left_) grow(size);
    char* out = next_;
    next_ += size;
    left_ -= size;
    return out;
  }
  std::string_view copy(std::string_view bytes) {
    char* out = allocate(bytes.size());
    std::memcpy(out, bytes.data(), bytes.size());
    return {out, bytes.size()};
  }
  size_t allocated_bytes() const { return allocated_; }

 private:
  void grow(size_t size);

  std::vector<std::unique_ptr<char[]>> blocks_;
  char* next_ = nullptr;
  size_t left_ = 0;
  size_t allocated_ = 0;
};

/// Grows one column row by row. The caller appends exactly one value a row, of the type's element (column.h).
class ColumnBuilder {
 public:
  /// `type` and `arena` outlive the builder and what it built.
  ColumnBuilder(const Type& type, Arena& arena);

  const Type& type() const { return *type_; }
  size_t size() const { return size_; }
  void reserve(size_t rows);

  /// NULL; in a struct also for every child.
  void append_null();
  template <class T>
  void append(T element) {
    grow_to(size_ + 1);
    reinterpret_cast<T*>(data_.get())[size_] = element;
    set_valid(size_++);
  }
  /// Text or blob, copied into the arena.
  void append_text(std::string_view bytes) {
    append(StringRef(bytes.size() <= StringRef::kInlineMax ? bytes : arena_->copy(bytes)));
  }
  /// Text or blob that the caller keeps alive as long as the batch.
  void append_stable_text(std::string_view bytes) { append(StringRef(bytes)); }

  ColumnBuilder& child(size_t i = 0) { return children_[i]; }
  /// A struct row whose children have been appended.
  void finish_struct() { finish_nested(ListEntry{}); }
  /// A list row of the last `length` elements appended to child().
  void finish_list(size_t length) { finish_nested(ListEntry{children_[0].size() - length, length}); }

  /// Drops the rows from `rows` on (a record that failed half-way).
  void truncate(size_t rows);

  Arena& arena() { return *arena_; }
  /// Valid until the next append.
  Column view() const;

 private:
  void grow_to(size_t rows);
  void finish_nested(ListEntry entry);
  void set_valid(size_t row) {
    if (validity_used_) validity_[row / 64] |= uint64_t{1} << (row % 64);
  }

  const Type* type_;
  Arena* arena_;
  size_t element_size_;
  size_t size_ = 0;
  size_t capacity_ = 0;
  struct Free {
    void operator()(void* p) const { std::free(p); }
  };
  std::unique_ptr<char, Free> data_;
  std::vector<uint64_t> validity_;
  bool validity_used_ = false;  // the mask is made with the first NULL
  std::vector<ColumnBuilder> children_;
};

/// Builders for every column of a schema. Rows are complete when every column has one value more.
class BatchBuilder {
 public:
  explicit BatchBuilder(std::shared_ptr<const Schema> schema);

  ColumnBuilder& column(size_t i) { return columns_[i]; }
  size_t column_count() const { return columns_.size(); }
  size_t rows() const { return columns_.empty() ? rows_without_columns_ : columns_[0].size(); }
  void truncate(size_t rows);
  Arena& arena() { return *arena_; }
  /// For a schema without columns, which still has rows.
  void add_row_without_columns() { ++rows_without_columns_; }
  /// Memory outside the arena that the batch's texts point to (a RecordRun's owner).
  void keep(std::shared_ptr<const void> owner) { kept_.push_back(std::move(owner)); }

  /// The rows so far; the builder is spent.
  ColumnBatch finish() &&;

 private:
  std::shared_ptr<const Schema> schema_;
  std::unique_ptr<Arena> arena_;
  std::vector<ColumnBuilder> columns_;
  std::vector<std::shared_ptr<const void>> kept_;
  size_t rows_without_columns_ = 0;
};

}  // namespace millrace::model
