#include "log/partition_state.h"

#include <algorithm>

#include "base/bytes.h"
#include "codec/kafka_record/record_batch.h"

namespace millrace::log {
namespace {

using codec::kafka_record::crc32c;

constexpr std::string_view kMagic = "MRPS";
constexpr uint16_t kFormat = 1;
constexpr size_t kFrontBytes = 32;
constexpr size_t kSlotBytes = 20;
// A sector each, so that a torn write of one leaves the other.
constexpr size_t kSlotPosition[2] = {512, 1024};

std::string encode_slot(uint64_t sequence, model::Offset flushed) {
  std::string out;
  append_le(out, sequence);
  append_le(out, flushed.value);
  append_le(out, crc32c(out));
  return out;
}

struct Slot {
  uint64_t sequence;
  model::Offset flushed;
};

std::optional<Slot> decode_slot(std::string_view file, size_t position) {
  if (file.size() < position + kSlotBytes) return std::nullopt;
  std::string_view bytes = file.substr(position, kSlotBytes);
  Slot slot{load_le<uint64_t>(bytes.data()), model::Offset(load_le<int64_t>(bytes.data() + 8))};
  bool right = load_le<uint32_t>(bytes.data() + 16) == crc32c(bytes.substr(0, 16)) && slot.flushed.value >= 0;
  return right ? std::optional(slot) : std::nullopt;
}

}  // namespace

Status PartitionState::create(env::FileSystem& files, const std::string& path, const model::TopicId& id,
                              model::Partition partition) {
  std::string bytes(kMagic);
  append_le(bytes, kFormat);
  append_le(bytes, uint16_t{0});
  bytes.append(reinterpret_cast<const char*>(id.bytes.data()), id.bytes.size());
  append_le(bytes, partition.value);
  append_le(bytes, crc32c(bytes));
  bytes.resize(kSlotPosition[1]);
  bytes += encode_slot(1, model::Offset(0));
  return env::write_file_atomically(files, path, bytes);
}

Result<std::unique_ptr<PartitionState>> PartitionState::open(env::FileSystem& files, const std::string& path, bool read_only) {
  auto state = std::make_unique<PartitionState>();
  TRY(bool exists, files.exists(path));
  if (!exists) return fail(Errc::kNotFound, path + " does not exist");
  TRY(state->file_, files.open(path, read_only ? env::OpenMode::kRead : env::OpenMode::kWrite));
  std::string bytes(kSlotPosition[1] + kSlotBytes, '\0');
  TRY(size_t size, state->file_->read_at(0, bytes.data(), bytes.size()));
  bytes.resize(size);

  ByteReader in(bytes);
  if (in.bytes(kMagic.size()) != kMagic) return fail(Errc::kCorruption, path + " is not the state of a partition");
  uint16_t format = in.le<uint16_t>();
  if (format > kFormat) {
    return fail(Errc::kFailedPrecondition, path + " has format " + std::to_string(format) + ", newer than this version",
                "use the newer version of millrace");
  }
  in.le<uint16_t>();
  std::string_view id = in.bytes(state->topic_id_.bytes.size());
  state->partition_ = model::Partition(in.le<int32_t>());
  uint32_t crc = in.le<uint32_t>();
  if (!in.ok() || format != kFormat || crc != crc32c(std::string_view(bytes).substr(0, kFrontBytes - sizeof crc))) {
    return fail(Errc::kCorruption, path + " is damaged");
  }
  std::copy(id.begin(), id.end(), state->topic_id_.bytes.begin());
  for (size_t position : kSlotPosition) {
    std::optional<Slot> slot = decode_slot(bytes, position);
    if (!slot || slot->sequence < state->sequence_) continue;
    state->sequence_ = slot->sequence;
    state->flushed_ = slot->flushed;
  }
  return state;
}

Status PartitionState::set_flushed(model::Offset offset) {
  ++sequence_;
  TRY_DO(file_->write_at(kSlotPosition[sequence_ % 2], encode_slot(sequence_, offset)));
  flushed_ = offset;
  return {};
}

}  // namespace millrace::log
