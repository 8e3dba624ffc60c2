#include "store/fault_files.h"

#include <rocksdb/file_system.h>

#include "env/fault.h"
#include "env/power_loss.h"

namespace millrace::store {
namespace {

using rocksdb::FileOptions;
using rocksdb::IODebugContext;
using rocksdb::IOOptions;
using rocksdb::IOStatus;
using rocksdb::Slice;

IOStatus io_status(const Status& status) {
  if (status) return IOStatus::OK();
  const Error& error = status.error();
  return error.code == Errc::kDiskFull ? IOStatus::NoSpace(error.message) : IOStatus::IOError(error.message);
}

IOStatus pass(std::string_view point, const std::string& path) { return io_status(env::fault(point, path)); }

class FaultWritableFile : public rocksdb::FSWritableFileOwnerWrapper {
 public:
  FaultWritableFile(std::unique_ptr<rocksdb::FSWritableFile> file, const std::string& path)
      : FSWritableFileOwnerWrapper(std::move(file)), path_(path), written_(env::WrittenFile::open(path)) {}

  IOStatus Append(const Slice& data, const IOOptions& options, IODebugContext* debug) override {
    env::TakenFault taken = env::take_fault("file.write", path_);
    if (taken.action == env::FaultAction::kShort) {
      env::DiskChange change;
      FSWritableFileOwnerWrapper::Append(Slice(data.data(), data.size() / 2), options, debug).PermitUncheckedError();
    }
    if (auto passed = io_status(env::act_on_fault(taken, "file.write")); !passed.ok()) return passed;
    env::DiskChange change;
    return FSWritableFileOwnerWrapper::Append(data, options, debug);
  }
  IOStatus Append(const Slice& data, const IOOptions& options, const rocksdb::DataVerificationInfo&,
                  IODebugContext* debug) override {
    return Append(data, options, debug);
  }
  IOStatus Truncate(uint64_t size, const IOOptions& options, IODebugContext* debug) override {
    if (auto passed = pass("file.truncate", path_); !passed.ok()) return passed;
    env::DiskChange change;
    if (written_) written_->before_truncate(size);
    return FSWritableFileOwnerWrapper::Truncate(size, options, debug);
  }
  IOStatus Sync(const IOOptions& options, IODebugContext* debug) override {
    return sync([&] { return FSWritableFileOwnerWrapper::Sync(options, debug); });
  }
  IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override {
    return sync([&] { return FSWritableFileOwnerWrapper::Fsync(options, debug); });
  }

 private:
  template <class Call>
  IOStatus sync(const Call& call) {
    if (auto passed = pass("file.sync", path_); !passed.ok()) return passed;
    env::DiskChange change;
    env::WrittenFile::Sync covered{};
    if (written_) covered = written_->before_sync();
    IOStatus done = call();
    if (written_ && done.ok()) written_->after_sync(covered);
    return done;
  }

  const std::string path_;
  const std::shared_ptr<env::WrittenFile> written_;
};

class FaultSequentialFile : public rocksdb::FSSequentialFileOwnerWrapper {
 public:
  FaultSequentialFile(std::unique_ptr<rocksdb::FSSequentialFile> file, std::string path)
      : FSSequentialFileOwnerWrapper(std::move(file)), path_(std::move(path)) {}
  IOStatus Read(size_t size, const IOOptions& options, Slice* result, char* scratch, IODebugContext* debug) override {
    if (auto passed = pass("file.read", path_); !passed.ok()) return passed;
    return FSSequentialFileOwnerWrapper::Read(size, options, result, scratch, debug);
  }

 private:
  const std::string path_;
};

class FaultRandomAccessFile : public rocksdb::FSRandomAccessFileOwnerWrapper {
 public:
  FaultRandomAccessFile(std::unique_ptr<rocksdb::FSRandomAccessFile> file, std::string path)
      : FSRandomAccessFileOwnerWrapper(std::move(file)), path_(std::move(path)) {}
  IOStatus Read(uint64_t position, size_t size, const IOOptions& options, Slice* result, char* scratch,
                IODebugContext* debug) const override {
    if (auto passed = pass("file.read", path_); !passed.ok()) return passed;
    return FSRandomAccessFileOwnerWrapper::Read(position, size, options, result, scratch, debug);
  }
  IOStatus MultiRead(rocksdb::FSReadRequest* requests, size_t count, const IOOptions& options, IODebugContext* debug) override {
    if (auto passed = pass("file.read", path_); !passed.ok()) return passed;
    return FSRandomAccessFileOwnerWrapper::MultiRead(requests, count, options, debug);
  }

 private:
  const std::string path_;
};

class FaultDirectory : public rocksdb::FSDirectoryWrapper {
 public:
  FaultDirectory(std::unique_ptr<rocksdb::FSDirectory> directory, std::string path)
      : FSDirectoryWrapper(std::move(directory)), path_(std::move(path)) {}
  IOStatus Fsync(const IOOptions& options, IODebugContext* debug) override {
    return sync([&] { return FSDirectoryWrapper::Fsync(options, debug); });
  }
  IOStatus FsyncWithDirOptions(const IOOptions& options, IODebugContext* debug, const rocksdb::DirFsyncOptions& reason) override {
    return sync([&] { return FSDirectoryWrapper::FsyncWithDirOptions(options, debug, reason); });
  }

 private:
  template <class Call>
  IOStatus sync(const Call& call) {
    if (auto passed = pass("file.sync_directory", path_); !passed.ok()) return passed;
    env::DiskChange change;
    uint64_t changes = env::name_changes();
    IOStatus done = call();
    if (done.ok()) env::note_directory_synced(path_, changes);
    return done;
  }

  const std::string path_;
};

class FaultFiles : public rocksdb::FileSystemWrapper {
 public:
  using FileSystemWrapper::FileSystemWrapper;
  const char* Name() const override { return "millrace.fault_files"; }

  IOStatus NewSequentialFile(const std::string& path, const FileOptions& options,
                             std::unique_ptr<rocksdb::FSSequentialFile>* result, IODebugContext* debug) override {
    if (auto passed = pass("file.open", path); !passed.ok()) return passed;
    IOStatus opened = FileSystemWrapper::NewSequentialFile(path, options, result, debug);
    if (opened.ok()) *result = std::make_unique<FaultSequentialFile>(std::move(*result), path);
    return opened;
  }
  IOStatus NewRandomAccessFile(const std::string& path, const FileOptions& options,
                               std::unique_ptr<rocksdb::FSRandomAccessFile>* result, IODebugContext* debug) override {
    if (auto passed = pass("file.open", path); !passed.ok()) return passed;
    IOStatus opened = FileSystemWrapper::NewRandomAccessFile(path, options, result, debug);
    if (opened.ok()) *result = std::make_unique<FaultRandomAccessFile>(std::move(*result), path);
    return opened;
  }
  IOStatus NewWritableFile(const std::string& path, const FileOptions& options, std::unique_ptr<rocksdb::FSWritableFile>* result,
                           IODebugContext* debug) override {
    return write_file(path, options, result, debug, [&] { return target_->NewWritableFile(path, options, result, debug); });
  }
  IOStatus ReopenWritableFile(const std::string& path, const FileOptions& options,
                              std::unique_ptr<rocksdb::FSWritableFile>* result, IODebugContext* debug) override {
    return write_file(path, options, result, debug, [&] { return target_->ReopenWritableFile(path, options, result, debug); });
  }
  IOStatus NewDirectory(const std::string& path, const IOOptions& options, std::unique_ptr<rocksdb::FSDirectory>* result,
                        IODebugContext* debug) override {
    IOStatus opened = FileSystemWrapper::NewDirectory(path, options, result, debug);
    if (opened.ok()) *result = std::make_unique<FaultDirectory>(std::move(*result), path);
    return opened;
  }
  IOStatus DeleteFile(const std::string& path, const IOOptions& options, IODebugContext* debug) override {
    if (auto passed = pass("file.remove", path); !passed.ok()) return passed;
    env::DiskChange change;
    env::KeptFile before(path);
    IOStatus done = FileSystemWrapper::DeleteFile(path, options, debug);
    if (done.ok()) env::note_removed(path, std::move(before));
    return done;
  }
  IOStatus RenameFile(const std::string& from, const std::string& to, const IOOptions& options, IODebugContext* debug) override {
    if (auto passed = pass("file.rename", from); !passed.ok()) return passed;
    env::DiskChange change;
    env::KeptFile before(to);
    IOStatus done = FileSystemWrapper::RenameFile(from, to, options, debug);
    if (done.ok()) env::note_renamed(from, to, std::move(before));
    return done;
  }
  IOStatus LinkFile(const std::string& from, const std::string& to, const IOOptions& options, IODebugContext* debug) override {
    if (auto passed = pass("file.rename", from); !passed.ok()) return passed;
    env::DiskChange change;
    IOStatus done = FileSystemWrapper::LinkFile(from, to, options, debug);
    if (done.ok()) env::note_created(to);
    return done;
  }

 private:
  template <class Call>
  IOStatus write_file(const std::string& path, const FileOptions& options, std::unique_ptr<rocksdb::FSWritableFile>* result,
                      IODebugContext* debug, const Call& call) {
    if (auto passed = pass("file.open", path); !passed.ok()) return passed;
    env::DiskChange change;
    bool is_new = !FileSystemWrapper::FileExists(path, options.io_options, debug).ok();
    IOStatus opened = call();
    if (!opened.ok()) return opened;
    if (is_new) env::note_created(path);
    *result = std::make_unique<FaultWritableFile>(std::move(*result), path);
    return opened;
  }
};

}  // namespace

rocksdb::Env* fault_env() {
  static rocksdb::Env* const env =
      rocksdb::NewCompositeEnv(std::make_shared<FaultFiles>(rocksdb::FileSystem::Default())).release();
  return env;
}

}  // namespace millrace::store
