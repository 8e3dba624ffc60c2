#include <dirent.h>
#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <system_error>

#include "env/fault.h"
#include "env/file.h"
#include "env/power_loss.h"

namespace millrace::env {
namespace {

Errc code_of(int error) {
  switch (error) {
    case ENOENT: return Errc::kNotFound;
    case EEXIST: return Errc::kAlreadyExists;
    case EACCES:
    case EPERM:
    case EROFS: return Errc::kPermissionDenied;
    case ENOSPC:
    case EDQUOT:
    case EFBIG: return Errc::kDiskFull;
    case EMFILE:
    case ENFILE:
    case ENOMEM: return Errc::kResourceExhausted;
    default: return Errc::kIo;
  }
}

tl::unexpected<Error> fail_system(std::string_view verb, const std::string& path, int error) {
  Errc code = code_of(error);
  return fail(code, fmt::format("cannot {} {}: {}", verb, path, std::generic_category().message(error)),
              code == Errc::kDiskFull ? "free space on that disk; what was refused can be sent again" : "");
}

/// The file.* point with the path put to its error.
Status pass(std::string_view point, const std::string& path) {
  auto passed = fault(point, path);
  if (!passed) return fail(at(path, std::move(passed.error())));
  return {};
}

class PosixFile : public File {
 public:
  /// `written` is null for a file that is read only, and while fault points are off.
  PosixFile(int descriptor, std::string path, std::shared_ptr<WrittenFile> written)
      : descriptor_(descriptor), path_(std::move(path)), written_(std::move(written)) {}
  ~PosixFile() override { ::close(descriptor_); }

  Result<size_t> read_at(uint64_t position, char* out, size_t size) override {
    if (auto passed = fault("file.read", path_); !passed) {
      return fail(at(fmt::format("{} at byte {}", path_, position), std::move(passed.error())));
    }
    size_t done = 0;
    while (done < size) {
      ssize_t n = ::pread(descriptor_, out + done, size - done, static_cast<off_t>(position + done));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return fail_system("read", fmt::format("{} at byte {}", path_, position + done), errno);
      if (n == 0) break;
      done += static_cast<size_t>(n);
    }
    return done;
  }

  Status write_at(uint64_t position, std::string_view bytes) override {
    TakenFault taken = take_fault("file.write", path_);
    if (taken.action == FaultAction::kShort) {
      TRY_DO(write_all(position, bytes.substr(0, bytes.size() / 2)));
    }
    if (auto passed = act_on_fault(taken, "file.write"); !passed) return fail(at(path_, std::move(passed.error())));
    return write_all(position, bytes);
  }

  Status sync() override {
    TRY_DO(pass("file.sync", path_));
    DiskChange change;
    WrittenFile::Sync covered{};
    if (written_) covered = written_->before_sync();
    while (::fdatasync(descriptor_) != 0) {
      if (errno != EINTR) return fail_system("sync", path_, errno);
    }
    if (written_) written_->after_sync(covered);
    return {};
  }

  Status truncate(uint64_t size) override {
    TRY_DO(pass("file.truncate", path_));
    DiskChange change;
    if (written_) written_->before_truncate(size);
    while (::ftruncate(descriptor_, static_cast<off_t>(size)) != 0) {
      if (errno != EINTR) return fail_system("truncate", path_, errno);
    }
    return {};
  }

  Result<uint64_t> size() override {
    struct stat status;
    if (::fstat(descriptor_, &status) != 0) return fail_system("stat", path_, errno);
    return static_cast<uint64_t>(status.st_size);
  }

 private:
  Status write_all(uint64_t position, std::string_view bytes) {
    DiskChange change;
    if (written_) written_->before_write(position, bytes.size());
    while (!bytes.empty()) {
      ssize_t n = ::pwrite(descriptor_, bytes.data(), bytes.size(), static_cast<off_t>(position));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return fail_system("write", path_, errno);
      bytes.remove_prefix(static_cast<size_t>(n));
      position += static_cast<uint64_t>(n);
    }
    return {};
  }

  const int descriptor_;
  const std::string path_;
  const std::shared_ptr<WrittenFile> written_;
};

class PosixFileSystem : public FileSystem {
 public:
  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override {
    TRY_DO(pass("file.open", path));
    // A pipe that nobody writes would hold up the call; without waiting it opens, and is refused below.
    int flags = O_CLOEXEC | O_NONBLOCK | (mode == OpenMode::kRead ? O_RDONLY : O_RDWR | O_CREAT);
    if (mode == OpenMode::kCreate) flags |= O_EXCL;
    DiskChange change;
    bool is_new = mode != OpenMode::kRead && faults_are_on() && ::access(path.c_str(), F_OK) != 0;
    int descriptor;
    do {
      descriptor = ::open(path.c_str(), flags, 0644);
    } while (descriptor < 0 && errno == EINTR);
    if (descriptor < 0) return fail_system("open", path, errno);
    struct stat status;
    if (::fstat(descriptor, &status) != 0 || !S_ISREG(status.st_mode)) {
      ::close(descriptor);
      return fail(Errc::kInvalidArgument, path + " is not a regular file");
    }
    if (is_new) note_created(path);
    return std::make_unique<PosixFile>(descriptor, path, mode == OpenMode::kRead ? nullptr : WrittenFile::open(path));
  }

  Status create_directories(const std::string& path) override {
    std::error_code unknown;
    if (path.empty() || std::filesystem::is_directory(path, unknown)) return {};
    std::string parent = std::filesystem::path(path).parent_path().string();
    TRY_DO(create_directories(parent));
    {
      DiskChange change;
      if (::mkdir(path.c_str(), 0777) == 0) {
        note_created(path);
      } else if (int error = errno; error != EEXIST || !std::filesystem::is_directory(path, unknown)) {
        return fail_system("create directory", path, error);
      }
    }
    return sync_directory(parent.empty() ? "." : parent);
  }

  Result<std::vector<std::string>> list(const std::string& path) override {
    DIR* directory = ::opendir(path.c_str());
    if (directory == nullptr) return fail_system("list", path, errno);
    std::vector<std::string> names;
    // readdir tells an error from the end by errno alone.
    for (errno = 0; const dirent* entry = ::readdir(directory);) {
      std::string_view name = entry->d_name;
      if (name != "." && name != "..") names.emplace_back(name);
    }
    int error = errno;
    ::closedir(directory);
    if (error != 0) return fail_system("list", path, error);
    std::ranges::sort(names);
    return names;
  }

  Status remove(const std::string& path) override {
    TRY_DO(pass("file.remove", path));
    DiskChange change;
    KeptFile before(path);
    if (::remove(path.c_str()) != 0) return fail_system("remove", path, errno);
    note_removed(path, std::move(before));
    return {};
  }

  Status rename(const std::string& from, const std::string& to) override {
    TRY_DO(pass("file.rename", from));
    DiskChange change;
    KeptFile before(to);
    if (::rename(from.c_str(), to.c_str()) != 0) return fail_system("rename to " + to, from, errno);
    note_renamed(from, to, std::move(before));
    return {};
  }

  Status sync_directory(const std::string& path) override {
    TRY_DO(pass("file.sync_directory", path));
    int descriptor = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) return fail_system("open", path, errno);
    DiskChange change;
    uint64_t changes = name_changes();
    int outcome;
    do {
      outcome = ::fsync(descriptor);
    } while (outcome != 0 && errno == EINTR);
    int error = errno;
    ::close(descriptor);
    if (outcome != 0) return fail_system("sync", path, error);
    note_directory_synced(path, changes);
    return {};
  }

  Result<bool> exists(const std::string& path) override {
    struct stat status;
    if (::stat(path.c_str(), &status) == 0) return true;
    if (errno == ENOENT || errno == ENOTDIR) return false;
    return fail_system("stat", path, errno);
  }

  Result<DiskSpace> space(const std::string& path) override {
    struct statvfs status;
    if (::statvfs(path.c_str(), &status) != 0) return fail_system("stat the file system of", path, errno);
    return DiskSpace{static_cast<uint64_t>(status.f_bavail) * status.f_frsize,
                     static_cast<uint64_t>(status.f_blocks) * status.f_frsize};
  }
};

}  // namespace

FileSystem& real_file_system() {
  static PosixFileSystem files;
  return files;
}

}  // namespace millrace::env
