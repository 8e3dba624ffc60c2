#include "stream/exec/position.h"

#include "base/bytes.h"

namespace millrace::stream {
namespace {

constexpr std::string_view kPrefix = "query/", kPrefixEnd = "query0", kSuffix = "/position";  // '0' is the character after '/'
constexpr uint8_t kFormat = 1;
constexpr uint64_t kPartitionsMax = 100'000;

// The order on disk; a new count is appended, and an old position simply lacks it.
constexpr uint64_t Balance::* kCounts[] = {&Balance::in,           &Balance::out,        &Balance::filtered, &Balance::absorbed,
                                           &Balance::dead,         &Balance::skipped,    &Balance::late,     &Balance::expired,
                                           &Balance::rows_written, &Balance::superseded, &Balance::lost};

}  // namespace

std::string position_key(std::string_view query) { return std::string(kPrefix) + std::string(query) + std::string(kSuffix); }

std::string intent_key(std::string_view query) { return std::string(kPrefix) + std::string(query) + "/intent"; }

Status each_position(store::Store& store,
                     const std::function<Status(std::string_view query, std::string_view position)>& on_position) {
  auto cursor = store.scan(store::Space::kMeta, kPrefix, kPrefixEnd);
  for (; cursor->valid(); cursor->next()) {
    std::string_view key = cursor->key();
    if (!key.ends_with(kSuffix)) continue;
    key.remove_prefix(kPrefix.size());
    key.remove_suffix(kSuffix.size());
    TRY_DO(on_position(key, cursor->value()));
  }
  return cursor->status();
}

std::string encode_position(const Position& position) {
  std::string out(1, static_cast<char>(kFormat));
  out.append(reinterpret_cast<const char*>(position.topic_id.bytes.data()), position.topic_id.bytes.size());
  append_varint(out, position.epoch);
  append_varint(out, position.partitions.size());
  for (const PartitionPosition& partition : position.partitions) {
    append_varint(out, static_cast<uint64_t>(partition.next.value));
    append_varint(out, partition.version);
  }
  append_varint(out, std::size(kCounts));
  for (auto count : kCounts) append_varint(out, position.balance.*count);
  return out;
}

Result<Position> decode_position(std::string_view bytes) {
  ByteReader in(bytes);
  if (auto format = in.le<uint8_t>(); format != kFormat) {
    return fail(format > kFormat ? Errc::kFailedPrecondition : Errc::kCorruption,
                "a query position has format " + std::to_string(format) + "; this version reads format 1");
  }
  Position position;
  std::string_view id = in.bytes(16);
  if (id.size() == 16) std::memcpy(position.topic_id.bytes.data(), id.data(), 16);
  position.epoch = in.varint();
  uint64_t partitions = in.varint();
  for (uint64_t i = 0; in.ok() && i < partitions && i < kPartitionsMax; ++i) {
    PartitionPosition partition;
    partition.next = model::Offset(static_cast<int64_t>(in.varint()));
    partition.version = in.varint();
    position.partitions.push_back(partition);
  }
  uint64_t counts = in.varint();
  for (uint64_t i = 0; in.ok() && i < counts && i < std::size(kCounts); ++i) position.balance.*kCounts[i] = in.varint();
  if (!in.ok() || !in.empty()) return fail(Errc::kCorruption, "a query position is cut short or too long");
  return position;
}

}  // namespace millrace::stream
