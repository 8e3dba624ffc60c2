#include "log/topic.h"

#include <algorithm>

#include "base/bytes.h"
#include "base/check.h"
#include "log/partition.h"

namespace millrace::log {
namespace {

constexpr uint8_t kEntryFormat = 1;

void append_optional(std::string& out, std::optional<uint64_t> v) {
  out.push_back(v ? 1 : 0);
  if (v) append_varint(out, *v);
}

std::optional<uint64_t> read_optional(ByteReader& in) {
  if (in.le<uint8_t>() == 0) return std::nullopt;
  return in.varint();
}

}  // namespace

bool is_topic_name(std::string_view name) {
  if (name.empty() || name.size() > 249 || name == "." || name == "..") return false;
  return std::all_of(name.begin(), name.end(), [](char c) {
    return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' || c == '_' || c == '-';
  });
}

std::string encode_topic_entry(const TopicEntry& entry) {
  const TopicSettings& s = entry.settings;
  std::string out;
  out.push_back(static_cast<char>(kEntryFormat));
  out.push_back(static_cast<char>(entry.state));
  out.append(reinterpret_cast<const char*>(entry.id.bytes.data()), entry.id.bytes.size());
  append_varint(out, static_cast<uint64_t>(s.partitions));
  out.push_back(static_cast<char>(s.sync));
  append_varint(out, static_cast<uint64_t>(s.sync_interval_ms));
  out.push_back(static_cast<char>(s.compression));
  append_optional(out, s.retention_ms);
  append_optional(out, s.retention_bytes);
  append_sized(out, s.schema);
  append_sized(out, s.owner);
  return out;
}

Result<TopicEntry> decode_topic_entry(std::string_view bytes) {
  ByteReader in(bytes);
  uint8_t format = in.le<uint8_t>();
  if (in.ok() && format > kEntryFormat) {
    return fail(Errc::kFailedPrecondition,
                "a topic's catalog entry has format " + std::to_string(format) + ", newer than this version",
                "use the newer version of millrace");
  }
  TopicEntry entry;
  TopicSettings& s = entry.settings;
  uint8_t state = in.le<uint8_t>();
  std::string_view id = in.bytes(entry.id.bytes.size());
  uint64_t partitions = in.varint();
  uint8_t sync = in.le<uint8_t>();
  s.sync_interval_ms = static_cast<int64_t>(in.varint());
  uint8_t compression = in.le<uint8_t>();
  if (auto ms = read_optional(in)) s.retention_ms = static_cast<int64_t>(*ms);
  s.retention_bytes = read_optional(in);
  s.schema = in.sized();
  s.owner = in.sized();
  bool known = format == kEntryFormat && state <= 2 && partitions >= 1 && partitions <= kPartitionsMax && sync <= 2 &&
               compression <= 4 && s.sync_interval_ms >= 0 && s.retention_ms.value_or(0) >= 0;
  if (!in.ok() || !in.empty() || !known) return fail(Errc::kCorruption, "a topic's catalog entry does not decode");
  entry.state = static_cast<TopicEntry::State>(state);
  std::copy(id.begin(), id.end(), entry.id.bytes.begin());
  s.partitions = static_cast<int32_t>(partitions);
  s.sync = static_cast<SyncMode>(sync);
  s.compression = static_cast<Compression>(compression);
  return entry;
}

Topic::Topic(std::string name, model::TopicId id, TopicSettings settings, std::vector<std::shared_ptr<PartitionLog>> partitions)
    : name_(std::move(name)), id_(id), partitions_(std::move(partitions)), settings_(std::move(settings)) {}

PartitionLog& Topic::partition(model::Partition partition) const {
  CHECK(partition.value >= 0 && partition.value < partition_count(), "no such partition");
  return *partitions_[static_cast<size_t>(partition.value)];
}

TopicSettings Topic::settings() const {
  MutexLock lock(mutex_);
  return settings_;
}

uint64_t Topic::size_bytes() const {
  uint64_t bytes = 0;
  for (const auto& partition : partitions_) bytes += partition->size_bytes();
  return bytes;
}

}  // namespace millrace::log
