#include "env/posix_file.h"

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

#include "base/mutex.h"
#include "env/fault.h"
#include "env/file.h"

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
    case EFBIG:
    case EMFILE:
    case ENFILE:
    case ENOMEM: return Errc::kResourceExhausted;
    default: return Errc::kIo;
  }
}

tl::unexpected<Error> fail_system(std::string_view verb, const std::string& path, int error) {
  return fail(code_of(error), fmt::format("cannot {} {}: {}", verb, path, std::generic_category().message(error)));
}

/// The file.* point with the path put to its error.
Status pass(std::string_view point, const std::string& path) {
  auto passed = fault(point);
  if (!passed) return fail(at(path, std::move(passed.error())));
  return {};
}

/// What each file that is open for writing would still hold after a power loss.
class WrittenFiles {
 public:
  void add(int descriptor, uint64_t synced_size) {
    MutexLock lock(mutex_);
    files_.push_back({descriptor, synced_size});
  }
  void set_synced(int descriptor, uint64_t synced_size) {
    MutexLock lock(mutex_);
    for (auto& file : files_) {
      if (file.descriptor == descriptor) file.synced_size = synced_size;
    }
  }
  void remove(int descriptor) {
    MutexLock lock(mutex_);
    std::erase_if(files_, [&](const Written& file) { return file.descriptor == descriptor; });
  }
  void cut_all() {
    MutexLock lock(mutex_);
    for (const auto& file : files_) {
      struct stat status;
      if (fstat(file.descriptor, &status) != 0 || static_cast<uint64_t>(status.st_size) <= file.synced_size) continue;
      // The process ends next, whatever the outcome.
      [[maybe_unused]] int ignored = ftruncate(file.descriptor, static_cast<off_t>(file.synced_size));
    }
  }

 private:
  struct Written {
    int descriptor;
    uint64_t synced_size;
  };
  Mutex mutex_;
  std::vector<Written> files_ GUARDED_BY(mutex_);
};

WrittenFiles& written_files() {
  static auto* files = new WrittenFiles();  // outlives static files that close at exit
  return *files;
}

class PosixFile : public File {
 public:
  PosixFile(int descriptor, std::string path, bool writable)
      : descriptor_(descriptor), path_(std::move(path)), writable_(writable) {}
  ~PosixFile() override {
    // Out of the list first: the number may be another file's right after close.
    if (writable_) written_files().remove(descriptor_);
    ::close(descriptor_);
  }

  Result<size_t> read_at(uint64_t position, char* out, size_t size) override {
    TRY_DO(pass("file.read", path_));
    size_t done = 0;
    while (done < size) {
      ssize_t n = ::pread(descriptor_, out + done, size - done, static_cast<off_t>(position + done));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0) return fail_system("read", path_, errno);
      if (n == 0) break;
      done += static_cast<size_t>(n);
    }
    return done;
  }

  Status write_at(uint64_t position, std::string_view bytes) override {
    FaultAction action = take_fault("file.write");
    if (action == FaultAction::kShort) {
      TRY_DO(write_all(position, bytes.substr(0, bytes.size() / 2)));
    }
    if (auto passed = act_on_fault(action, "file.write"); !passed) return fail(at(path_, std::move(passed.error())));
    return write_all(position, bytes);
  }

  Status sync() override {
    TRY_DO(pass("file.sync", path_));
    TRY(uint64_t covered, size());
    while (::fdatasync(descriptor_) != 0) {
      if (errno != EINTR) return fail_system("sync", path_, errno);
    }
    if (writable_) written_files().set_synced(descriptor_, covered);
    return {};
  }

  Status truncate(uint64_t size) override {
    TRY_DO(pass("file.truncate", path_));
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
  const bool writable_;
};

class PosixFileSystem : public FileSystem {
 public:
  Result<std::unique_ptr<File>> open(const std::string& path, OpenMode mode) override {
    TRY_DO(pass("file.open", path));
    int flags = O_CLOEXEC | (mode == OpenMode::kRead ? O_RDONLY : O_RDWR | O_CREAT);
    if (mode == OpenMode::kCreate) flags |= O_EXCL;
    int descriptor;
    do {
      descriptor = ::open(path.c_str(), flags, 0644);
    } while (descriptor < 0 && errno == EINTR);
    if (descriptor < 0) return fail_system("open", path, errno);
    bool writable = mode != OpenMode::kRead;
    auto file = std::make_unique<PosixFile>(descriptor, path, writable);
    if (writable) {
      // What stood there before this process came is taken as durable.
      TRY(uint64_t size, file->size());
      written_files().add(descriptor, size);
    }
    return file;
  }

  Status create_directories(const std::string& path) override {
    std::error_code error;
    std::filesystem::create_directories(path, error);
    if (error) return fail_system("create directory", path, error.value());
    return {};
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
    if (::remove(path.c_str()) != 0) return fail_system("remove", path, errno);
    return {};
  }

  Status rename(const std::string& from, const std::string& to) override {
    TRY_DO(pass("file.rename", from));
    if (::rename(from.c_str(), to.c_str()) != 0) return fail_system("rename to " + to, from, errno);
    return {};
  }

  Status sync_directory(const std::string& path) override {
    TRY_DO(pass("file.sync_directory", path));
    int descriptor = ::open(path.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (descriptor < 0) return fail_system("open", path, errno);
    int outcome;
    do {
      outcome = ::fsync(descriptor);
    } while (outcome != 0 && errno == EINTR);
    int error = errno;
    ::close(descriptor);
    if (outcome != 0) return fail_system("sync", path, error);
    return {};
  }

  Result<bool> exists(const std::string& path) override {
    struct stat status;
    if (::stat(path.c_str(), &status) == 0) return true;
    if (errno == ENOENT || errno == ENOTDIR) return false;
    return fail_system("stat", path, errno);
  }

  Result<uint64_t> free_bytes(const std::string& path) override {
    struct statvfs status;
    if (::statvfs(path.c_str(), &status) != 0) return fail_system("stat the file system of", path, errno);
    return static_cast<uint64_t>(status.f_bavail) * status.f_frsize;
  }
};

}  // namespace

void drop_unsynced_bytes() { written_files().cut_all(); }

FileSystem& real_file_system() {
  static PosixFileSystem files;
  return files;
}

}  // namespace millrace::env
