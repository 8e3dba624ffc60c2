#include "env/fault_file_system.h"

#include <fmt/format.h>

#include <algorithm>
#include <set>

#include "env/random.h"

namespace millrace::env {

struct FaultFileSystem::Node {
  bool is_directory = false;

  // A file: what readers see, and what the disk holds of each sector that changed since the last sync (zeros beyond its size).
  std::string content;
  std::map<uint64_t, std::string> disk_sectors;
  uint64_t disk_size = 0;
  bool sync_failed = false;  // what changed until now never becomes durable

  // A directory.
  std::map<std::string, NodePtr> entries;
  std::map<std::string, NodePtr> disk_entries;

  void write(uint64_t position, std::string_view bytes) {
    keep_disk_sectors(position, position + bytes.size());
    if (content.size() < position + bytes.size()) content.resize(position + bytes.size());
    bytes.copy(content.data() + position, bytes.size());
  }
  void truncate(uint64_t size) {
    keep_disk_sectors(size, content.size());
    content.resize(size);
  }
  void sync() {
    if (sync_failed) return;
    disk_sectors.clear();
    disk_size = content.size();
  }
  void lose_power(Random& random);

 private:
  /// To be called before the bytes [from, to) change.
  void keep_disk_sectors(uint64_t from, uint64_t to) {
    for (uint64_t sector = from / kSectorBytes; sector * kSectorBytes < to; ++sector) {
      if (disk_sectors.contains(sector)) continue;
      std::string old = sector * kSectorBytes < content.size() ? content.substr(sector * kSectorBytes, kSectorBytes) : "";
      old.resize(kSectorBytes);
      disk_sectors.emplace(sector, std::move(old));
    }
  }
  uint64_t size_after_power_loss(Random& random) const {
    switch (random.next() % 3) {
      case 0: return disk_size;
      case 1: return content.size();
      default: return content.size() <= disk_size ? disk_size : disk_size + random.next() % (content.size() - disk_size);
    }
  }
};

void FaultFileSystem::Node::lose_power(Random& random) {
  const uint64_t seen_size = content.size();
  const uint64_t size = size_after_power_loss(random);
  uint64_t room = std::max({seen_size, disk_size, size});
  if (!disk_sectors.empty()) room = std::max(room, (disk_sectors.rbegin()->first + 1) * kSectorBytes);
  content.resize(room);
  for (const auto& [sector, old] : disk_sectors) {
    const uint64_t start = sector * kSectorBytes;
    uint64_t kept = 0;  // bytes of the new content that reached the disk
    switch (random.next() % 3) {
      case 0: kept = kSectorBytes; break;
      case 1: break;
      default: kept = random.next() % kSectorBytes;
    }
    // Cutting a file does not write its bytes: if the cut is lost, they are all there.
    if (start + kept > seen_size) kept = seen_size > start ? seen_size - start : 0;
    std::copy(old.begin() + static_cast<ptrdiff_t>(kept), old.end(), content.begin() + static_cast<ptrdiff_t>(start + kept));
  }
  content.resize(size);
  disk_size = size;
  disk_sectors.clear();
  sync_failed = false;
}

namespace {

tl::unexpected<Error> no_entry(const std::string& path) { return fail(Errc::kNotFound, path + ": no such file or directory"); }

std::vector<std::string> split(const std::string& path) {
  std::vector<std::string> names;
  size_t start = 0;
  while (start <= path.size()) {
    size_t end = std::min(path.find('/', start), path.size());
    std::string name = path.substr(start, end - start);
    if (!name.empty() && name != ".") names.push_back(std::move(name));
    start = end + 1;
  }
  return names;
}

}  // namespace

void FaultFileSystem::enter(const Change& change, std::map<std::string, NodePtr> Node::* entries) {
  for (const Entry& entry : change) {
    if (entry.node == nullptr) {
      (entry.directory.get()->*entries).erase(entry.name);
    } else {
      (entry.directory.get()->*entries)[entry.name] = entry.node;
    }
  }
}

class FaultFileSystem::OpenFile : public File {
 public:
  OpenFile(FaultFileSystem& fs, NodePtr node, std::string path, bool writable, uint64_t boot)
      : fs_(fs), node_(std::move(node)), path_(std::move(path)), writable_(writable), boot_(boot) {}

  Result<size_t> read_at(uint64_t position, char* out, size_t size) override {
    MutexLock lock(fs_.mutex_);
    TRY_DO(fs_.pass(Call::kRead, path_));
    TRY_DO(still_open());
    if (position >= node_->content.size()) return size_t{0};
    return node_->content.copy(out, size, position);
  }

  Status write_at(uint64_t position, std::string_view bytes) override {
    MutexLock lock(fs_.mutex_);
    auto failure = fs_.take(Call::kWrite);
    TRY_DO(still_writable());
    if (failure && *failure == Failure::kShort) node_->write(position, bytes.substr(0, bytes.size() / 2));
    if (failure) return fs_.fail_with(*failure, path_);
    uint64_t end = position + bytes.size();
    if (end > node_->content.size() && fs_.capacity_ && fs_.used_bytes() + end - node_->content.size() > *fs_.capacity_) {
      return fs_.fail_with(Failure::kNoSpace, path_);
    }
    node_->write(position, bytes);
    return {};
  }

  Status sync() override {
    MutexLock lock(fs_.mutex_);
    auto failure = fs_.take(Call::kSync);
    TRY_DO(still_open());
    if (failure) {
      node_->sync_failed = true;
      return fs_.fail_with(*failure, path_);
    }
    node_->sync();
    return {};
  }

  Status truncate(uint64_t size) override {
    MutexLock lock(fs_.mutex_);
    TRY_DO(fs_.pass(Call::kTruncate, path_));
    TRY_DO(still_writable());
    node_->truncate(size);
    return {};
  }

  Result<uint64_t> size() override {
    MutexLock lock(fs_.mutex_);
    TRY_DO(still_open());
    return static_cast<uint64_t>(node_->content.size());
  }

 private:
  Status still_open() const REQUIRES(fs_.mutex_) {
    if (boot_ != fs_.boots_) return fail(Errc::kIo, path_ + ": the power was lost since it was opened");
    return {};
  }
  Status still_writable() const REQUIRES(fs_.mutex_) {
    TRY_DO(still_open());
    if (!writable_) return fail(Errc::kIo, path_ + ": open for reading only");
    return {};
  }

  FaultFileSystem& fs_;
  const NodePtr node_;
  const std::string path_;
  const bool writable_;
  const uint64_t boot_;
};

FaultFileSystem::FaultFileSystem() : root_(std::make_shared<Node>()) { root_->is_directory = true; }
FaultFileSystem::~FaultFileSystem() = default;

void FaultFileSystem::lose_power(uint64_t seed) {
  MutexLock lock(mutex_);
  lose_power_locked(seed);
}

void FaultFileSystem::lose_power_locked(uint64_t seed) {
  SeededRandom random(seed);
  ++boots_;
  for (const Change& change : unsynced_) {
    if (random.next() % 2 == 0) continue;
    enter(change, &Node::disk_entries);
  }
  unsynced_.clear();
  std::set<Node*> seen;  // a name whose removal was lost can stand beside its newer name
  std::vector<NodePtr> left = {root_};
  while (!left.empty()) {
    NodePtr node = std::move(left.back());
    left.pop_back();
    if (!seen.insert(node.get()).second) continue;
    if (!node->is_directory) {
      node->lose_power(random);
      continue;
    }
    node->entries = node->disk_entries;
    for (const auto& [name, child] : node->entries) left.push_back(child);
  }
}

void FaultFileSystem::fail_call(Call call, uint64_t n, Failure failure) {
  MutexLock lock(mutex_);
  auto kind = static_cast<size_t>(call);
  planned_[kind].push_back({calls_[kind] + n, failure});
}

uint64_t FaultFileSystem::calls(Call call) const {
  MutexLock lock(mutex_);
  return calls_[static_cast<size_t>(call)];
}

void FaultFileSystem::set_free_bytes(uint64_t bytes) {
  MutexLock lock(mutex_);
  capacity_ = used_bytes() + bytes;
}

std::optional<FaultFileSystem::Failure> FaultFileSystem::take(Call call) {
  auto kind = static_cast<size_t>(call);
  uint64_t now = ++calls_[kind];
  auto& planned = planned_[kind];
  auto found = std::ranges::find(planned, now, &Planned::at);
  if (found == planned.end()) return std::nullopt;
  Failure failure = found->failure;
  planned.erase(found);
  return failure;
}

Status FaultFileSystem::pass(Call call, const std::string& path) {
  if (auto failure = take(call)) return fail_with(*failure, path);
  return {};
}

Status FaultFileSystem::fail_with(Failure failure, const std::string& path) {
  if (failure == Failure::kNoSpace) return fail(Errc::kDiskFull, path + ": no space left on device");
  if (failure == Failure::kPowerLoss) {
    uint64_t seed = 0;
    for (uint64_t count : calls_) seed += count;
    lose_power_locked(seed);
  }
  return fail(Errc::kIo, path + ": input/output error");
}

uint64_t FaultFileSystem::used_bytes() const {
  uint64_t used = 0;
  std::vector<const Node*> left = {root_.get()};
  while (!left.empty()) {
    const Node* node = left.back();
    left.pop_back();
    used += node->content.size();
    for (const auto& [name, child] : node->entries) left.push_back(child.get());
  }
  return used;
}

Result<FaultFileSystem::Place> FaultFileSystem::find(const std::string& path) const {
  Place place{nullptr, "", root_};
  for (auto& name : split(path)) {
    if (place.node == nullptr || !place.node->is_directory) return no_entry(path);
    place.directory = std::move(place.node);
    auto entry = place.directory->entries.find(name);
    place.node = entry == place.directory->entries.end() ? nullptr : entry->second;
    place.name = std::move(name);
  }
  return place;
}

Result<FaultFileSystem::NodePtr> FaultFileSystem::find_directory(const std::string& path) const {
  TRY(Place place, find(path));
  if (place.node == nullptr || !place.node->is_directory) return no_entry(path);
  return place.node;
}

void FaultFileSystem::apply(Change change) {
  enter(change, &Node::entries);
  unsynced_.push_back(std::move(change));
}

Result<std::unique_ptr<File>> FaultFileSystem::open(const std::string& path, OpenMode mode) {
  MutexLock lock(mutex_);
  TRY_DO(pass(Call::kOpen, path));
  TRY(Place place, find(path));
  if (place.node != nullptr && place.node->is_directory) return fail(Errc::kIo, path + ": is a directory");
  if (place.node == nullptr && mode == OpenMode::kRead) return no_entry(path);
  if (place.node != nullptr && mode == OpenMode::kCreate) return fail(Errc::kAlreadyExists, path + ": file exists");
  if (place.node == nullptr) {
    place.node = std::make_shared<Node>();
    apply({{place.directory, place.name, place.node}});
  }
  return std::make_unique<OpenFile>(*this, place.node, path, mode != OpenMode::kRead, boots_);
}

Status FaultFileSystem::create_directories(const std::string& path) {
  MutexLock lock(mutex_);
  NodePtr directory = root_;
  for (const auto& name : split(path)) {
    auto entry = directory->entries.find(name);
    if (entry != directory->entries.end()) {
      if (!entry->second->is_directory) return fail(Errc::kIo, path + ": " + name + " is not a directory");
      directory = entry->second;
      continue;
    }
    auto made = std::make_shared<Node>();
    made->is_directory = true;
    apply({{directory, name, made}});
    directory = made;
  }
  return {};
}

Result<std::vector<std::string>> FaultFileSystem::list(const std::string& path) {
  MutexLock lock(mutex_);
  TRY(NodePtr directory, find_directory(path));
  std::vector<std::string> names;
  for (const auto& [name, node] : directory->entries) names.push_back(name);
  return names;
}

Status FaultFileSystem::remove(const std::string& path) {
  MutexLock lock(mutex_);
  TRY_DO(pass(Call::kRemove, path));
  TRY(Place place, find(path));
  if (place.node == nullptr) return no_entry(path);
  if (place.directory == nullptr || !place.node->entries.empty()) return fail(Errc::kIo, path + ": directory not empty");
  apply({{place.directory, place.name, nullptr}});
  return {};
}

Status FaultFileSystem::rename(const std::string& from, const std::string& to) {
  MutexLock lock(mutex_);
  TRY_DO(pass(Call::kRename, from));
  TRY(Place source, find(from));
  TRY(Place target, find(to));
  if (source.node == nullptr) return no_entry(from);
  if (source.directory == nullptr || target.directory == nullptr) return fail(Errc::kIo, "the root stays where it is");
  if (source.node == target.node) return {};
  if (target.node != nullptr && (target.node->is_directory != source.node->is_directory || !target.node->entries.empty())) {
    return fail(Errc::kIo, to + ": in the way");
  }
  apply({{source.directory, source.name, nullptr}, {target.directory, target.name, source.node}});
  return {};
}

Status FaultFileSystem::sync_directory(const std::string& path) {
  MutexLock lock(mutex_);
  TRY_DO(pass(Call::kSyncDirectory, path));
  TRY(NodePtr directory, find_directory(path));
  // A change of two directories is one transaction of the file system: syncing either keeps both halves.
  std::erase_if(unsynced_, [&](const Change& change) {
    if (std::ranges::find(change, directory, &Entry::directory) == change.end()) return false;
    enter(change, &Node::disk_entries);
    return true;
  });
  return {};
}

Result<bool> FaultFileSystem::exists(const std::string& path) {
  MutexLock lock(mutex_);
  auto place = find(path);
  return place && place->node != nullptr;
}

Result<DiskSpace> FaultFileSystem::space(const std::string&) {
  MutexLock lock(mutex_);
  uint64_t total = capacity_.value_or(uint64_t{1} << 40);
  return DiskSpace{total - std::min(used_bytes(), total), total};
}

}  // namespace millrace::env
