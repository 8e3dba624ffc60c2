#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace millrace::env {

/// An open file. Threading: `read_at` from any thread; one writer at a time.
/// Errors: kIo with the path and the system's words; kDiskFull; kResourceExhausted for descriptors.
class File {
 public:
  virtual ~File() = default;
  /// Reads up to `size` bytes into `out`; fewer only at the end of the file.
  virtual Result<size_t> read_at(uint64_t position, char* out, size_t size) = 0;
  /// Writes all of `bytes` at `position`, or fails; a failure may leave a part of them in the file.
  virtual Status write_at(uint64_t position, std::string_view bytes) = 0;
  /// fdatasync. A failure is final: the kernel has dropped the dirty pages, so the caller must end the process and
  /// recover from what the disk holds. It is never retried.
  virtual Status sync() = 0;
  virtual Status truncate(uint64_t size) = 0;
  virtual Result<uint64_t> size() = 0;
};

enum class OpenMode {
  kRead,    // must exist
  kWrite,   // read and write; created when missing
  kCreate,  // read and write; must not exist
};

struct DiskSpace {
  uint64_t free_bytes = 0;  // that an unprivileged process could still write
  uint64_t total_bytes = 0;
};

/// The files of a data directory. Only RocksDB, SQLite and the lock file reach the disk by another way.
class FileSystem {
 public:
  virtual ~FileSystem() = default;
  /// kInvalidArgument for what is no regular file: a pipe or a device would never end.
  virtual Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) = 0;
  /// With parents, durably; no error when it exists.
  virtual Status create_directories(const std::string& path) = 0;
  /// Names (not paths) of the entries, sorted. kNotFound when there is no such directory.
  virtual Result<std::vector<std::string>> list(const std::string& path) = 0;
  virtual Status remove(const std::string& path) = 0;
  virtual Status rename(const std::string& from, const std::string& to) = 0;
  /// Makes created, removed and renamed entries of a directory durable.
  virtual Status sync_directory(const std::string& path) = 0;
  virtual Result<bool> exists(const std::string& path) = 0;
  /// Of the file system that this path is on.
  virtual Result<DiskSpace> space(const std::string& path) = 0;
};

FileSystem& real_file_system();

/// The whole of a small file. kResourceExhausted above `limit` bytes.
Result<std::string> read_file(FileSystem& fs, const std::string& path, uint64_t limit = 16 << 20);
/// Replaces a file atomically and durably: temporary file, sync, rename, directory sync.
Status write_file_atomically(FileSystem& fs, const std::string& path, std::string_view content);

}  // namespace millrace::env
