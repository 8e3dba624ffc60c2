#include "env/data_lock.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include <cerrno>
#include <system_error>
#include <utility>

namespace millrace::env {
namespace {

tl::unexpected<Error> fail_system(std::string_view verb, const std::string& path, int error) {
  std::string message = fmt::format("cannot {} {}: {}", verb, path, std::generic_category().message(error));
  switch (error) {
    case ENOENT: return fail(Errc::kNotFound, std::move(message));
    case ENOSPC:
    case EDQUOT:
    case EFBIG: return fail(Errc::kDiskFull, std::move(message), "free space on that disk");
    case EACCES:
    case EPERM:
    case EROFS:
      return fail(Errc::kPermissionDenied, std::move(message), "this user has to be able to write in the data directory");
    default:
      return fail(Errc::kIo, std::move(message), "nothing was changed: mend that file, or name another directory with --data");
  }
}

std::string read_holder(int descriptor) {
  char text[24];
  ssize_t n = ::pread(descriptor, text, sizeof text, 0);
  std::string holder(text, n > 0 ? static_cast<size_t>(n) : 0);
  holder.resize(std::min(holder.find_first_not_of("0123456789"), holder.size()));
  // A holder writes its pid right after it got the lock, so there is a moment without one.
  return holder.empty() ? "unknown" : holder;
}

}  // namespace

Result<DataLock> DataLock::acquire(const std::string& data_directory) {
  const std::string path = data_directory + "/LOCK";
  int descriptor = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0644);
  if (descriptor < 0) {
    return fail_system("open", path, errno);
  }
  DataLock lock(descriptor);
  if (::flock(descriptor, LOCK_EX | LOCK_NB) != 0) {
    if (errno != EWOULDBLOCK) return fail_system("lock", path, errno);
    return fail(Errc::kUnavailable,
                fmt::format("data directory {} is in use by process {}", data_directory, read_holder(descriptor)),
                "stop that process, or name another directory with --data");
  }
  const std::string pid = std::to_string(::getpid()) + "\n";
  if (::ftruncate(descriptor, 0) != 0 || ::pwrite(descriptor, pid.data(), pid.size(), 0) != static_cast<ssize_t>(pid.size())) {
    return fail_system("write", path, errno);
  }
  return lock;
}

DataLock::DataLock(DataLock&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

DataLock& DataLock::operator=(DataLock&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

DataLock::~DataLock() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

}  // namespace millrace::env
