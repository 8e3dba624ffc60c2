#include "store/rocks.h"

#include <fmt/format.h>
#include <rocksdb/file_checksum.h>

#include "base/bytes.h"

namespace millrace::store {

uint32_t crc32c(std::string_view bytes) {
  auto checksum = rocksdb::GetFileChecksumGenCrc32cFactory()->CreateFileChecksumGenerator({});
  checksum->Update(bytes.data(), bytes.size());
  checksum->Finalize();
  return load_be<uint32_t>(checksum->GetChecksum().data());
}

Error to_error(std::string_view what, const rocksdb::Status& status) {
  std::string message = fmt::format("{}: {}", what, status.ToString());
  if (status.IsNoSpace()) return {Errc::kDiskFull, message, "free space on the store's disk; the store goes on by itself"};
  if (status.IsCorruption()) {
    return {Errc::kCorruption, message, "`millrace verify` names every damaged file; restore these from a backup"};
  }
  if (status.IsNotFound()) return {Errc::kNotFound, message, {}};
  if (status.IsInvalidArgument() || status.IsNotSupported()) return {Errc::kInvalidArgument, message, {}};
  if (status.IsMemoryLimit()) return {Errc::kResourceExhausted, message, {}};
  if (status.IsTimedOut()) return {Errc::kDeadlineExceeded, message, {}};
  if (status.IsShutdownInProgress() || status.IsAborted()) return {Errc::kCancelled, message, {}};
  return {Errc::kIo, message, {}};
}

}  // namespace millrace::store
