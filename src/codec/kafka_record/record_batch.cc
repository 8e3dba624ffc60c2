#include "codec/kafka_record/record_batch.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <limits>

#include "base/bytes.h"
#include "codec/kafka_record/header_writer.h"

// Offsets into a batch (docs/formats/record_batch.md).
namespace millrace::codec::kafka_record {
namespace {

constexpr size_t kLeaderEpochAt = 12;
constexpr size_t kCrcAt = 17;
constexpr size_t kAttributesAt = 21;  // what the CRC covers begins here

constexpr std::array<std::string_view, 5> kCompressionNames = {"none", "gzip", "snappy", "lz4", "zstd"};

tl::unexpected<Error> bad_header(std::string_view why) {
  return fail(Errc::kCorruption, fmt::format("record batch header: {}", why));
}

Status check_fields(const BatchHeader& h) {
  if (h.magic != 2) return bad_header(fmt::format("magic {} is not 2", h.magic));
  if (h.base_offset.value < 0) return bad_header("negative base offset");
  if (h.record_count < 0) return bad_header("negative record count");
  if (h.last_offset_delta < 0) return bad_header("negative last offset delta");
  if (h.base_offset.value > std::numeric_limits<int64_t>::max() - h.last_offset_delta - 1) return bad_header("offsets pass 2^63");
  if ((h.attributes & 7) >= static_cast<int>(kCompressionNames.size())) return bad_header("unknown compression");
  return {};
}

}  // namespace

std::optional<Compression> parse_compression(std::string_view name) {
  const auto* found = std::ranges::find(kCompressionNames, name);
  if (found == kCompressionNames.end()) return std::nullopt;
  return static_cast<Compression>(found - kCompressionNames.begin());
}

std::string_view compression_name(Compression compression) {
  auto index = static_cast<size_t>(compression);
  return index < kCompressionNames.size() ? kCompressionNames[index] : "unknown";
}

Result<BatchHeader> read_header(std::string_view bytes) {
  ByteReader reader(bytes);
  BatchHeader h;
  h.base_offset = model::Offset(reader.be<int64_t>());
  h.batch_length = reader.be<int32_t>();
  if (!reader.ok()) return fail(Errc::kOutOfRange, "record batch cut short");
  if (h.batch_length < static_cast<int32_t>(kHeaderBytes - kPrefixBytes)) {
    return bad_header(fmt::format("length {} is less than a header's", h.batch_length));
  }
  // A wrong magic is told also where the batch is cut: it may be what makes the length senseless.
  constexpr size_t kMagicAt = 16;
  if (bytes.size() > kMagicAt && bytes[kMagicAt] != 2) return bad_header(fmt::format("magic {} is not 2", bytes[kMagicAt] + 0));
  if (bytes.size() < h.total_bytes()) {
    return fail(Errc::kOutOfRange, fmt::format("record batch cut short: {} of {} bytes", bytes.size(), h.total_bytes()));
  }
  h.leader_epoch = reader.be<int32_t>();
  h.magic = reader.be<int8_t>();
  h.crc = reader.be<uint32_t>();
  h.attributes = reader.be<int16_t>();
  h.last_offset_delta = reader.be<int32_t>();
  h.base_timestamp_ms = reader.be<int64_t>();
  h.max_timestamp_ms = reader.be<int64_t>();
  h.producer_id = reader.be<int64_t>();
  h.producer_epoch = reader.be<int16_t>();
  h.base_sequence = reader.be<int32_t>();
  h.record_count = reader.be<int32_t>();
  TRY_DO(check_fields(h));
  return h;
}

Status check_crc(const BatchHeader& header, std::string_view batch) {
  if (batch.size() != header.total_bytes()) return bad_header("the batch is not as long as it says");
  uint32_t crc = crc32c(batch.substr(kAttributesAt));
  if (crc == header.crc) return {};
  return fail(Errc::kCorruption, fmt::format("record batch at offset {}: CRC-32C is {:08x}, the header says {:08x}",
                                             header.base_offset.value, crc, header.crc));
}

void set_base_offset(char* batch, model::Offset base_offset, int32_t leader_epoch) {
  store_be(batch, base_offset.value);
  store_be(batch + kLeaderEpochAt, leader_epoch);
}

void write_header(char* batch, const BatchHeader& h) {
  set_base_offset(batch, h.base_offset, h.leader_epoch);
  store_be(batch + 8, h.batch_length);
  store_be(batch + 16, h.magic);
  store_be(batch + kAttributesAt, h.attributes);
  store_be(batch + 23, h.last_offset_delta);
  store_be(batch + 27, h.base_timestamp_ms);
  store_be(batch + 35, h.max_timestamp_ms);
  store_be(batch + 43, h.producer_id);
  store_be(batch + 51, h.producer_epoch);
  store_be(batch + 53, h.base_sequence);
  store_be(batch + 57, h.record_count);
  store_be(batch + kCrcAt, crc32c({batch + kAttributesAt, h.total_bytes() - kAttributesAt}));
}

}  // namespace millrace::codec::kafka_record
