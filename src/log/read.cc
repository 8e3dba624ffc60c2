#include <algorithm>
#include <cstring>

#include <fmt/format.h>

#include "base/bytes.h"
#include "log/batch_cursor.h"
#include "log/partition.h"

namespace millrace::log {

namespace kafka_record = codec::kafka_record;
using kafka_record::BatchHeader;

namespace {

// simdjson reads this far past a value's end.
constexpr size_t kReadableAfter = 64;

/// Part of a segment in memory, and what decompressing its batches took.
struct Chunk {
  std::unique_ptr<char[]> bytes;
  size_t size = 0;
  std::vector<std::shared_ptr<const void>> decompressed;

  std::string_view view() const { return {bytes.get(), size}; }
};

Result<Chunk> read_chunk(env::File& file, uint64_t position, size_t size) {
  Chunk chunk;
  chunk.bytes = std::make_unique_for_overwrite<char[]>(size + kReadableAfter);
  TRY(chunk.size, file.read_at(position, chunk.bytes.get(), size));
  std::memset(chunk.bytes.get() + chunk.size, 0, kReadableAfter);
  return chunk;
}

struct Located {
  BatchHeader header;
  std::string_view bytes;
};

/// The batches that make up a run: from the one that holds `from`, up to the visible end, a record limit, or the last whole one.
struct Selection {
  std::vector<Located> batches;
  size_t records = 0;
  uint64_t needs = 0;  // when there is none: how long the chunk must be to hold the first
  std::optional<Error> bad;
  size_t bad_at = 0;
};

Selection select(std::string_view chunk, model::Offset from, model::Offset visible_end, size_t records_max) {
  Selection out;
  size_t at = 0;
  while (at < chunk.size() && out.records < records_max) {
    auto header = kafka_record::read_header(chunk.substr(at));
    if (!header && header.error().code == Errc::kOutOfRange) {
      out.needs = chunk.size() - at < kafka_record::kHeaderBytes
                      ? at + kafka_record::kHeaderBytes
                      : at + kafka_record::kPrefixBytes + static_cast<size_t>(load_be<int32_t>(chunk.data() + at + 8));
      break;
    }
    if (!header) {
      out.bad = std::move(header.error());
      out.bad_at = at;
      break;
    }
    if (header->base_offset >= visible_end) break;
    std::string_view bytes = chunk.substr(at, header->total_bytes());
    at += bytes.size();
    if (header->last_offset() < from) continue;
    out.batches.push_back({*header, bytes});
    out.records += static_cast<size_t>(header->record_count);
  }
  return out;
}

/// Drops what lies before `from` (a batch is stored whole) and beyond the limit.
void trim(model::RecordRun& run, model::Offset from, size_t records_max) {
  auto& records = run.records;
  auto first = std::find_if(records.begin(), records.end(), [&](const model::RecordView& r) { return r.offset >= from; });
  records.erase(records.begin(), first);
  if (records.size() <= records_max) return;
  run.next = records[records_max].offset;
  records.resize(records_max);
}

}  // namespace

Error PartitionLog::damaged(const std::string& path, uint64_t position, const Error& why) const {
  return {Errc::kCorruption, fmt::format("{} is damaged at position {}: {}", path, position, why.message),
          "run `millrace verify`, and restore the file from a backup"};
}

Error PartitionLog::gone(model::Offset from, model::Offset start) const {
  return {Errc::kOutOfRange,
          fmt::format("{} starts at offset {}: the {} records from offset {} on were deleted, by retention or by hand", where(),
                      start.value, start - from, from.value),
          "go on from what is kept"};
}

Result<PartitionLog::OpenSegment> PartitionLog::open_sealed(const SegmentSummary& segment) {
  MutexLock lock(sealed_mutex_);
  // A cut and new appends can leave another segment with the same base.
  if (sealed_open_.index && sealed_open_.index->summary() == segment) return sealed_open_;
  std::string path = segment_path(segment.base, "log");
  OpenSegment opened;
  TRY(opened.file, env_.files.open(path, env::OpenMode::kRead));
  std::optional<SegmentIndex> index = read_index(segment.base);
  if (!index || index->summary() != segment) {
    TRY(SegmentScan scan,
        scan_segment(*opened.file, SegmentIndex(segment.base, options_.index_interval_bytes), segment.written_ms));
    if (scan.bad) return fail(damaged(path, scan.index.summary().bytes, *scan.bad));
    index = std::move(scan.index);
    if (!options_.read_only) write_index(*index);
  }
  opened.index = std::make_shared<const SegmentIndex>(std::move(*index));
  sealed_open_ = opened;
  return opened;
}

Result<PartitionLog::ReadPlan> PartitionLog::plan_read(model::Offset from) {
  ReadPlan plan;
  SegmentSummary segment;
  {
    MutexLock lock(mutex_);
    if (reads_refused_) return fail(*refusal_);
    model::Offset start = sealed_.empty() ? index_.summary().base : sealed_.front().base;
    plan.visible_end = visible_end();
    if (from < start) return fail(gone(from, start));
    if (from > plan.visible_end) {
      return fail(Errc::kOutOfRange, fmt::format("{} has offsets {} to {} (exclusive), not {}", where(), start.value,
                                                 plan.visible_end.value, from.value));
    }
    if (from >= index_.summary().base) {
      plan.file = file_;
      plan.path = segment_path(index_.summary().base, "log");
      plan.position = index_.find(from).position;
      plan.limit = index_.summary().bytes;
      return plan;
    }
    segment = *std::prev(std::upper_bound(sealed_.begin(), sealed_.end(), from,
                                          [](model::Offset o, const SegmentSummary& s) { return o < s.base; }));
  }
  auto opened = open_sealed(segment);
  if (!opened) {
    // Retention may have taken it since.
    model::Offset start = start_offset();
    if (from < start) return fail(gone(from, start));
    return fail(std::move(opened.error()));
  }
  plan.file = opened->file;
  plan.path = segment_path(segment.base, "log");
  plan.position = opened->index->find(from).position;
  plan.limit = segment.bytes;
  return plan;
}

Result<model::RecordRun> PartitionLog::read(model::Offset from, size_t bytes_max, size_t records_max) {
  TRY(ReadPlan plan, plan_read(from));
  model::RecordRun run;
  run.partition = place_.partition;
  run.next = from;
  if (from == plan.visible_end || records_max == 0) return run;

  uint64_t left = plan.limit - plan.position;
  auto chunk = std::make_shared<Chunk>();
  Selection selection;
  for (uint64_t size = std::max<uint64_t>(bytes_max, kafka_record::kHeaderBytes); selection.batches.empty();
       size = selection.needs) {
    size = std::min(size, left);
    TRY(*chunk, read_chunk(*plan.file, plan.position, static_cast<size_t>(size)));
    selection = select(chunk->view(), from, plan.visible_end, records_max);
    if (!selection.batches.empty()) break;
    if (selection.bad) return fail(damaged(plan.path, plan.position + selection.bad_at, *selection.bad));
    if (size == left) {
      return fail(damaged(plan.path, plan.position, {Errc::kCorruption, "the segment is shorter than its index says"}));
    }
    if (selection.needs <= size) selection.needs = size * 2;  // only whole batches before `from` were in it
  }

  run.records.reserve(selection.records);
  for (const Located& batch : selection.batches) {
    uint64_t position = plan.position + static_cast<uint64_t>(batch.bytes.data() - chunk->bytes.get());
    Status good = kafka_record::check_crc(batch.header, batch.bytes);
    if (good) good = kafka_record::decode_records(batch.header, batch.bytes, {}, run.records, chunk->decompressed);
    if (!good) return fail(damaged(plan.path, position, good.error()));
  }
  run.next = std::min(selection.batches.back().header.last_offset() + 1, plan.visible_end);
  run.owner = std::move(chunk);
  trim(run, from, records_max);
  return run;
}

Result<model::Offset> PartitionLog::offset_for_time(int64_t timestamp_ms) {
  std::vector<SegmentSummary> sealed;
  std::shared_ptr<env::File> file;
  std::optional<SegmentIndex> last;
  model::Offset end;
  {
    MutexLock lock(mutex_);
    if (reads_refused_) return fail(*refusal_);
    end = visible_end();
    sealed = sealed_;
    file = file_;
    if (index_.summary().max_timestamp_ms >= timestamp_ms) last = index_;
  }
  for (const SegmentSummary& segment : sealed) {
    if (segment.max_timestamp_ms < timestamp_ms) continue;
    TRY(OpenSegment opened, open_sealed(segment));
    TRY(model::Offset found, find_time(*opened.file, *opened.index, timestamp_ms));
    return std::min(found, end);
  }
  if (!last) return end;
  TRY(model::Offset found, find_time(*file, *last, timestamp_ms));
  return std::min(found, end);
}

Result<model::Offset> PartitionLog::find_time(env::File& file, const SegmentIndex& index, int64_t timestamp_ms) {
  BatchCursor cursor(file, index.find_time(timestamp_ms).position, index.summary().bytes);
  std::string path = segment_path(index.summary().base, "log");
  while (true) {
    uint64_t position = cursor.position();
    auto batch = cursor.next();
    if (!batch) return fail(damaged(path, position, batch.error()));
    if (!*batch) return index.summary().next;
    const BatchHeader& header = (*batch)->header;
    if (header.max_timestamp_ms < timestamp_ms || header.record_count == 0) continue;
    std::vector<model::RecordView> records;
    std::vector<std::shared_ptr<const void>> owners;
    Status good = kafka_record::check_crc(header, (*batch)->bytes);
    if (good) good = kafka_record::decode_records(header, (*batch)->bytes, {}, records, owners);
    if (!good) return fail(damaged(path, position, good.error()));
    for (const model::RecordView& record : records) {
      if (record.timestamp_ms >= timestamp_ms) return record.offset;
    }
  }
}

}  // namespace millrace::log
