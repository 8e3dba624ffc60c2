#include <algorithm>

#include <fmt/format.h>

#include "base/log.h"
#include "env/fault.h"
#include "log/partition.h"

namespace millrace::log {
namespace {

/// How old a segment is, by its newest record; a timestamp from the future does not keep it for ever.
int64_t newest_ms(const SegmentSummary& segment) { return std::min(segment.max_timestamp_ms, segment.written_ms); }

}  // namespace

Result<uint64_t> PartitionLog::enforce_retention(int64_t now_ms, std::optional<model::Offset> floor) {
  MutexLock lock(mutex_);
  if (refusal_) return fail(*refusal_);
  std::optional<int64_t> oldest_kept_ms;
  if (settings_.retention_ms) oldest_kept_ms = now_ms - *settings_.retention_ms;
  // A topic that went quiet ages out as well: its last segment becomes one that can go.
  if (oldest_kept_ms && index_.summary().bytes > 0 && newest_ms(index_.summary()) < *oldest_kept_ms) TRY_DO(roll());

  uint64_t bytes = index_.summary().bytes;
  for (const SegmentSummary& segment : sealed_) bytes += segment.bytes;
  model::Offset keep_from = std::min(floor.value_or(visible_end()), visible_end());
  uint64_t freed = 0;
  while (!sealed_.empty()) {
    SegmentSummary first = sealed_.front();
    bool too_old = oldest_kept_ms && newest_ms(first) < *oldest_kept_ms;
    bool too_much = settings_.retention_bytes && bytes - first.bytes >= *settings_.retention_bytes;
    if ((!too_old && !too_much) || first.next > keep_from) break;
    TRY_DO(env::fault("log.retention"));
    TRY_DO(delete_first_segment());
    bytes -= first.bytes;
    freed += first.bytes;
  }
  return freed;
}

Status PartitionLog::truncate() {
  MutexLock lock(mutex_);
  if (refusal_) return fail(*refusal_);
  if (index_.summary().bytes > 0) TRY_DO(roll());
  while (!sealed_.empty()) TRY_DO(delete_first_segment());
  if (!settings_.owner.empty()) committed_ = index_.summary().base;
  signal_waiters();
  return {};
}

Status PartitionLog::delete_first_segment() {
  model::Offset base = sealed_.front().base;
  // Readers that have the file open read on. No longer in the list first: nobody opens it again.
  sealed_.erase(sealed_.begin());
  return remove_segment(base);
}

}  // namespace millrace::log
