#include <algorithm>

#include <fmt/format.h>

#include "base/log.h"
#include "env/fault.h"
#include "log/batch_cursor.h"
#include "log/partition.h"

// What is on disk when a partition is opened, and what that says:
//
// - Every segment but the last was synced before the next one was made, so damage there is corruption.
// - In the last one, everything below the flushed offset in `partition.state` was synced. Damage there is corruption, too. From
// there on,
//   nobody was told that a record is durable, and what was not synced may be there in any order: the log ends before the first
//   batch that is not whole.
// - An empty last segment behind another one is a roll that got no further.
namespace millrace::log {

namespace {

constexpr size_t kNameDigits = 20;

std::optional<model::Offset> segment_base(std::string_view name, std::string_view suffix) {
  if (name.size() != kNameDigits + suffix.size() || !name.ends_with(suffix)) return std::nullopt;
  int64_t base = 0;
  for (char c : name.substr(0, kNameDigits)) {
    if (c < '0' || c > '9' || __builtin_mul_overflow(base, 10, &base) || __builtin_add_overflow(base, c - '0', &base))
      return std::nullopt;
  }
  return model::Offset(base);
}

}  // namespace

Status PartitionLog::create(env::FileSystem& files, const Place& place) {
  TRY_DO(files.create_directories(place.dir));
  TRY(auto first, files.open(fmt::format("{}/{:020}.log", place.dir, 0), env::OpenMode::kWrite));
  // Last, because it syncs the directory: who finds it finds a whole partition.
  return PartitionState::create(files, place.dir + "/partition.state", place.topic_id, place.partition);
}

Result<std::shared_ptr<PartitionLog>> PartitionLog::open(env::Env env, Place place, const TopicSettings& settings,
                                                         const Options& options, Flusher& flusher,
                                                         std::optional<model::Offset> committed_end) {
  std::shared_ptr<PartitionLog> partition(new PartitionLog(env, std::move(place), settings, options, flusher));
  MutexLock lock(partition->mutex_);
  TRY_DO(partition->recover(committed_end));
  partition->flushed_seen_ = partition->flushed_.value;
  if (options.read_only) partition->refusal_ = Error{Errc::kFailedPrecondition, "the log is open for reading only"};
  return partition;
}

Status PartitionLog::recover(std::optional<model::Offset> committed_end) {
  TRY(state_, PartitionState::open(env_.files, place_.dir + "/partition.state", options_.read_only));
  if (state_->topic_id() != place_.topic_id || state_->partition() != place_.partition) {
    return fail(Errc::kCorruption, place_.dir + " belongs to another topic than the catalog says");
  }
  TRY(std::vector<model::Offset> bases, list_segments());
  if (bases.empty()) return fail(Errc::kDataLoss, place_.dir + " has no segment");
  while (bases.size() > 1) {
    TRY(auto last, env_.files.open(segment_path(bases.back(), "log"), env::OpenMode::kRead));
    TRY(uint64_t size, last->size());
    if (size > 0) break;
    if (!options_.read_only) TRY_DO(remove_segment(bases.back()));
    bases.pop_back();
  }
  for (size_t i = 0; i + 1 < bases.size(); ++i) TRY_DO(load_sealed(bases[i], bases[i + 1]));
  TRY_DO(load_last(bases.back()));
  return show_committed(committed_end);
}

Result<std::vector<model::Offset>> PartitionLog::list_segments() {
  TRY(std::vector<std::string> names, env_.files.list(place_.dir));
  std::vector<model::Offset> bases;
  for (const std::string& name : names) {
    if (auto base = segment_base(name, ".log")) bases.push_back(*base);
  }
  for (const std::string& name : names) {
    auto base = segment_base(name, ".index");
    bool left_over = name.ends_with(".tmp") || (base && !std::binary_search(bases.begin(), bases.end(), *base));
    if (left_over && !options_.read_only) TRY_DO(env_.files.remove(place_.dir + "/" + name));
  }
  return bases;
}

std::optional<SegmentIndex> PartitionLog::read_index(model::Offset base) {
  std::string path = segment_path(base, "index");
  auto exists = env_.files.exists(path);
  if (!exists || !*exists) return std::nullopt;
  auto bytes = env::read_file(env_.files, path, 256 << 20);
  if (!bytes) return std::nullopt;
  auto index = SegmentIndex::decode(*bytes, options_.index_interval_bytes);
  if (!index || index->summary().base != base) {
    log_warn("log", path + " is not right and is made again from the segment");
    return std::nullopt;
  }
  return std::move(*index);
}

Status PartitionLog::load_sealed(model::Offset base, model::Offset next_base) {
  std::string path = segment_path(base, "log");
  TRY(auto file, env_.files.open(path, env::OpenMode::kRead));
  TRY(uint64_t size, file->size());
  if (auto index = env_.files.open(segment_path(base, "index"), env::OpenMode::kRead)) {
    char front[SegmentIndex::kHeaderBytes];
    auto read = (*index)->read_at(0, front, sizeof front);
    auto summary = SegmentIndex::decode_summary({front, read.value_or(0)});
    if (summary && summary->base == base && summary->next == next_base && summary->bytes == size) {
      sealed_.push_back(*summary);
      return {};
    }
  }
  TRY(SegmentScan scan, scan_segment(*file, SegmentIndex(base, options_.index_interval_bytes), to_millis(env_.clock.now())));
  const SegmentSummary& summary = scan.index.summary();
  if (scan.bad) return fail(damaged(path, summary.bytes, *scan.bad));
  if (summary.next != next_base) {
    return fail(Errc::kCorruption,
                fmt::format("{} ends at offset {}, but the next segment starts at {}", path, summary.next.value, next_base.value),
                "restore the missing file from a backup");
  }
  if (!options_.read_only) write_index(scan.index);
  sealed_.push_back(summary);
  return {};
}

Status PartitionLog::load_last(model::Offset base) {
  TRY_DO(env::fault("log.recovery"));
  std::string path = segment_path(base, "log");
  TRY(file_, env_.files.open(path, options_.read_only ? env::OpenMode::kRead : env::OpenMode::kWrite));
  TRY(uint64_t size, file_->size());
  std::optional<SegmentIndex> known = read_index(base);
  if (known && known->summary().bytes > size) known.reset();
  if (!known && !options_.read_only) TRY_DO(remove_index(base));
  indexed_bytes_ = known ? known->summary().bytes : 0;
  bool clean = known && known->summary().bytes == size;
  if (!known) known.emplace(base, options_.index_interval_bytes);
  TRY(SegmentScan scan, scan_segment(*file_, std::move(*known), to_millis(env_.clock.now())));

  const SegmentSummary& found = scan.index.summary();
  model::Offset durable = state_->flushed().value_or(base);
  if (durable > found.next) {
    Error why = scan.bad.value_or(Error{Errc::kCorruption, "the file ends here"});
    why.message += fmt::format(", but records up to offset {} were durable", durable.value);
    return fail(damaged(path, found.bytes, why));
  }
  if (scan.bad) {
    log_warn("log", fmt::format("the torn tail of {} is {}: {} bytes from position {} (offset {}): {}", path,
                                options_.read_only ? "left out" : "cut", scan.file_bytes - found.bytes, found.bytes,
                                found.next.value, scan.bad->message));
  }
  if (!options_.read_only) {
    if (scan.bad) {
      TRY_DO(file_->truncate(found.bytes));
      TRY_DO(env::fault("log.after_cut"));
    }
    // What only the page cache holds would otherwise be shown as durable.
    if (!clean) TRY_DO(file_->sync());
    if (state_->flushed() != found.next) {
      TRY_DO(state_->set_flushed(found.next));
      TRY_DO(state_->sync());
    }
  }
  index_ = std::move(scan.index);
  flushed_ = index_.summary().next;
  return {};
}

Status PartitionLog::show_committed(std::optional<model::Offset> committed_end) {
  if (settings_.owner.empty()) return {};
  model::Offset start = sealed_.empty() ? index_.summary().base : sealed_.front().base;
  committed_ = std::max(committed_end.value_or(start), start);
  if (committed_ > index_.summary().next) {
    return fail(Errc::kDataLoss, fmt::format("{}: query {} has committed output up to offset {}, but {} ends at {}", where(),
                                             settings_.owner, committed_.value, place_.dir, index_.summary().next.value));
  }
  if (options_.read_only || committed_ == index_.summary().next) return {};
  log_info("log", fmt::format("{}: output from offset {} to {} was not committed and is made again", where(), committed_.value,
                              index_.summary().next.value));
  return cut_locked(committed_);
}

Status PartitionLog::cut_to(model::Offset offset) {
  MutexLock lock(mutex_);
  if (refusal_) return fail(*refusal_);
  TRY_DO(cut_locked(offset));
  committed_ = std::min(committed_, offset);
  return {};
}

Status PartitionLog::cut_locked(model::Offset offset) {
  if (offset >= index_.summary().next) return {};
  TRY_DO(check_boundary(offset));
  ++cuts_;
  // Before the bytes go, or a crash in between would leave a log that is shorter than what is said to be durable.
  TRY_DO(state_->set_flushed(offset));
  TRY_DO(state_->sync());
  while (offset < index_.summary().base) {
    TRY_DO(remove_segment(index_.summary().base));
    model::Offset base = sealed_.back().base;
    sealed_.pop_back();
    TRY_DO(load_last(base));
    TRY_DO(state_->set_flushed(offset));
    TRY_DO(state_->sync());
  }
  TRY(uint64_t position, position_of(*file_, index_, offset));
  model::Offset base = index_.summary().base;
  TRY_DO(remove_index(base));
  TRY_DO(env_.files.sync_directory(place_.dir));
  TRY_DO(file_->truncate(position));
  TRY_DO(env::fault("log.after_cut"));
  TRY_DO(file_->sync());
  TRY(SegmentScan scan, scan_segment(*file_, SegmentIndex(base, options_.index_interval_bytes), to_millis(env_.clock.now())));
  index_ = std::move(scan.index);
  indexed_bytes_ = 0;
  flushed_ = index_.summary().next;
  flushed_seen_ = flushed_.value;
  MutexLock lock(sealed_mutex_);
  sealed_open_ = {};  // may be of a segment that has just gone
  return {};
}

Status PartitionLog::check_boundary(model::Offset offset) {
  model::Offset start = sealed_.empty() ? index_.summary().base : sealed_.front().base;
  if (offset < start)
    return fail(Errc::kOutOfRange, fmt::format("{}: cannot cut at {}, before its start {}", where(), offset.value, start.value));
  if (offset >= index_.summary().base) {
    TRY_DO(position_of(*file_, index_, offset));
    return {};
  }
  auto after = std::upper_bound(sealed_.begin(), sealed_.end(), offset,
                                [](model::Offset o, const SegmentSummary& s) { return o < s.base; });
  TRY(OpenSegment segment, open_sealed(*std::prev(after)));
  TRY_DO(position_of(*segment.file, *segment.index, offset));
  return {};
}

Result<uint64_t> PartitionLog::position_of(env::File& file, const SegmentIndex& index, model::Offset offset) {
  BatchCursor cursor(file, index.find(offset).position, index.summary().bytes);
  while (true) {
    uint64_t position = cursor.position();
    auto batch = cursor.next();
    if (!batch) return fail(damaged(segment_path(index.summary().base, "log"), position, batch.error()));
    if (!*batch || (*batch)->header.base_offset == offset) return position;
    if ((*batch)->header.last_offset() >= offset) {
      return fail(Errc::kFailedPrecondition, fmt::format("{}: offset {} lies within a batch", where(), offset.value));
    }
  }
}

Status PartitionLog::remove_index(model::Offset base) {
  std::string path = segment_path(base, "index");
  TRY(bool exists, env_.files.exists(path));
  return exists ? env_.files.remove(path) : Status();
}

Status PartitionLog::remove_segment(model::Offset base) {
  TRY_DO(env_.files.remove(segment_path(base, "log")));
  // Before the next one goes: no crash may leave a hole between segments.
  TRY_DO(env_.files.sync_directory(place_.dir));
  return remove_index(base);
}

}  // namespace millrace::log
