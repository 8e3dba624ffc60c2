#pragma once

#include <rocksdb/slice.h>
#include <rocksdb/status.h>

#include <string_view>

#include "base/result.h"

namespace millrace::store {

inline rocksdb::Slice slice(std::string_view bytes) { return {bytes.data(), bytes.size()}; }
inline std::string_view view(const rocksdb::Slice& bytes) { return {bytes.data(), bytes.size()}; }

/// RocksDB's status as an Error: kCorruption, kResourceExhausted (disk full), kIo … `what` says what was being done.
Error to_error(std::string_view what, const rocksdb::Status& status);

}  // namespace millrace::store
