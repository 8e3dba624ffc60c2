#pragma once

#include <array>
#include <cstdint>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

#include "base/uuid.h"
#include "model/schema.h"

/// Columns of values in the vector layout of DuckDB 1.x, so that a room which decodes or stores rows can exchange them with
/// the SQL engine by copying buffers, without knowing the engine.
///
/// One buffer of elements a column, `element_size(type)` bytes each, and a validity mask of 64-bit words (bit set = value,
/// clear = NULL; no mask = no NULLs). Elements: integers and floats as they are; boolean one byte 0/1; date int32 days and time,
/// timestamp, timestamptz int64 microseconds (since 1970, UTC); decimal int16/32/64/128 by width; uuid an Int128 with the top bit
/// flipped; text and blob a StringRef; list a ListEntry into the one child; struct nothing but its children, one a field.
/// A NULL struct has NULL children at that row. Elements under a NULL are undefined.
namespace millrace::model {

/// 16 bytes: up to 12 bytes of text stand inside, longer ones are pointed at (with their first 4 bytes kept for comparison).
class StringRef {
 public:
  static constexpr uint32_t kInlineMax = 12;

  StringRef() = default;
  /// `bytes` must outlive the reference when they are longer than kInlineMax.
  explicit StringRef(std::string_view bytes) : size_(static_cast<uint32_t>(bytes.size())) {
    if (size_ <= kInlineMax) {
      std::memcpy(inlined(), bytes.data(), size_);
    } else {
      std::memcpy(prefix_, bytes.data(), sizeof prefix_);
      const char* pointer = bytes.data();
      std::memcpy(pointer_, &pointer, sizeof pointer);
    }
  }
  uint32_t size() const { return size_; }
  /// Points into this object when the text is short: do not call on a temporary.
  std::string_view view() const& {
    if (size_ <= kInlineMax) return {reinterpret_cast<const char*>(this) + 4, size_};
    const char* pointer;
    std::memcpy(&pointer, pointer_, sizeof pointer);
    return {pointer, size_};
  }

 private:
  char* inlined() { return reinterpret_cast<char*>(this) + 4; }

  uint32_t size_ = 0;
  char prefix_[4] = {};
  char pointer_[8] = {};
};
static_assert(sizeof(StringRef) == 16);

struct ListEntry {
  uint64_t offset = 0;
  uint64_t length = 0;
};

struct Int128 {
  uint64_t low = 0;
  int64_t high = 0;
  friend bool operator==(const Int128&, const Int128&) = default;
};
inline Int128 to_int128(__int128 v) { return {static_cast<uint64_t>(v), static_cast<int64_t>(v >> 64)}; }
inline __int128 from_int128(Int128 v) { return static_cast<__int128>(v.high) << 64 | v.low; }

Int128 uuid_to_element(const Uuid& uuid);
Uuid uuid_from_element(Int128 element);

struct IntervalElement {
  int32_t months = 0;
  int32_t days = 0;
  int64_t micros = 0;
};

/// A view of one column. Whoever handed it out keeps the buffers alive (see ColumnBatch::owner).
struct Column {
  const Type* type = nullptr;
  const void* data = nullptr;
  const uint64_t* validity = nullptr;
  std::vector<Column> children;

  bool is_null(size_t row) const { return validity != nullptr && (validity[row / 64] >> (row % 64) & 1) == 0; }
  template <class T>
  const T& at(size_t row) const {
    return static_cast<const T*>(data)[row];
  }
  std::string_view text(size_t row) const { return at<StringRef>(row).view(); }
};

/// Some rows, column by column. `columns[i]` has type `schema->fields[i].type`.
struct ColumnBatch {
  std::shared_ptr<const Schema> schema;
  std::vector<Column> columns;
  size_t rows = 0;
  std::shared_ptr<const void> owner;
};

}  // namespace millrace::model
