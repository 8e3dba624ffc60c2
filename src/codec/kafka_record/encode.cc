#include <algorithm>
#include <limits>

#include "codec/kafka_record/compression.h"
#include "codec/kafka_record/header_writer.h"
#include "codec/kafka_record/record_batch.h"
#include "codec/kafka_record/varint.h"

namespace millrace::codec::kafka_record {
namespace {

constexpr size_t kBatchBytesMax = std::numeric_limits<int32_t>::max();

using MaybeBytes = std::optional<std::string>;

size_t sized_bytes(std::string_view bytes) { return varint_size(static_cast<int64_t>(bytes.size())) + bytes.size(); }
size_t sized_bytes(const MaybeBytes& bytes) { return bytes ? sized_bytes(std::string_view(*bytes)) : 1; }

char* put_sized(char* p, std::string_view bytes) {
  p = put_varint(p, static_cast<int64_t>(bytes.size()));
  bytes.copy(p, bytes.size());
  return p + bytes.size();
}
char* put_sized(char* p, const MaybeBytes& bytes) { return bytes ? put_sized(p, std::string_view(*bytes)) : put_varint(p, -1); }

/// Timestamps may be anything, so their difference wraps, as in Java.
int64_t difference(int64_t a, int64_t b) { return static_cast<int64_t>(static_cast<uint64_t>(a) - static_cast<uint64_t>(b)); }

/// Bytes of a record behind its length.
size_t record_bytes(const model::Record& record, int64_t timestamp_delta, int64_t offset_delta) {
  size_t size = 1 + varint_size(timestamp_delta) + varint_size(offset_delta) + sized_bytes(record.key) +
                sized_bytes(record.value) + varint_size(static_cast<int64_t>(record.headers.size()));
  for (const auto& header : record.headers) size += sized_bytes(std::string_view(header.key)) + sized_bytes(header.value);
  return size;
}

char* put_record(char* p, const model::Record& record, int64_t timestamp_delta, int64_t offset_delta) {
  p = put_varint(p, static_cast<int64_t>(record_bytes(record, timestamp_delta, offset_delta)));
  *p++ = 0;  // attributes: none are defined
  p = put_varint(p, timestamp_delta);
  p = put_varint(p, offset_delta);
  p = put_sized(p, record.key);
  p = put_sized(p, record.value);
  p = put_varint(p, static_cast<int64_t>(record.headers.size()));
  for (const auto& header : record.headers) p = put_sized(put_sized(p, std::string_view(header.key)), header.value);
  return p;
}

/// An upper bound that needs no look at the numbers.
size_t record_bytes_bound(const model::Record& record) {
  constexpr size_t kNumbers = 5 + 1 + 10 + 5 + 5 + 5 + 5;  // length, attributes, timestamp, offset, key, value, header count
  size_t size = kNumbers + (record.key ? record.key->size() : 0) + (record.value ? record.value->size() : 0);
  for (const auto& header : record.headers) size += 10 + header.key.size() + (header.value ? header.value->size() : 0);
  return size;
}

tl::unexpected<Error> too_large() {
  return fail(Errc::kInvalidArgument, "a record batch would pass 2 GiB", "make smaller batches");
}

struct Plan {
  size_t bound = 0;
  int64_t base_timestamp_ms = 0;
  int64_t max_timestamp_ms = std::numeric_limits<int64_t>::min();
};

Result<Plan> plan_batch(std::span<const model::Record> records, int64_t now_ms) {
  Plan plan;
  plan.base_timestamp_ms = records[0].timestamp_ms.value_or(now_ms);
  for (const auto& record : records) {
    plan.bound += record_bytes_bound(record);
    if (plan.bound > kBatchBytesMax - kHeaderBytes) return too_large();
    plan.max_timestamp_ms = std::max(plan.max_timestamp_ms, record.timestamp_ms.value_or(now_ms));
  }
  return plan;
}

/// Puts the records at the end of `out`, behind `skip` bytes left free.
void put_records(std::span<const model::Record> records, const Plan& plan, int64_t now_ms, size_t skip, std::string& out) {
  out.resize(skip + plan.bound);
  char* p = out.data() + skip;
  for (size_t i = 0; i < records.size(); ++i) {
    int64_t timestamp_delta = difference(records[i].timestamp_ms.value_or(now_ms), plan.base_timestamp_ms);
    p = put_record(p, records[i], timestamp_delta, static_cast<int64_t>(i));
  }
  out.resize(static_cast<size_t>(p - out.data()));
}

}  // namespace

Result<std::string> encode_batch(std::span<const model::Record> records, const EncodeOptions& options) {
  if (records.empty()) return fail(Errc::kInvalidArgument, "a record batch has at least one record");
  TRY(Plan plan, plan_batch(records, options.now_ms));
  std::string batch;
  if (options.compression == Compression::kNone) {
    put_records(records, plan, options.now_ms, kHeaderBytes, batch);
  } else {
    std::string body;
    put_records(records, plan, options.now_ms, 0, body);
    batch.resize(kHeaderBytes);
    TRY_DO(compress(options.compression, body, batch));
  }
  if (batch.size() - kPrefixBytes > kBatchBytesMax) return too_large();

  BatchHeader header;
  header.base_offset = options.base_offset;
  header.batch_length = static_cast<int32_t>(batch.size() - kPrefixBytes);
  header.attributes = static_cast<int16_t>(options.compression);
  header.last_offset_delta = static_cast<int32_t>(records.size() - 1);
  header.base_timestamp_ms = plan.base_timestamp_ms;
  header.max_timestamp_ms = plan.max_timestamp_ms;
  header.record_count = static_cast<int32_t>(records.size());
  write_header(batch.data(), header);
  return batch;
}

}  // namespace millrace::codec::kafka_record
