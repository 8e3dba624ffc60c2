#include <fmt/format.h>

#include <algorithm>

#include "base/bytes.h"
#include "codec/kafka_record/compression.h"
#include "codec/kafka_record/record_batch.h"
#include "codec/kafka_record/varint.h"

namespace millrace::codec::kafka_record {

const char* read_long_varint(const char* p, const char* end, int64_t& out) {
  ByteReader reader(std::string_view(p, static_cast<size_t>(end - p)));
  out = reader.zigzag();
  return reader.ok() ? end - reader.left() : nullptr;
}

namespace {

/// Length, attributes, timestamp, offset, key, value, header count: no record is smaller.
constexpr size_t kRecordBytesMin = 7;

using MaybeView = std::optional<std::string_view>;

/// A length, then that many bytes; -1 stands for null. Null when they pass `end`.
const char* read_sized(const char* p, const char* end, MaybeView& out) {
  int64_t size = 0;
  p = read_varint(p, end, size);
  if (p == nullptr || size > end - p || size < -1) return nullptr;
  if (size == -1) {
    out.reset();
    return p;
  }
  out.emplace(p, static_cast<size_t>(size));
  return p + size;
}

/// Calls on_header(key, value) for each; false when they do not end exactly at `end`.
template <class OnHeader>
bool walk_headers(const char* p, const char* end, OnHeader&& on_header) {
  int64_t count = 0;
  p = read_varint(p, end, count);
  // Two lengths are the least a header takes.
  if (p == nullptr || count < 0 || count > (end - p) / 2) return false;
  for (; count > 0; --count) {
    MaybeView key, value;
    p = read_sized(p, end, key);
    if (p == nullptr || !key) return false;
    p = read_sized(p, end, value);
    if (p == nullptr) return false;
    on_header(*key, value);
  }
  return p == end;
}

/// Reads records one after another out of the record part of a batch.
class RecordReader {
 public:
  RecordReader(const BatchHeader& header, std::string_view body)
      : header_(header), p_(body.data()), end_(body.data() + body.size()), log_append_time_(header.is_log_append_time()) {}

  /// Null, or what is wrong with the record.
  const char* next(model::RecordView& out) {
    int64_t length = 0;
    const char* p = read_varint(p_, end_, length);
    if (p == nullptr || length < 0 || length > end_ - p) return "its length passes the end";
    const char* end = p + length;
    if (p == end) return "it has no bytes";
    ++p;  // attributes: none are defined
    int64_t timestamp_delta = 0, offset_delta = 0;
    p = read_varint(p, end, timestamp_delta);
    if (p != nullptr) p = read_varint(p, end, offset_delta);
    if (p == nullptr) return "its numbers pass its end";
    if (offset_delta <= last_delta_ || offset_delta > header_.last_offset_delta) return "its offset is out of order";
    p = read_sized(p, end, out.key);
    if (p != nullptr) p = read_sized(p, end, out.value);
    if (p == nullptr) return "its key or value passes its end";
    // Most records have no headers: one byte that says so.
    if ((end - p != 1 || *p != 0) && !walk_headers(p, end, [](auto&&...) {})) return "its headers are wrong";
    out.raw_headers = {p, static_cast<size_t>(end - p)};
    out.offset = header_.base_offset + offset_delta;
    out.timestamp_ms = log_append_time_ ? header_.max_timestamp_ms : sum(header_.base_timestamp_ms, timestamp_delta);
    last_delta_ = offset_delta;
    p_ = end;
    return nullptr;
  }
  bool at_end() const { return p_ == end_; }

 private:
  static int64_t sum(int64_t a, int64_t b) { return static_cast<int64_t>(static_cast<uint64_t>(a) + static_cast<uint64_t>(b)); }

  const BatchHeader& header_;
  const char* p_;
  const char* const end_;
  const bool log_append_time_;
  int64_t last_delta_ = -1;
};

tl::unexpected<Error> bad_batch(const BatchHeader& header, std::string_view why) {
  return fail(Errc::kCorruption, fmt::format("record batch at offset {}: {}", header.base_offset.value, why));
}

Status read_records(const BatchHeader& header, std::string_view body, std::vector<model::RecordView>& out) {
  const size_t start = out.size(), count = static_cast<size_t>(header.record_count);
  if (count > body.size() / kRecordBytesMin) return bad_batch(header, "it cannot hold as many records as it says");
  if (out.capacity() < start + count) out.reserve(std::max(start + count, 2 * out.capacity()));
  RecordReader reader(header, body);
  for (size_t i = 0; i < count; ++i) {
    if (const char* why = reader.next(out.emplace_back()); why != nullptr) {
      out.resize(start);
      return bad_batch(header, fmt::format("record {}: {}", i, why));
    }
  }
  if (!reader.at_end()) {
    out.resize(start);
    return bad_batch(header, "bytes follow the last record");
  }
  return {};
}

}  // namespace

Status decode_records(const BatchHeader& header, std::string_view batch, const DecodeLimits& limits,
                      std::vector<model::RecordView>& out, std::vector<std::shared_ptr<const void>>& owners) {
  if (batch.size() < kHeaderBytes || batch.size() != header.total_bytes())
    return bad_batch(header, "it is not as long as it says");
  if (header.record_count < 0) return bad_batch(header, "negative record count");
  if (header.is_control()) return {};
  std::string_view body = batch.substr(kHeaderBytes);
  // Compaction keeps an emptied batch as its header alone, whatever its compression.
  if (body.empty() && header.record_count == 0) return {};
  if (header.compression() == Compression::kNone) return read_records(header, body, out);

  auto unpacked = std::make_shared<Unpacked>(limits.decompressed_bytes_max);
  if (auto done = decompress(header.compression(), body, *unpacked); !done) {
    return fail(at(fmt::format("record batch at offset {}", header.base_offset.value), std::move(done.error())));
  }
  unpacked->finish();
  TRY_DO(read_records(header, unpacked->view(), out));
  owners.push_back(std::move(unpacked));
  return {};
}

Result<std::vector<model::Header>> decode_headers(std::string_view raw_headers) {
  std::vector<model::Header> headers;
  bool whole =
      walk_headers(raw_headers.data(), raw_headers.data() + raw_headers.size(), [&](std::string_view key, MaybeView value) {
        headers.push_back({std::string(key), value ? std::optional<std::string>(*value) : std::nullopt});
      });
  if (!whole) return fail(Errc::kCorruption, "record headers are wrong");
  return headers;
}

}  // namespace millrace::codec::kafka_record
