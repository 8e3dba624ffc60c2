#include <algorithm>

#include <fmt/format.h>

#include "log/partition.h"

namespace millrace::log {

Result<PartitionImage> PartitionLog::image(std::optional<model::Offset> committed_end) {
  MutexLock lock(mutex_);
  if (reads_refused_) return fail(*refusal_);
  PartitionImage image;
  image.start = sealed_.empty() ? index_.summary().base : sealed_.front().base;
  image.end = index_.summary().next;
  if (!settings_.owner.empty()) image.end = std::max(committed_end.value_or(image.start), image.start);
  if (image.end > index_.summary().next) {
    return fail(Errc::kDataLoss, fmt::format("{}: query {} has committed output up to offset {}, but {} ends at {}", where(),
                                             settings_.owner, image.end.value, place_.dir, index_.summary().next.value));
  }
  std::vector<SegmentSummary> segments = sealed_;
  segments.push_back(index_.summary());
  for (const SegmentSummary& segment : segments) {
    bool first = image.segments.empty();
    if (!first && segment.base >= image.end) break;
    PartitionImage::Segment piece{segment_path(segment.base, "log"), segment.bytes};
    if (image.end < segment.next && segment.base == index_.summary().base) {
      TRY(piece.bytes, position_of(*file_, index_, image.end));
    } else if (image.end < segment.next) {
      TRY(OpenSegment open, open_sealed(segment));
      TRY(piece.bytes, position_of(*open.file, *open.index, image.end));
    }
    image.segments.push_back(std::move(piece));
  }
  return image;
}

}  // namespace millrace::log
