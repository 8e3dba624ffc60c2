#include "app/file_tree.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "app/disk_mark.h"
#include "codec/kafka_record/record_batch.h"

namespace millrace::app {
namespace {

constexpr size_t kPieceBytes = 1 << 20;

std::string parent_of(const std::string& path) { return std::filesystem::path(path).parent_path().string(); }

}  // namespace

FileTree::FileTree(env::FileSystem& files, std::string root) : files_(files), root_(std::move(root)) {}

FileTree::~FileTree() {
  // A failure to clean up leaves a tree that says of itself that it is not whole.
  for (auto path = made_.rbegin(); path != made_.rend(); ++path) (void)files_.remove(*path);
}

Status FileTree::make_root() {
  directories_.insert(root_);
  std::vector<std::string> missing;
  for (std::string path = root_;; path = parent_of(path)) {
    TRY(bool there, files_.exists(path));
    if (there) break;
    missing.push_back(path);
  }
  for (auto path = missing.rbegin(); path != missing.rend(); ++path) {
    TRY_DO(files_.create_directories(*path));
    made_.push_back(*path);
  }
  return {};
}

Status FileTree::expect(uint64_t bytes, Progress progress) {
  total_ = bytes;
  progress_ = std::move(progress);
  TRY(env::DiskSpace space, files_.space(root_));
  // On the disk of a running server it must not be the backup that stops what comes in.
  uint64_t spare = DiskMark(DiskMark::default_min_free(space.total_bytes)).opens_at();
  if (space.free_bytes >= spare && space.free_bytes - spare >= bytes) return {};
  return fail(Errc::kDiskFull,
              fmt::format("{} bytes do not fit on the disk of {}, which has {} free and keeps {} of them", bytes, root_,
                          space.free_bytes, spare),
              "free some space, or name a directory on another disk");
}

Result<std::string> FileTree::prepare(const std::string& name) {
  std::string directory = root_;
  for (size_t slash = name.find('/'); slash != std::string::npos; slash = name.find('/', slash + 1)) {
    directory = root_ + "/" + name.substr(0, slash);
    if (!directories_.insert(directory).second) continue;
    TRY_DO(files_.create_directories(directory));
    made_.push_back(directory);
  }
  made_.push_back(root_ + "/" + name);
  return made_.back();
}

Result<BackupManifest::File> FileTree::copy(const std::string& from, const std::string& name, uint64_t bytes) {
  TRY(std::string path, prepare(name));
  TRY(auto file, files_.open(path, env::OpenMode::kCreate));
  TRY(uint32_t crc, read_through(files_, from, bytes, [&](uint64_t position, std::string_view piece) -> Status {
        TRY_DO(file->write_at(position, piece));
        done_ += piece.size();
        return progress_(done_, total_);
      }));
  TRY_DO(file->sync());
  return BackupManifest::File{name, bytes, crc};
}

Result<BackupManifest::File> FileTree::adopt(const std::string& name) {
  std::string path = root_ + "/" + name;
  TRY(auto file, files_.open(path, env::OpenMode::kWrite));
  TRY_DO(file->sync());
  TRY(uint64_t bytes, file->size());
  TRY(uint32_t crc, read_through(files_, path, bytes));
  return BackupManifest::File{name, bytes, crc};
}

Status FileTree::sync() {
  for (const std::string& directory : directories_) TRY_DO(files_.sync_directory(directory));
  return {};
}

Result<uint32_t> read_through(env::FileSystem& files, const std::string& path, uint64_t bytes,
                              const std::function<Status(uint64_t position, std::string_view)>& on_bytes) {
  TRY(auto file, files.open(path, env::OpenMode::kRead));
  std::string piece(std::min<uint64_t>(bytes, kPieceBytes), '\0');
  uint32_t crc = 0;
  for (uint64_t position = 0; position < bytes;) {
    TRY(size_t count, file->read_at(position, piece.data(), std::min<uint64_t>(bytes - position, piece.size())));
    if (count == 0) return fail(Errc::kCorruption, fmt::format("{} ends at byte {}, and should have {}", path, position, bytes));
    crc = codec::kafka_record::crc32c({piece.data(), count}, crc);
    if (on_bytes) TRY_DO(on_bytes(position, {piece.data(), count}));
    position += count;
  }
  return crc;
}

Status check_absent_or_empty(env::FileSystem& files, const std::string& path) {
  TRY(bool there, files.exists(path));
  if (!there) return {};
  auto names = files.list(path);
  if (names && names->empty()) return {};
  return fail(Errc::kAlreadyExists, fmt::format("{} is {}", path, names ? "not empty" : "no directory"),
              "name a directory that is empty or not there yet");
}

std::string plain_path(const std::string& path) {
  std::error_code error;
  std::filesystem::path plain = std::filesystem::weakly_canonical(std::filesystem::absolute(path, error), error);
  if (error) plain = std::filesystem::path(path).lexically_normal();
  if (!plain.has_filename()) plain = plain.parent_path();
  return plain.string();
}

bool is_within(const std::string& path, const std::string& directory) {
  return path == directory || path.starts_with(directory.ends_with('/') ? directory : directory + "/");
}

}  // namespace millrace::app
