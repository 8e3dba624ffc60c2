#pragma once

#include <rocksdb/slice.h>
#include <rocksdb/status.h>

#include <cstdint>
#include <string_view>

#include "base/result.h"

namespace millrace::store {

inline rocksdb::Slice slice(std::string_view bytes) { return {bytes.data(), bytes.size()}; }
inline std::string_view view(const rocksdb::Slice& bytes) { return {bytes.data(), bytes.size()}; }

/// CRC-32C, as RocksDB's own files have it.
uint32_t crc32c(std::string_view bytes);

/// RocksDB's status as an Error: kCorruption, kDiskFull, kIo … `what` says what was being done.
Error to_error(std::string_view what, const rocksdb::Status& status);

}  // namespace millrace::store
