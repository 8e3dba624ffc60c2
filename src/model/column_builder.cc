#include "model/column_builder.h"

#include <algorithm>
#include <cstdlib>

#include "base/bytes.h"
#include "base/check.h"

namespace millrace::model {

namespace {
constexpr size_t kArenaBlockBytes = 64 << 10;
constexpr size_t kFirstRows = 64;
}  // namespace

Int128 uuid_to_element(const Uuid& uuid) {
  auto* bytes = reinterpret_cast<const char*>(uuid.bytes.data());
  uint64_t high = load_be<uint64_t>(bytes) ^ (uint64_t{1} << 63);
  return {load_be<uint64_t>(bytes + 8), static_cast<int64_t>(high)};
}

Uuid uuid_from_element(Int128 element) {
  Uuid uuid;
  auto* bytes = reinterpret_cast<char*>(uuid.bytes.data());
  store_be(bytes, static_cast<uint64_t>(element.high) ^ (uint64_t{1} << 63));
  store_be(bytes + 8, element.low);
  return uuid;
}

void Arena::grow(size_t size) {
  // Blocks double up to 1 MiB, so that one row costs one small block and a million cost few.
  size_t block = std::max(size, std::min<size_t>(1 << 20, kArenaBlockBytes << std::min<size_t>(blocks_.size(), 4)));
  blocks_.push_back(std::make_unique_for_overwrite<char[]>(block));
  next_ = blocks_.back().get();
  left_ = block;
  allocated_ += block;
}

ColumnBuilder::ColumnBuilder(const Type& type, Arena& arena) : type_(&type), arena_(&arena), element_size_(element_size(type)) {
  children_.reserve(type.fields.size());
  for (const Field& field : type.fields) children_.emplace_back(field.type, arena);
}

void ColumnBuilder::reserve(size_t rows) {
  grow_to(rows);
  if (type_->id == TypeId::kStruct) {
    for (ColumnBuilder& child : children_) child.reserve(rows);
  }
}

void ColumnBuilder::grow_to(size_t rows) {
  if (rows <= capacity_) return;
  size_t capacity = std::max({kFirstRows, capacity_ * 2, rows});
  if (element_size_ != 0) {
    void* moved = std::realloc(data_.release(), capacity * element_size_);
    CHECK(moved != nullptr, "out of memory for a column");
    data_.reset(static_cast<char*>(moved));
  }
  if (validity_used_) validity_.resize((capacity + 63) / 64);
  capacity_ = capacity;
}

void ColumnBuilder::append_null() {
  grow_to(size_ + 1);
  if (!validity_used_) {
    validity_used_ = true;
    validity_.assign((capacity_ + 63) / 64, ~uint64_t{0});
  }
  validity_[size_ / 64] &= ~(uint64_t{1} << (size_ % 64));
  if (type_->id == TypeId::kStruct) {
    for (ColumnBuilder& child : children_) child.append_null();
  } else {
    std::memset(data_.get() + size_ * element_size_, 0, element_size_);
  }
  ++size_;
}

void ColumnBuilder::finish_nested(ListEntry entry) {
  grow_to(size_ + 1);
  if (type_->id == TypeId::kList) reinterpret_cast<ListEntry*>(data_.get())[size_] = entry;
  set_valid(size_++);
}

void ColumnBuilder::truncate(size_t rows) {
  if (rows >= size_) {
    // The row that is being built may have grown the children before its parent.
    if (type_->id == TypeId::kStruct) {
      for (ColumnBuilder& child : children_) child.truncate(rows);
    }
    if (type_->id != TypeId::kList) return;
  }
  size_ = std::min(size_, rows);
  if (type_->id == TypeId::kStruct) {
    for (ColumnBuilder& child : children_) child.truncate(rows);
  }
  if (type_->id == TypeId::kList) {
    uint64_t elements = 0;
    for (size_t row = size_; row > 0; --row) {
      if (validity_used_ && (validity_[(row - 1) / 64] >> ((row - 1) % 64) & 1) == 0) continue;
      const ListEntry& last = reinterpret_cast<const ListEntry*>(data_.get())[row - 1];
      elements = last.offset + last.length;
      break;
    }
    children_[0].truncate(elements);
  }
}

Column ColumnBuilder::view() const {
  Column column;
  column.type = type_;
  column.data = data_.get();
  column.validity = validity_used_ ? validity_.data() : nullptr;
  for (const ColumnBuilder& child : children_) column.children.push_back(child.view());
  return column;
}

BatchBuilder::BatchBuilder(std::shared_ptr<const Schema> schema) : schema_(std::move(schema)), arena_(std::make_unique<Arena>()) {
  columns_.reserve(schema_->fields.size());
  for (const Field& field : schema_->fields) columns_.emplace_back(field.type, *arena_);
}

void BatchBuilder::truncate(size_t rows) {
  for (ColumnBuilder& column : columns_) column.truncate(rows);
  rows_without_columns_ = std::min(rows_without_columns_, rows);
}

ColumnBatch BatchBuilder::finish() && {
  ColumnBatch batch;
  batch.schema = schema_;
  batch.rows = rows();
  auto owner = std::make_shared<BatchBuilder>(std::move(*this));
  for (const ColumnBuilder& column : owner->columns_) batch.columns.push_back(column.view());
  batch.owner = std::move(owner);
  return batch;
}

}  // namespace millrace::model
