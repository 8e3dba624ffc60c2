#include "log/segment_index.h"

#include <algorithm>
#include <cstring>

#include "base/bytes.h"

namespace millrace::log {
namespace {

using codec::kafka_record::crc32c;

constexpr std::string_view kMagic = "MRIX";
constexpr uint16_t kFormat = 1;

tl::unexpected<Error> wrong(const char* what) { return fail(Errc::kCorruption, std::string("index: ") + what); }

struct Front {
  SegmentSummary summary;
  uint32_t count = 0;
};

Result<Front> decode_front(std::string_view bytes) {
  if (bytes.size() < SegmentIndex::kHeaderBytes) return wrong("too short");
  ByteReader in(bytes);
  if (in.bytes(kMagic.size()) != kMagic) return wrong("not an index");
  uint16_t format = in.le<uint16_t>();
  if (format > kFormat) {
    return fail(Errc::kFailedPrecondition, "index: format " + std::to_string(format) + " is newer than this version");
  }
  if (format != kFormat || in.le<uint16_t>() != 0) return wrong("unknown format");
  Front front;
  front.summary.base = model::Offset(in.le<int64_t>());
  front.summary.next = model::Offset(in.le<int64_t>());
  int64_t size = in.le<int64_t>();
  front.summary.bytes = static_cast<uint64_t>(size);
  front.summary.max_timestamp_ms = in.le<int64_t>();
  front.summary.written_ms = in.le<int64_t>();
  front.count = in.le<uint32_t>();
  uint32_t crc = in.le<uint32_t>();
  if (crc != crc32c(bytes.substr(0, SegmentIndex::kHeaderBytes - sizeof crc))) return wrong("the CRC of its header is wrong");
  if (size < 0 || front.summary.base.value < 0 || front.summary.next < front.summary.base) return wrong("impossible numbers");
  return front;
}

}  // namespace

SegmentIndex::SegmentIndex(model::Offset base, uint64_t interval_bytes) : interval_bytes_(interval_bytes) {
  summary_.base = summary_.next = base;
}

void SegmentIndex::add(const codec::kafka_record::BatchHeader& header, int64_t written_ms) {
  if (summary_.bytes >= next_entry_at_) {
    entries_.push_back({header.base_offset, summary_.bytes, summary_.max_timestamp_ms});
    next_entry_at_ = summary_.bytes + interval_bytes_;
  }
  summary_.bytes += header.total_bytes();
  summary_.next = header.last_offset() + 1;
  if (header.record_count > 0) summary_.max_timestamp_ms = std::max(summary_.max_timestamp_ms, header.max_timestamp_ms);
  summary_.written_ms = written_ms;
}

SegmentIndex::Entry SegmentIndex::find(model::Offset offset) const {
  auto after =
      std::upper_bound(entries_.begin(), entries_.end(), offset, [](model::Offset o, const Entry& e) { return o < e.offset; });
  return after == entries_.begin() ? Entry{summary_.base} : *std::prev(after);
}

SegmentIndex::Entry SegmentIndex::find_time(int64_t timestamp_ms) const {
  auto after = std::partition_point(entries_.begin(), entries_.end(),
                                    [&](const Entry& e) { return e.max_timestamp_before_ms < timestamp_ms; });
  return after == entries_.begin() ? Entry{summary_.base} : *std::prev(after);
}

std::string SegmentIndex::encode() const {
  std::string out;
  out.reserve(kHeaderBytes + entries_.size() * kEntryBytes + sizeof(uint32_t));
  out.append(kMagic);
  append_le(out, kFormat);
  append_le(out, uint16_t{0});
  append_le(out, summary_.base.value);
  append_le(out, summary_.next.value);
  append_le(out, static_cast<int64_t>(summary_.bytes));
  append_le(out, summary_.max_timestamp_ms);
  append_le(out, summary_.written_ms);
  append_le(out, static_cast<uint32_t>(entries_.size()));
  append_le(out, crc32c(out));
  for (const Entry& e : entries_) {
    append_le(out, e.offset.value);
    append_le(out, static_cast<int64_t>(e.position));
    append_le(out, e.max_timestamp_before_ms);
  }
  append_le(out, crc32c(std::string_view(out).substr(kHeaderBytes)));
  return out;
}

Result<SegmentSummary> SegmentIndex::decode_summary(std::string_view bytes) {
  TRY(Front front, decode_front(bytes));
  return front.summary;
}

Result<SegmentIndex> SegmentIndex::decode(std::string_view bytes, uint64_t interval_bytes) {
  TRY(Front front, decode_front(bytes));
  std::string_view body = bytes.substr(kHeaderBytes);
  if (body.size() != front.count * kEntryBytes + sizeof(uint32_t)) return wrong("its length is wrong");
  std::string_view entries = body.substr(0, body.size() - sizeof(uint32_t));
  if (load_le<uint32_t>(body.data() + entries.size()) != crc32c(entries)) return wrong("the CRC of its entries is wrong");

  SegmentIndex index(front.summary.base, interval_bytes);
  index.entries_.reserve(front.count);
  ByteReader in(entries);
  for (uint32_t i = 0; i < front.count; ++i) {
    Entry e;
    e.offset = model::Offset(in.le<int64_t>());
    int64_t position = in.le<int64_t>();
    e.position = static_cast<uint64_t>(position);
    e.max_timestamp_before_ms = in.le<int64_t>();
    bool rises = i == 0 ? e.offset == front.summary.base && position == 0
                        : e.offset > index.entries_.back().offset && e.position > index.entries_.back().position &&
                              e.max_timestamp_before_ms >= index.entries_.back().max_timestamp_before_ms;
    if (!rises || e.offset >= front.summary.next || position < 0 || e.position >= front.summary.bytes)
      return wrong("entries out of order");
    index.entries_.push_back(e);
  }
  index.summary_ = front.summary;
  if (front.count > 0) index.next_entry_at_ = index.entries_.back().position + interval_bytes;
  return index;
}

}  // namespace millrace::log
