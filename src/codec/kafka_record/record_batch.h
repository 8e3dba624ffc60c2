#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "model/record.h"

/// Kafka's record batch, magic 2 (KIP-98; kafka.apache.org/documentation/#recordbatch): pure bytes, nothing is trusted.
namespace millrace::codec::kafka_record {

enum class Compression : uint8_t { kNone = 0, kGzip = 1, kSnappy = 2, kLz4 = 3, kZstd = 4 };

/// none, gzip, snappy, lz4, zstd; nullopt for another word.
std::optional<Compression> parse_compression(std::string_view name);
std::string_view compression_name(Compression compression);

inline constexpr size_t kHeaderBytes = 61;
/// baseOffset and batchLength: what must be read to know where the next batch starts.
inline constexpr size_t kPrefixBytes = 12;

struct BatchHeader {
  model::Offset base_offset;
  int32_t batch_length = 0;  // bytes after this field
  int32_t leader_epoch = 0;
  int8_t magic = 2;
  uint32_t crc = 0;  // CRC-32C from attributes to the end
  int16_t attributes = 0;
  int32_t last_offset_delta = 0;
  int64_t base_timestamp_ms = 0;
  int64_t max_timestamp_ms = 0;
  int64_t producer_id = -1;
  int16_t producer_epoch = -1;
  int32_t base_sequence = -1;
  int32_t record_count = 0;

  size_t total_bytes() const { return kPrefixBytes + static_cast<size_t>(batch_length); }
  Compression compression() const { return static_cast<Compression>(attributes & 7); }
  bool is_control() const { return (attributes & 0x20) != 0; }
  bool is_transactional() const { return (attributes & 0x10) != 0; }
  bool is_log_append_time() const { return (attributes & 0x08) != 0; }
  model::Offset last_offset() const { return base_offset + last_offset_delta; }
};

struct EncodeOptions {
  Compression compression = Compression::kNone;
  model::Offset base_offset{0};
  /// For records that carry no timestamp.
  int64_t now_ms = 0;
};

/// One batch of all the records, at least one. Errors: kInvalidArgument when the batch would pass 2 GiB.
Result<std::string> encode_batch(std::span<const model::Record> records, const EncodeOptions& options);

/// The header at the front of `bytes`, which may hold more. Errors: kOutOfRange when `bytes` is too short to tell or to hold the
/// whole batch (a torn tail), kCorruption when the header cannot be right (magic, length below the header's, negative counts).
Result<BatchHeader> read_header(std::string_view bytes);

/// Whether the CRC of a whole batch holds. `batch` is exactly header.total_bytes() long.
Status check_crc(const BatchHeader& header, std::string_view batch);

/// Gives a batch its place: baseOffset and leader epoch, which lie outside of the CRC.
void set_base_offset(char* batch, model::Offset base_offset, int32_t leader_epoch);

struct DecodeLimits {
  size_t decompressed_bytes_max = 256 << 20;
};

/// Appends the records of one whole batch (CRC already checked or not wanted) to `out` as views into `batch`, or into a buffer
/// that is appended to `owners` when the batch is compressed (with 64 readable bytes after its end). Control batches add none.
/// Errors: kCorruption (count and content differ, lengths pass the end, negative lengths, trailing bytes), kResourceExhausted (a
/// compression bomb). On error `out` is as before.
Status decode_records(const BatchHeader& header, std::string_view batch, const DecodeLimits& limits,
                      std::vector<model::RecordView>& out, std::vector<std::shared_ptr<const void>>& owners);

/// The headers of a record, from RecordView::raw_headers.
Result<std::vector<model::Header>> decode_headers(std::string_view raw_headers);

/// CRC-32C (Castagnoli), as in RFC 3720; `crc` continues an earlier value.
uint32_t crc32c(std::string_view bytes, uint32_t crc = 0);

/// Kafka's hash of keys (Utils.murmur2).
int32_t murmur2(std::string_view key);

/// Kafka's default partitioner for keyed records: murmur2(key) & 0x7fffffff mod partitions (BuiltInPartitioner, Utils.murmur2).
int32_t partition_of_key(std::string_view key, int32_t partitions);

}  // namespace millrace::codec::kafka_record
