#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "connect/file/rows.h"
#include "model/schema.h"

namespace millrace::connect::file {

/// How far the output of a query is committed: the current file. Part of every commit of the query, in the store's space `meta`
/// under `file/<query>/<name>`.
struct FileState {
  uint64_t number = 1;
  /// Bytes that are committed; what is behind them is not.
  uint64_t length = 0;
  /// No row will be added: the file is given its final name, and the next one begins with the next row.
  bool complete = false;
  Format format = Format::kJson;
  /// When the first row was committed, microseconds since 1970.
  int64_t begun_micros = 0;
  model::Schema schema;
  friend bool operator==(const FileState&, const FileState&) = default;
};

std::string file_state_key(std::string_view query, std::string_view name);

/// Format 1: version byte, number and length as varints, complete and format as bytes, begun_micros zigzag, the schema (model)
/// sized.
std::string encode_file_state(const FileState& state);
/// nullopt when the bytes are not that.
std::optional<FileState> decode_file_state(std::string_view bytes);

/// `people-000007.jsonl`.
std::string final_name(std::string_view name, uint64_t number, Format format);
/// What it is called while it grows: `people-000007.jsonl.part`. Rows that will be Parquet grow as JSON lines.
std::string part_name(std::string_view name, uint64_t number, Format format);
/// The number in a name of that kind, whatever its ending.
std::optional<uint64_t> number_in(std::string_view file, std::string_view name);

}  // namespace millrace::connect::file
