#include "log/catalog.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "log/partition_state.h"

namespace millrace::log {
namespace {

constexpr std::string_view kPrefix = "topic/";
constexpr std::string_view kPrefixEnd = "topic0";  // '0' is the character after '/'

/// `<topic>` of a directory name `<topic>-<partition>`; empty when it is no such name.
std::string_view topic_of_directory(std::string_view name) {
  size_t dash = name.rfind('-');
  if (dash == std::string_view::npos || dash + 1 == name.size()) return {};
  bool numbered = std::ranges::all_of(name.substr(dash + 1), [](char c) { return c >= '0' && c <= '9'; });
  std::string_view topic = name.substr(0, dash);
  return numbered && is_topic_name(topic) ? topic : std::string_view();
}

}  // namespace

std::string catalog_key(std::string_view topic) { return std::string(kPrefix) + std::string(topic); }

Result<Catalog> read_catalog(store::Store& store) {
  Catalog catalog;
  auto cursor = store.scan(store::Space::kMeta, kPrefix, kPrefixEnd);
  for (; cursor->valid(); cursor->next()) {
    std::string name(cursor->key().substr(kPrefix.size()));
    auto entry = decode_topic_entry(cursor->value());
    if (!entry) return fail(at("topic " + name, std::move(entry.error())));
    catalog.emplace(std::move(name), std::move(*entry));
  }
  TRY_DO(cursor->status());
  return catalog;
}

Result<bool> has_records(env::FileSystem& files, const std::string& partition_dir) {
  auto names = files.list(partition_dir);
  if (!names) {
    // With the slash, a file of that name does not exist.
    TRY(bool directory, files.exists(partition_dir + "/"));
    if (directory && names.error().code != Errc::kNotFound) return fail(std::move(names.error()));
    return false;
  }
  for (const std::string& name : *names) {
    if (!name.ends_with(".log")) continue;
    TRY(auto segment, files.open(partition_dir + "/" + name, env::OpenMode::kRead));
    TRY(uint64_t size, segment->size());
    if (size > 0) return true;
  }
  return false;
}

Result<bool> topic_has_records(env::FileSystem& files, const std::string& dir, std::string_view topic, const TopicEntry& entry) {
  for (int32_t i = 0; i < entry.settings.partitions; ++i) {
    TRY(bool records, has_records(files, fmt::format("{}/{}-{}", dir, topic, i)));
    if (records) return true;
  }
  return false;
}

Status check_files(env::FileSystem& files, const std::string& dir, std::string_view topic, const TopicEntry& entry) {
  for (int32_t i = 0; i < entry.settings.partitions; ++i) {
    std::string partition = fmt::format("{}/{}-{}", dir, topic, i);
    TRY(bool records, has_records(files, partition));
    if (!records) continue;
    auto state = PartitionState::open(files, partition + "/partition.state", true);
    if (state && (*state)->topic_id() == entry.id) continue;
    // A drop that was cut short may have taken the state first.
    if (!state && state.error().code == Errc::kNotFound && entry.state == TopicEntry::State::kDropping) continue;
    return fail(lost_by_catalog({partition}));
  }
  return {};
}

Result<std::vector<std::string>> find_strays(env::FileSystem& files, const std::string& dir, const Catalog& catalog) {
  std::vector<std::string> strays;
  auto names = files.list(dir);
  if (!names && names.error().code == Errc::kNotFound) return strays;
  if (!names) return fail(std::move(names.error()));
  std::set<std::string> known;
  for (const auto& [topic, entry] : catalog) {
    for (int32_t i = 0; i < entry.settings.partitions; ++i) known.insert(fmt::format("{}-{}", topic, i));
  }
  for (const std::string& name : *names) {
    if (topic_of_directory(name).empty() || known.contains(name)) continue;
    std::string path = dir + "/" + name;
    TRY(bool records, has_records(files, path));
    if (records) strays.push_back(std::move(path));
  }
  return strays;
}

Status check_name_is_free(env::FileSystem& files, const std::string& dir, std::string_view topic) {
  TRY(std::vector<std::string> names, files.list(dir));
  for (const std::string& name : names) {
    if (topic_of_directory(name) != topic) continue;
    std::string path = dir + "/" + name;
    TRY(bool records, has_records(files, path));
    if (records) return fail(lost_by_catalog({path}));
  }
  return {};
}

Error lost_by_catalog(const std::vector<std::string>& strays) {
  constexpr size_t kNamed = 5;
  std::string list = fmt::format("{}", fmt::join(strays.begin(), strays.begin() + std::min(strays.size(), kNamed), ", "));
  if (strays.size() > kNamed) list += fmt::format(" and {} more", strays.size() - kNamed);
  return {Errc::kDataLoss, fmt::format("records of no topic in the catalog stand in {}", list),
          fmt::format("the catalog in store/ has lost them: restore store/ from a backup, or move {} away to start without "
                      "these records",
                      list)};
}

}  // namespace millrace::log
