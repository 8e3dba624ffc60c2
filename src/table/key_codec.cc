#include "table/key_codec.h"

#include <bit>
#include <cmath>
#include <limits>

#include "base/bytes.h"
#include "base/check.h"

namespace millrace::table {
namespace {

using model::TypeId;

constexpr uint64_t kTopBit = uint64_t{1} << 63;

/// Bytes of a fixed-size key element; 0 for text and blob.
size_t fixed_size(const model::Type& type) {
  bool varies = type.id == TypeId::kText || type.id == TypeId::kBlob;
  return varies ? 0 : model::element_size(type);
}

bool is_unsigned(TypeId id) {
  return id == TypeId::kBoolean || id == TypeId::kUtinyint || id == TypeId::kUsmallint || id == TypeId::kUinteger ||
         id == TypeId::kUbigint;
}

/// IEEE 754 numbers as unsigned ones of the same order: negative ones inverted, the others with the sign bit set. -0 is 0, and
/// there is one NaN, above infinity.
template <class F, class U>
U ordered_from_float(F value) {
  if (std::isnan(value)) value = std::numeric_limits<F>::quiet_NaN();
  if (value == 0) value = 0;
  constexpr U top = U{1} << (sizeof(U) * 8 - 1);
  U bits = std::bit_cast<U>(value);
  return (bits & top) != 0 ? ~bits : bits | top;
}
template <class F, class U>
F float_from_ordered(U ordered) {
  constexpr U top = U{1} << (sizeof(U) * 8 - 1);
  return std::bit_cast<F>((ordered & top) != 0 ? ordered & ~top : ~ordered);
}

template <class U>
char* write_integer(char* out, U value, bool flip_sign) {
  if (flip_sign) value ^= U{1} << (sizeof(U) * 8 - 1);
  if constexpr (sizeof(U) == 1) {
    *out = static_cast<char>(value);
  } else {
    store_be(out, value);
  }
  return out + sizeof(U);
}

char* write_fixed(char* out, const model::Column& column, size_t row, size_t size) {
  TypeId id = column.type->id;
  if (id == TypeId::kFloat) return write_integer(out, ordered_from_float<float, uint32_t>(column.at<float>(row)), false);
  if (id == TypeId::kDouble) return write_integer(out, ordered_from_float<double, uint64_t>(column.at<double>(row)), false);
  bool flip = !is_unsigned(id);
  switch (size) {
    case 1: return write_integer(out, column.at<uint8_t>(row), flip);
    case 2: return write_integer(out, column.at<uint16_t>(row), flip);
    case 4: return write_integer(out, column.at<uint32_t>(row), flip);
    case 8: return write_integer(out, column.at<uint64_t>(row), flip);
  }
  // The element of a uuid has its top bit flipped (column.h), so this writes the uuid as it is.
  const auto& wide = column.at<model::Int128>(row);
  out = write_integer(out, static_cast<uint64_t>(wide.high), true);
  return write_integer(out, wide.low, false);
}

char* write_text(char* out, std::string_view text) {
  for (char c : text) {
    *out++ = c;
    if (c == '\0') *out++ = '\xFF';
  }
  *out++ = '\0';
  *out++ = '\x01';
  return out;
}

void invert(char* begin, char* end) {
  for (; begin != end; ++begin) *begin = static_cast<char>(~*begin);
}

/// Reads an escaped text, whose bytes are all xored with `mask`.
bool take_text(std::string_view& key, char mask, std::string* out) {
  for (size_t i = 0; i + 1 < key.size(); ++i) {
    char c = static_cast<char>(key[i] ^ mask);
    if (c == '\0') {
      char next = static_cast<char>(key[++i] ^ mask);
      if (next == '\x01') {
        key.remove_prefix(i + 1);
        return true;
      }
      if (next != '\xFF') return false;
    }
    if (out != nullptr) *out += c;
  }
  return false;
}

template <class U>
U read_integer(const char* bytes, bool flip_sign) {
  U value;
  if constexpr (sizeof(U) == 1) {
    value = static_cast<U>(*bytes);
  } else {
    value = load_be<U>(bytes);
  }
  return flip_sign ? static_cast<U>(value ^ U{1} << (sizeof(U) * 8 - 1)) : value;
}

void append_fixed(model::ColumnBuilder& out, const char* bytes, size_t size) {
  TypeId id = out.type().id;
  if (id == TypeId::kFloat) return out.append(float_from_ordered<float>(load_be<uint32_t>(bytes)));
  if (id == TypeId::kDouble) return out.append(float_from_ordered<double>(load_be<uint64_t>(bytes)));
  bool flip = !is_unsigned(id);
  switch (size) {
    case 1: return out.append(read_integer<uint8_t>(bytes, flip));
    case 2: return out.append(read_integer<uint16_t>(bytes, flip));
    case 4: return out.append(read_integer<uint32_t>(bytes, flip));
    case 8: return out.append(read_integer<uint64_t>(bytes, flip));
  }
  out.append(model::Int128{load_be<uint64_t>(bytes + 8), static_cast<int64_t>(load_be<uint64_t>(bytes) ^ kTopBit)});
}

}  // namespace

bool can_be_key(const model::Type& type) {
  return type.id != TypeId::kList && type.id != TypeId::kStruct && type.id != TypeId::kInterval;
}

size_t key_element_bound(const model::Column& column, size_t row) {
  if (column.is_null(row)) return 0;
  size_t size = fixed_size(*column.type);
  return size != 0 ? size : 2 * column.text(row).size() + 2;
}

char* write_key_element(char* out, const model::Column& column, size_t row, bool descending) {
  size_t size = fixed_size(*column.type);
  char* end = size != 0 ? write_fixed(out, column, row, size) : write_text(out, column.text(row));
  if (descending) invert(out, end);
  return end;
}

void append_key_element(std::string& out, const model::Column& column, size_t row, bool descending) {
  size_t begin = out.size();
  out.resize(begin + key_element_bound(column, row));
  char* end = write_key_element(out.data() + begin, column, row, descending);
  out.resize(static_cast<size_t>(end - out.data()));
}

void append_key_text(std::string& out, std::string_view text) {
  size_t begin = out.size();
  out.resize(begin + 2 * text.size() + 2);
  out.resize(static_cast<size_t>(write_text(out.data() + begin, text) - out.data()));
}

std::optional<std::string> take_key_text(std::string_view& key) {
  std::string text;
  if (!take_text(key, 0, &text)) return std::nullopt;
  return text;
}

bool take_key_element(std::string_view& key, const model::Type& type, bool descending, model::ColumnBuilder* out) {
  if (!can_be_key(type)) return false;
  size_t size = fixed_size(type);
  char mask = descending ? '\xFF' : '\0';
  if (size == 0) {
    if (out == nullptr) return take_text(key, mask, nullptr);
    std::string text;
    if (!take_text(key, mask, &text)) return false;
    out->append_text(text);
    return true;
  }
  if (key.size() < size) return false;
  if (out != nullptr) {
    char bytes[16];
    for (size_t i = 0; i < size; ++i) bytes[i] = static_cast<char>(key[i] ^ mask);
    append_fixed(*out, bytes, size);
  }
  key.remove_prefix(size);
  return true;
}

std::string table_prefix(uint32_t table_id) {
  std::string out;
  append_be(out, table_id);
  return out;
}

std::string after_prefix(std::string prefix) {
  while (!prefix.empty() && prefix.back() == '\xFF') prefix.pop_back();
  if (!prefix.empty()) prefix.back() = static_cast<char>(static_cast<uint8_t>(prefix.back()) + 1);
  return prefix;
}

}  // namespace millrace::table
