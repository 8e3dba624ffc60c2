#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "model/column_builder.h"
#include "table/table.h"

/// Keys as bytes whose memcmp order is the order of the values: table id (u32, big-endian), then each key column. A descending
/// column has all its bytes inverted. See docs/formats/table.md.
namespace millrace::table {

/// Longest key that is stored; RocksDB keeps keys in its indexes.
inline constexpr size_t kKeyBytesMax = 64 << 10;

bool can_be_key(const model::Type& type);

/// At most how many bytes `append_key_element` writes for this row; 0 for NULL.
size_t key_element_bound(const model::Column& column, size_t row);
/// Writes one non-NULL value to `out`, which has room for the bound. Returns the end.
char* write_key_element(char* out, const model::Column& column, size_t row, bool descending);
void append_key_element(std::string& out, const model::Column& column, size_t row, bool descending);

/// Bytes 0x00 become 0x00 0xFF, and 0x00 0x01 ends the text, so that no encoding is the prefix of another.
void append_key_text(std::string& out, std::string_view text);
/// Takes one text off the front of `key`; nullopt when it is not one.
std::optional<std::string> take_key_text(std::string_view& key);

/// Takes one value off the front of `key` and appends it to `out` (skips it when null). False when the bytes are not one.
[[nodiscard]] bool take_key_element(std::string_view& key, const model::Type& type, bool descending, model::ColumnBuilder* out);

std::string table_prefix(uint32_t table_id);
/// The smallest key above every key that starts with `prefix`; empty (the end of the space) when there is none.
std::string after_prefix(std::string prefix);

}  // namespace millrace::table
