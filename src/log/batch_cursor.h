#pragma once

#include <memory>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "codec/kafka_record/record_batch.h"
#include "env/file.h"
#include "log/segment_index.h"

namespace millrace::log {

/// A whole batch as it stands in a segment. The bytes are valid until the cursor moves.
struct StoredBatch {
  codec::kafka_record::BatchHeader header;
  std::string_view bytes;
  uint64_t position = 0;
};

/// Walks the batches of a segment in chunks. Threading: one thread.
class BatchCursor {
 public:
  /// From `position`, which must be the start of a batch, up to `limit`.
  BatchCursor(env::File& file, uint64_t position, uint64_t limit, size_t chunk_bytes = 1 << 20)
      : file_(&file), position_(position), limit_(limit), chunk_bytes_(chunk_bytes) {}

  /// nullopt at the limit. Errors: kOutOfRange (the batch passes the limit), kCorruption (header); the cursor stays where it is.
  Result<std::optional<StoredBatch>> next();
  /// Where the next batch starts.
  uint64_t position() const { return position_; }

 private:
  /// At least `size` bytes from position_ on in the buffer.
  Status fill(size_t size);

  env::File* file_;
  uint64_t position_;
  uint64_t limit_;
  size_t chunk_bytes_;
  std::unique_ptr<char[]> buffer_;
  size_t capacity_ = 0;
  uint64_t buffer_position_ = 0;  // in the file
  size_t buffer_size_ = 0;
};

/// What a segment holds up to its end or its first bad batch.
struct SegmentScan {
  SegmentIndex index;
  uint64_t file_bytes = 0;
  std::optional<Error> bad;  // why the batch at index.summary().bytes is not one
};

/// Reads on where `known` ends: headers, CRCs, and that each batch has the offset after the one before. The error is only for the
/// file system's; damage is in the result.
Result<SegmentScan> scan_segment(env::File& file, SegmentIndex known, int64_t written_ms);

/// The position of the first sound batch at or after `from` whose offset lies in (after, after + bytes left], nullopt without
/// one. Tells a torn tail (nothing follows) from damage in the middle.
Result<std::optional<uint64_t>> find_batch_after(env::File& file, uint64_t from, uint64_t file_bytes, model::Offset after);

}  // namespace millrace::log
