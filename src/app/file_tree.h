#pragma once

#include <cstdint>
#include <functional>
#include <set>
#include <string>
#include <vector>

#include "app/backup_manifest.h"
#include "env/file.h"

namespace millrace::app {

/// Called now and then with the bytes done and to do; an error ends the work.
using Progress = std::function<Status(uint64_t done, uint64_t total)>;

/// A directory that is being filled with files, durably and with their checksums. What it made goes again unless keep() is
/// called. Threading: one thread.
class FileTree {
 public:
  /// `root` is absolute, and empty or absent.
  FileTree(env::FileSystem& files, std::string root);
  ~FileTree();
  FileTree(const FileTree&) = delete;
  FileTree& operator=(const FileTree&) = delete;

  Status make_root();
  /// kDiskFull unless `bytes` fit on the disk with something to spare. Progress is of these bytes from then on.
  Status expect(uint64_t bytes, Progress progress);
  /// Copies the first `bytes` of the file `from` to `name` below the root. Errors: kCorruption when it is shorter.
  Result<BackupManifest::File> copy(const std::string& from, const std::string& name, uint64_t bytes);
  /// Takes in a file that was written by other means.
  Result<BackupManifest::File> adopt(const std::string& name);
  /// The path of `name`, in a directory that is there.
  Result<std::string> prepare(const std::string& name);
  /// Makes the names durable.
  Status sync();
  void keep() { made_.clear(); }

 private:
  env::FileSystem& files_;
  const std::string root_;
  Progress progress_;
  uint64_t done_ = 0;
  uint64_t total_ = 0;
  std::set<std::string> directories_;
  std::vector<std::string> made_;  // directories before what is in them
};

/// CRC-32C of the first `bytes` of a file; `on_bytes` sees each piece. kCorruption when the file is shorter.
Result<uint32_t> read_through(env::FileSystem& files, const std::string& path, uint64_t bytes,
                              const std::function<Status(uint64_t position, std::string_view)>& on_bytes = {});

/// Errors: kAlreadyExists unless `path` is absent or an empty directory.
Status check_absent_or_empty(env::FileSystem& files, const std::string& path);
/// Absolute, without steps back and links as far as it exists.
std::string plain_path(const std::string& path);
/// Whether `path` is `directory` or below it, both plain.
bool is_within(const std::string& path, const std::string& directory);

}  // namespace millrace::app
