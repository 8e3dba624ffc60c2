#pragma once

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "env/file.h"

namespace millrace::project {

/// A few read-only files in memory, for tests and fuzzing of what only reads.
class MemoryFiles : public env::FileSystem {
 public:
  explicit MemoryFiles(std::map<std::string, std::string> files) : files_(std::move(files)) {}

  Result<std::unique_ptr<env::File>> open(const std::string& path, env::OpenMode mode) override {
    auto found = files_.find(path);
    if (mode != env::OpenMode::kRead) return refused(path);
    if (found == files_.end()) return millrace::fail(Errc::kNotFound, path + " does not exist");
    return std::make_unique<Content>(found->second);
  }
  Status create_directories(const std::string& path) override { return refused(path); }
  Result<std::vector<std::string>> list(const std::string& path) override { return refused(path); }
  Status remove(const std::string& path) override { return refused(path); }
  Status rename(const std::string& from, const std::string&) override { return refused(from); }
  Status sync_directory(const std::string& path) override { return refused(path); }
  Result<bool> exists(const std::string& path) override { return files_.contains(path); }
  Result<env::DiskSpace> space(const std::string&) override { return env::DiskSpace{}; }

 private:
  class Content : public env::File {
   public:
    explicit Content(const std::string& bytes) : bytes_(bytes) {}
    Result<size_t> read_at(uint64_t position, char* out, size_t size) override {
      if (position >= bytes_.size()) return size_t{0};
      return bytes_.copy(out, size, position);
    }
    Status write_at(uint64_t, std::string_view) override { return refused("file"); }
    Status sync() override { return {}; }
    Status truncate(uint64_t) override { return refused("file"); }
    Result<uint64_t> size() override { return bytes_.size(); }

   private:
    const std::string& bytes_;
  };

  static tl::unexpected<Error> refused(const std::string& path) {
    return millrace::fail(Errc::kPermissionDenied, path + ": these files are only read");
  }

  std::map<std::string, std::string> files_;
};

}  // namespace millrace::project
