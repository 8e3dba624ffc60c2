#include "log/batch_cursor.h"

#include <algorithm>

#include "base/bytes.h"

namespace millrace::log {

using codec::kafka_record::BatchHeader;
using codec::kafka_record::kHeaderBytes;
using codec::kafka_record::kPrefixBytes;

namespace {
constexpr size_t kLengthPosition = 8;  // batchLength, after baseOffset
constexpr size_t kMagicPosition = 16;
}  // namespace

Status BatchCursor::fill(size_t size) {
  if (buffer_ && position_ >= buffer_position_ && position_ + size <= buffer_position_ + buffer_size_) return {};
  size_t wanted = static_cast<size_t>(std::min<uint64_t>(std::max(size, chunk_bytes_), limit_ - position_));
  if (wanted > capacity_) {
    buffer_ = std::make_unique_for_overwrite<char[]>(wanted);
    capacity_ = wanted;
  }
  buffer_position_ = position_;
  TRY(buffer_size_, file_->read_at(position_, buffer_.get(), wanted));
  if (buffer_size_ < size) return fail(Errc::kOutOfRange, "the file is shorter than it was");
  return {};
}

Result<std::optional<StoredBatch>> BatchCursor::next() {
  if (position_ == limit_) return std::optional<StoredBatch>();
  uint64_t left = limit_ - position_;
  if (left < kHeaderBytes) return fail(Errc::kOutOfRange, "the batch is cut off in its header");
  TRY_DO(fill(kHeaderBytes));
  const char* start = buffer_.get() + (position_ - buffer_position_);
  if (start[kMagicPosition] != 2) return fail(Errc::kCorruption, "there is no batch header");
  auto length = load_be<int32_t>(start + kLengthPosition);
  if (length < static_cast<int32_t>(kHeaderBytes - kPrefixBytes))
    return fail(Errc::kCorruption, "the length in the batch header is impossible");
  size_t total = kPrefixBytes + static_cast<size_t>(length);
  if (total > left) return fail(Errc::kOutOfRange, "the batch is cut off");
  TRY_DO(fill(total));

  StoredBatch batch;
  batch.bytes = std::string_view(buffer_.get() + (position_ - buffer_position_), total);
  batch.position = position_;
  TRY(batch.header, codec::kafka_record::read_header(batch.bytes));
  position_ += total;
  return std::optional(batch);
}

Result<SegmentScan> scan_segment(env::File& file, SegmentIndex known, int64_t written_ms) {
  TRY(uint64_t size, file.size());
  SegmentScan scan{std::move(known), size, std::nullopt};
  if (scan.index.summary().bytes > size) return fail(Errc::kInternal, "the index covers more than the segment has");
  BatchCursor cursor(file, scan.index.summary().bytes, size);
  while (true) {
    auto batch = cursor.next();
    if (!batch) {
      Errc code = batch.error().code;
      if (code != Errc::kOutOfRange && code != Errc::kCorruption) return fail(std::move(batch.error()));
      scan.bad = std::move(batch.error());
      return scan;
    }
    if (!*batch) return scan;
    const BatchHeader& header = (*batch)->header;
    model::Offset expected = scan.index.summary().next;
    if (header.base_offset != expected) {
      scan.bad = Error{Errc::kCorruption, "the batch has offset " + std::to_string(header.base_offset.value) + " where " +
                                              std::to_string(expected.value) + " belongs"};
      return scan;
    }
    if (auto crc = codec::kafka_record::check_crc(header, (*batch)->bytes); !crc) {
      scan.bad = std::move(crc.error());
      return scan;
    }
    scan.index.add(header, written_ms);
  }
}

Result<std::optional<uint64_t>> find_batch_after(env::File& file, uint64_t from, uint64_t file_bytes, model::Offset after) {
  constexpr size_t kWindow = 1 << 20;
  std::string window;
  for (uint64_t start = from; start + kHeaderBytes <= file_bytes;) {
    window.resize(static_cast<size_t>(std::min<uint64_t>(kWindow, file_bytes - start)));
    TRY(size_t size, file.read_at(start, window.data(), window.size()));
    if (size < kHeaderBytes) return std::optional<uint64_t>();
    for (size_t i = 0; i + kHeaderBytes <= size; ++i) {
      if (window[i + kMagicPosition] != 2) continue;
      auto offset = load_be<int64_t>(window.data() + i);
      // Each record takes more than one byte, which bounds what offset can follow.
      if (offset <= after.value || static_cast<uint64_t>(offset - after.value) > file_bytes - from) continue;
      BatchCursor cursor(file, start + i, file_bytes, kHeaderBytes);
      auto batch = cursor.next();
      if (batch && *batch && codec::kafka_record::check_crc((*batch)->header, (*batch)->bytes)) return std::optional(start + i);
    }
    start += size - kHeaderBytes + 1;
  }
  return std::optional<uint64_t>();
}

}  // namespace millrace::log
