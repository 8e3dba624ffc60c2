#include "table/row_codec.h"

#include <cstring>

#include "base/bytes.h"

namespace millrace::table {
namespace {

using model::Column;
using model::ColumnBuilder;
using model::Type;
using model::TypeId;

constexpr uint8_t kRowFormat = 1;
constexpr uint8_t kTombstoneFlag = 1;
constexpr size_t kFixedHeaderBytes = 2 + 8;
constexpr size_t kVarintBytesMax = 10;
constexpr int kDepthMax = 64;

bool is_text(TypeId id) { return id == TypeId::kText || id == TypeId::kBlob; }
bool is_nested(TypeId id) { return id == TypeId::kList || id == TypeId::kStruct; }
size_t mask_bytes(size_t count) { return (count + 7) / 8; }

char* write_varint(char* out, uint64_t value) {
  while (value >= 0x80) {
    *out++ = static_cast<char>(value | 0x80);
    value >>= 7;
  }
  *out++ = static_cast<char>(value);
  return out;
}

/// Copies a text. Most are short, and the arena has room behind the row, but the source may end with its page: no wide copies.
char* write_bytes(char* out, std::string_view bytes) {
  std::memcpy(out, bytes.data(), bytes.size());
  return out + bytes.size();
}

size_t element_bound(const Column& column, size_t row);

size_t nested_bound(const Column& column, size_t row) {
  if (column.type->id == TypeId::kStruct) {
    size_t bound = mask_bytes(column.children.size());
    for (const Column& child : column.children) bound += element_bound(child, row);
    return bound;
  }
  const auto& list = column.at<model::ListEntry>(row);
  size_t bound = kVarintBytesMax + mask_bytes(list.length);
  for (size_t i = 0; i < list.length; ++i) bound += element_bound(column.children[0], list.offset + i);
  return bound;
}

size_t element_bound(const Column& column, size_t row) {
  if (column.is_null(row)) return 0;
  TypeId id = column.type->id;
  if (is_text(id)) return kVarintBytesMax + column.text(row).size();
  return is_nested(id) ? nested_bound(column, row) : 16;
}

char* write_element(char* out, const Column& column, size_t row);

/// The mask of NULLs of `count` elements, then the elements that are there.
template <class ElementAt>
char* write_elements(char* out, size_t count, ElementAt&& element_at) {
  char* mask = out;
  std::memset(mask, 0, mask_bytes(count));
  out += mask_bytes(count);
  for (size_t i = 0; i < count; ++i) {
    auto [column, row] = element_at(i);
    if (column == nullptr || column->is_null(row)) {
      mask[i / 8] |= static_cast<char>(1 << (i % 8));
    } else {
      out = write_element(out, *column, row);
    }
  }
  return out;
}

char* write_element(char* out, const Column& column, size_t row) {
  switch (column.type->id) {
    case TypeId::kText:
    case TypeId::kBlob: {
      std::string_view text = column.text(row);
      return write_bytes(write_varint(out, text.size()), text);
    }
    case TypeId::kStruct:
      return write_elements(out, column.children.size(), [&](size_t i) { return std::pair(&column.children[i], row); });
    case TypeId::kList: {
      const auto& list = column.at<model::ListEntry>(row);
      out = write_varint(out, list.length);
      return write_elements(out, list.length, [&](size_t i) { return std::pair(&column.children[0], list.offset + i); });
    }
    default: break;
  }
  size_t size = model::element_size(*column.type);
  const char* element = static_cast<const char*>(column.data) + row * size;
  switch (size) {  // constant sizes become single moves
    case 1: *out = *element; break;
    case 2: std::memcpy(out, element, 2); break;
    case 4: std::memcpy(out, element, 4); break;
    case 8: std::memcpy(out, element, 8); break;
    default: std::memcpy(out, element, 16); break;
  }
  return out + size;
}

bool read_element(ByteReader& in, const Type& type, ColumnBuilder* out, int depth);

bool is_null_in(std::string_view mask, size_t i) { return (static_cast<uint8_t>(mask[i / 8]) >> (i % 8) & 1) != 0; }

bool read_list(ByteReader& in, const Type& type, ColumnBuilder* out, int depth) {
  uint64_t length = in.varint();
  // Each element takes a bit of the mask at least, so a length cannot claim more memory than the row has bytes for.
  if (!in.ok() || length > in.left() * 8) return false;
  std::string_view mask = in.bytes(mask_bytes(length));
  if (!in.ok()) return false;
  const Type& element = type.fields[0].type;
  ColumnBuilder* child = out == nullptr ? nullptr : &out->child();
  for (uint64_t i = 0; i < length; ++i) {
    if (is_null_in(mask, i)) {
      if (child != nullptr) child->append_null();
    } else if (!read_element(in, element, child, depth + 1)) {
      return false;
    }
  }
  if (out != nullptr) out->finish_list(length);
  return true;
}

bool read_struct(ByteReader& in, const Type& type, ColumnBuilder* out, int depth) {
  std::string_view mask = in.bytes(mask_bytes(type.fields.size()));
  if (!in.ok()) return false;
  for (size_t i = 0; i < type.fields.size(); ++i) {
    ColumnBuilder* child = out == nullptr ? nullptr : &out->child(i);
    if (is_null_in(mask, i)) {
      if (child != nullptr) child->append_null();
    } else if (!read_element(in, type.fields[i].type, child, depth + 1)) {
      return false;
    }
  }
  if (out != nullptr) out->finish_struct();
  return true;
}

template <class T>
void append_element(ColumnBuilder& out, const char* bytes) {
  out.append(load_le<T>(bytes));
}

bool read_element(ByteReader& in, const Type& type, ColumnBuilder* out, int depth) {
  if (depth > kDepthMax) return false;
  switch (type.id) {
    case TypeId::kText:
    case TypeId::kBlob: {
      std::string_view text = in.sized();
      if (in.ok() && out != nullptr) out->append_text(text);
      return in.ok();
    }
    case TypeId::kList: return read_list(in, type, out, depth);
    case TypeId::kStruct: return read_struct(in, type, out, depth);
    default: break;
  }
  std::string_view element = in.bytes(model::element_size(type));
  if (!in.ok() || out == nullptr) return in.ok();
  switch (element.size()) {
    case 1: append_element<uint8_t>(*out, element.data()); break;
    case 2: append_element<uint16_t>(*out, element.data()); break;
    case 4: append_element<uint32_t>(*out, element.data()); break;
    case 8: append_element<uint64_t>(*out, element.data()); break;
    default: append_element<model::Int128>(*out, element.data()); break;
  }
  return true;
}

}  // namespace

std::optional<RowHeader> take_row_header(std::string_view& value) {
  ByteReader in(value);
  auto format = in.le<uint8_t>();
  auto flags = in.le<uint8_t>();
  RowHeader header;
  header.version = in.le<uint64_t>();
  header.expiry_micros = static_cast<int64_t>(in.varint());
  if (!in.ok() || format != kRowFormat || flags > kTombstoneFlag || header.expiry_micros < 0) return std::nullopt;
  header.tombstone = flags == kTombstoneFlag;
  value = in.rest();
  return header;
}

bool row_is_dead(std::string_view value, Instant now) {
  auto header = take_row_header(value);
  if (!header) return false;
  if (header->tombstone) {
    int64_t oldest = to_micros(now - kTombstoneLife);
    return oldest > 0 && header->version <= static_cast<uint64_t>(oldest);
  }
  return is_hidden(*header, now);
}

size_t row_value_bound(std::span<const Column* const> columns, size_t row) {
  size_t bound = kFixedHeaderBytes + 2 * kVarintBytesMax + mask_bytes(columns.size());
  for (const Column* column : columns) {
    if (column != nullptr) bound += element_bound(*column, row);
  }
  return bound;
}

char* write_row_value(char* out, const RowHeader& header, std::span<const Column* const> columns, size_t row) {
  *out++ = static_cast<char>(kRowFormat);
  *out++ = static_cast<char>(header.tombstone ? kTombstoneFlag : 0);
  std::memcpy(out, &header.version, 8);
  out = write_varint(out + 8, static_cast<uint64_t>(header.expiry_micros));
  if (header.tombstone) return out;
  out = write_varint(out, columns.size());
  return write_elements(out, columns.size(), [&](size_t i) { return std::pair(columns[i], row); });
}

bool decode_row_columns(std::string_view rest, std::span<const Type* const> types, std::span<ColumnBuilder* const> out) {
  ByteReader in(rest);
  uint64_t count = in.varint();
  if (count > types.size()) return false;
  std::string_view mask = in.bytes(mask_bytes(count));
  if (!in.ok()) return false;
  size_t wanted = types.size();
  while (wanted > 0 && out[wanted - 1] == nullptr) --wanted;  // nothing is read behind the last wanted column
  for (size_t i = 0; i < wanted; ++i) {
    if (i >= count || is_null_in(mask, i)) {
      if (out[i] != nullptr) out[i]->append_null();
    } else if (!read_element(in, *types[i], out[i], 0)) {
      return false;
    }
  }
  return true;
}

}  // namespace millrace::table
