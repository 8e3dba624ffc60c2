#pragma once

#include <string>

#include "base/result.h"

namespace millrace::env {

/// Holds `<data>/LOCK`, so that one process at a time uses a data directory. The kernel lets go of it when the process ends in
/// whatever way; the file stays and holds the last owner's pid as text.
class DataLock {
 public:
  /// Errors: kUnavailable naming the holder's pid, and only when somebody holds it; kNotFound when the directory does not exist;
  /// kDiskFull, kPermissionDenied, kIo.
  static Result<DataLock> acquire(const std::string& data_directory);
  DataLock(DataLock&& other) noexcept;
  DataLock& operator=(DataLock&& other) noexcept;
  ~DataLock();

 private:
  explicit DataLock(int descriptor) : descriptor_(descriptor) {}
  int descriptor_;
};

}  // namespace millrace::env
