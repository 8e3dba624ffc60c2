#include "env/power_loss.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <map>
#include <shared_mutex>
#include <utility>

#include "env/fault.h"
#include "env/random.h"

// The process ends after a loss whatever the outcome of its calls, so errors of system calls are passed over here.
namespace millrace::env {
namespace {

struct NameChange {
  enum class Kind { kCreated, kRemoved, kRenamed } kind;
  uint64_t number;
  std::string directory;
  std::string path;
  std::string from;  // of a rename
  KeptFile before;
};

using FileId = std::pair<dev_t, ino_t>;  // names change, and a file may have two

struct Ledger {
  std::atomic<bool> power_is_lost{false};
  std::shared_mutex changing;  // shared by who changes the disk
  Mutex mutex;
  std::map<FileId, std::shared_ptr<WrittenFile>> files GUARDED_BY(mutex);
  std::vector<NameChange> names GUARDED_BY(mutex);  // oldest first
  uint64_t changes GUARDED_BY(mutex) = 0;
};

Ledger& ledger() {
  static auto* one = new Ledger();  // outlives static files that close at exit
  return *one;
}

std::string plain(const std::string& path) { return std::filesystem::path(path).lexically_normal().string(); }

std::string directory_of(const std::string& path) {
  std::string directory = std::filesystem::path(path).parent_path().string();
  return directory.empty() ? "." : directory;
}

std::string read_bytes(int descriptor, uint64_t position, uint64_t size) {
  std::string bytes(size, '\0');
  ssize_t n = ::pread(descriptor, bytes.data(), size, static_cast<off_t>(position));
  bytes.resize(n > 0 ? static_cast<size_t>(n) : 0);
  return bytes;
}

void note(NameChange change) {
  if (!faults_are_on()) return;
  Ledger& all = ledger();
  MutexLock lock(all.mutex);
  change.number = all.changes++;
  change.path = plain(change.path);
  change.from = plain(change.from);
  change.directory = directory_of(change.path);
  // What a directory held goes with it.
  if (change.kind == NameChange::Kind::kRemoved) {
    std::erase_if(all.names, [&](const NameChange& other) { return other.directory == change.path; });
  }
  // A name that came and went between two syncs was never there.
  auto last = std::find_if(all.names.rbegin(), all.names.rend(),
                           [&](const NameChange& other) { return other.path == change.path || other.from == change.path; });
  bool vanishes = change.kind == NameChange::Kind::kRemoved && last != all.names.rend() &&
                  last->kind == NameChange::Kind::kCreated && last->path == change.path;
  if (vanishes) {
    all.names.erase(std::next(last).base());
  } else {
    all.names.push_back(std::move(change));
  }
}

void take_back(const NameChange& change) {
  std::error_code ignored;
  switch (change.kind) {
    case NameChange::Kind::kCreated: std::filesystem::remove_all(change.path, ignored); break;
    case NameChange::Kind::kRemoved: change.before.restore(change.path); break;
    case NameChange::Kind::kRenamed:
      std::filesystem::rename(change.path, change.from, ignored);
      change.before.restore(change.path);
      break;
  }
}

}  // namespace

DiskChange::DiskChange() : held_(faults_are_on()) {
  if (!held_) return;
  while (ledger().power_is_lost) ::pause();
  ledger().changing.lock_shared();
}

DiskChange::~DiskChange() {
  if (held_) ledger().changing.unlock_shared();
}

// ---- bytes

std::shared_ptr<WrittenFile> WrittenFile::open(const std::string& path) {
  if (!faults_are_on()) return nullptr;
  int descriptor = ::open(path.c_str(), O_RDWR | O_CLOEXEC);
  struct stat status;
  if (descriptor < 0 || ::fstat(descriptor, &status) != 0) return nullptr;
  Ledger& all = ledger();
  MutexLock lock(all.mutex);
  // Who is closed, and has nothing to lose, is not needed any more.
  std::erase_if(all.files, [](auto& entry) { return entry.second.use_count() == 1 && entry.second->is_durable(); });
  auto& file = all.files[{status.st_dev, status.st_ino}];
  if (file == nullptr) {
    file = std::make_shared<WrittenFile>(descriptor, static_cast<uint64_t>(status.st_size));
  } else {
    ::close(descriptor);
  }
  return file;
}

WrittenFile::~WrittenFile() { ::close(descriptor_); }

uint64_t WrittenFile::size() const {
  struct stat status;
  return ::fstat(descriptor_, &status) == 0 ? static_cast<uint64_t>(status.st_size) : 0;
}

void WrittenFile::keep_bytes(uint64_t position, uint64_t size) {
  if (position >= durable_size_) return;
  size = std::min(size, durable_size_ - position);
  // What is written again and again at the same place was durable only before the first time since a sync.
  bool kept = std::any_of(overwrites_.begin(), overwrites_.end(), [&, begun = sync_begun_](const Overwrite& o) {
    return o.number > begun && o.position == position && o.before.size() >= size;
  });
  if (!kept) overwrites_.push_back({next_number_++, position, read_bytes(descriptor_, position, size)});
}

void WrittenFile::before_write(uint64_t position, uint64_t size) {
  MutexLock lock(mutex_);
  keep_bytes(position, size);
}

void WrittenFile::before_truncate(uint64_t size) {
  MutexLock lock(mutex_);
  keep_bytes(size, UINT64_MAX);
}

WrittenFile::Sync WrittenFile::before_sync() {
  MutexLock lock(mutex_);
  sync_begun_ = next_number_++;
  return {size(), sync_begun_};
}

void WrittenFile::after_sync(const Sync& sync) {
  MutexLock lock(mutex_);
  if (sync.number < sync_ended_) return;  // a later one came first
  sync_ended_ = sync.number;
  durable_size_ = sync.size;
  std::erase_if(overwrites_, [&](const Overwrite& o) { return o.number < sync.number; });
}

bool WrittenFile::is_durable() {
  MutexLock lock(mutex_);
  return overwrites_.empty() && size() <= durable_size_;
}

void WrittenFile::lose(std::optional<uint64_t> chance) {
  MutexLock lock(mutex_);
  bool overwrites_stay = chance && *chance % 2 == 0;
  if (!overwrites_stay) {
    for (auto o = overwrites_.rbegin(); o != overwrites_.rend(); ++o) {
      [[maybe_unused]] ssize_t n = ::pwrite(descriptor_, o->before.data(), o->before.size(), static_cast<off_t>(o->position));
    }
  }
  uint64_t now = size();
  if (now <= durable_size_) return;
  uint64_t stays = chance ? (*chance >> 1) % (now - durable_size_ + 1) : 0;
  [[maybe_unused]] int done = ::ftruncate(descriptor_, static_cast<off_t>(durable_size_ + stays));
}

// ---- names

KeptFile::KeptFile(const std::string& path) {
  if (faults_are_on()) descriptor_ = ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
}

KeptFile::~KeptFile() {
  if (descriptor_ >= 0) ::close(descriptor_);
}

KeptFile::KeptFile(KeptFile&& other) noexcept : descriptor_(std::exchange(other.descriptor_, -1)) {}

KeptFile& KeptFile::operator=(KeptFile&& other) noexcept {
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

void KeptFile::restore(const std::string& path) const {
  if (descriptor_ < 0) return;
  struct stat status;
  if (::fstat(descriptor_, &status) != 0) return;
  if (S_ISDIR(status.st_mode)) {
    ::mkdir(path.c_str(), 0755);
    return;
  }
  int copy = ::open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);
  for (uint64_t at = 0; at < static_cast<uint64_t>(status.st_size);) {
    std::string bytes = read_bytes(descriptor_, at, 1 << 20);
    if (bytes.empty()) break;
    [[maybe_unused]] ssize_t n = ::pwrite(copy, bytes.data(), bytes.size(), static_cast<off_t>(at));
    at += bytes.size();
  }
  ::close(copy);
}

void note_created(const std::string& path) { note({NameChange::Kind::kCreated, 0, "", path, "", {}}); }

void note_removed(const std::string& path, KeptFile before) {
  note({NameChange::Kind::kRemoved, 0, "", path, "", std::move(before)});
}

void note_renamed(const std::string& from, const std::string& to, KeptFile before) {
  note({NameChange::Kind::kRenamed, 0, "", to, from, std::move(before)});
}

uint64_t name_changes() {
  if (!faults_are_on()) return 0;
  Ledger& all = ledger();
  MutexLock lock(all.mutex);
  return all.changes;
}

void note_directory_synced(const std::string& path, uint64_t changes) {
  if (!faults_are_on()) return;
  std::string directory = plain(path + "/.");
  if (directory.size() > 1 && directory.back() == '/') directory.pop_back();
  Ledger& all = ledger();
  MutexLock lock(all.mutex);
  std::erase_if(all.names, [&](const NameChange& change) { return change.number < changes && change.directory == directory; });
}

void lose_power(std::optional<uint64_t> seed) {
  Ledger& all = ledger();
  if (all.power_is_lost.exchange(true)) {
    while (true) ::pause();
  }
  all.changing.lock();  // for good
  MutexLock lock(all.mutex);
  SeededRandom random(seed.value_or(0));
  for (auto& [id, file] : all.files) file->lose(seed ? std::optional(random.next()) : std::nullopt);
  // A journal keeps the order of names: what stays is the older part.
  size_t stay = seed ? random.next() % (all.names.size() + 1) : 0;
  for (size_t i = all.names.size(); i-- > stay;) take_back(all.names[i]);
}

}  // namespace millrace::env
