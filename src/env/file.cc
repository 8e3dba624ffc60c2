#include "env/file.h"

#include <fmt/format.h>

namespace millrace::env {
namespace {

std::string parent_of(const std::string& path) {
  size_t slash = path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : path.substr(0, slash);
}

Status write_and_sync(FileSystem& fs, const std::string& path, std::string_view content) {
  TRY(auto file, fs.open(path, OpenMode::kWrite));
  TRY_DO(file->truncate(0));
  TRY_DO(file->write_at(0, content));
  return file->sync();
}

}  // namespace

Result<std::string> read_file(FileSystem& fs, const std::string& path, uint64_t limit) {
  TRY(auto file, fs.open(path, OpenMode::kRead));
  TRY(uint64_t size, file->size());
  if (size > limit) return fail(Errc::kResourceExhausted, fmt::format("{} has {} bytes, more than {}", path, size, limit));
  std::string content(size, '\0');
  TRY(size_t read, file->read_at(0, content.data(), content.size()));
  content.resize(read);
  return content;
}

Status write_file_atomically(FileSystem& fs, const std::string& path, std::string_view content) {
  const std::string temporary = path + ".tmp";
  auto written = write_and_sync(fs, temporary, content);
  if (written) written = fs.rename(temporary, path);
  if (!written) {
    // A leftover is overwritten by the next attempt; the first error is the one to report.
    (void)fs.remove(temporary);
    return written;
  }
  return fs.sync_directory(parent_of(path));
}

}  // namespace millrace::env
