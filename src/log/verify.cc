#include "log/verify.h"

#include <algorithm>
#include <optional>
#include <set>

#include <fmt/format.h>

#include "log/batch_cursor.h"
#include "log/partition_state.h"

namespace millrace::log {

namespace kafka_record = codec::kafka_record;

namespace {

class PartitionVerifier {
 public:
  PartitionVerifier(env::FileSystem& files, std::string dir, VerifyReport& report)
      : files_(files), dir_(std::move(dir)), report_(report) {}

  Status run() {
    TRY(std::vector<std::string> names, files_.list(dir_));
    TRY_DO(check_state());
    std::vector<std::string> segments;
    for (const std::string& name : names) {
      if (name.ends_with(".log")) segments.push_back(dir_ + "/" + name);
    }
    if (segments.empty()) note(dir_, 0, "there is no segment");
    for (size_t i = 0; i < segments.size(); ++i) TRY_DO(check_segment(segments[i], i + 1 == segments.size()));
    if (!segments.empty() && durable_ && next_ && *durable_ > *next_) {
      note(segments.back(), 0, fmt::format("the log ends at offset {}, but {} was durable", next_->value, durable_->value));
    }
    return {};
  }

 private:
  void note(const std::string& file, uint64_t position, std::string what) {
    report_.damage.push_back({file, position, std::move(what)});
  }

  Status check_state() {
    std::string path = dir_ + "/partition.state";
    ++report_.files;
    auto state = PartitionState::open(files_, path, true);
    if (state) {
      durable_ = (*state)->flushed();
      return {};
    }
    if (state.error().code == Errc::kIo) return fail(std::move(state.error()));
    note(path, 0, state.error().message);
    return {};
  }

  Status check_segment(const std::string& path, bool last) {
    ++report_.files;
    std::string name = path.substr(path.rfind('/') + 1);
    model::Offset base(std::strtoll(name.c_str(), nullptr, 10));
    TRY(auto file, files_.open(path, env::OpenMode::kRead));
    TRY(uint64_t size, file->size());
    if (next_ && *next_ != base && !(last && size == 0))
      note(path, 0, fmt::format("starts at offset {} where {} belongs", base.value, next_->value));
    if (!(last && size == 0 && next_)) next_ = base;
    TRY_DO(check_batches(path, *file, size, last));
    return check_index(path, base, size);
  }

  Status check_batches(const std::string& path, env::File& file, uint64_t size, bool last) {
    BatchCursor cursor(file, 0, size);
    while (true) {
      uint64_t position = cursor.position();
      auto batch = cursor.next();
      if (batch && !*batch) break;
      if (!batch && batch.error().code != Errc::kOutOfRange && batch.error().code != Errc::kCorruption)
        return fail(std::move(batch.error()));
      std::optional<Error> bad = batch ? check_batch(**batch) : std::move(batch.error());
      if (!bad) continue;
      bool durable = !durable_ || *next_ < *durable_;
      if (last && !durable) return {};  // the torn tail
      note(path, position, bad->message);
      // Reading goes on behind the damage, so that one report names all of it.
      TRY(auto sound, find_batch_after(file, position + 1, size, *next_));
      if (!sound) {
        next_.reset();
        return {};
      }
      cursor = BatchCursor(file, *sound, size);
      TRY(auto first, BatchCursor(file, *sound, size).next());
      next_ = first->header.base_offset;
    }
    report_.bytes += size;
    return {};
  }

  std::optional<Error> check_batch(const StoredBatch& batch) {
    if (batch.header.base_offset != *next_) {
      return Error{Errc::kCorruption,
                   fmt::format("the batch has offset {} where {} belongs", batch.header.base_offset.value, next_->value)};
    }
    // Beside the first offset the only field that no checksum covers and no length depends on.
    if (batch.header.leader_epoch != 0)
      return Error{Errc::kCorruption, fmt::format("the batch has leader epoch {} instead of 0", batch.header.leader_epoch)};
    if (auto crc = kafka_record::check_crc(batch.header, batch.bytes); !crc) return std::move(crc.error());
    std::vector<model::RecordView> records;
    std::vector<std::shared_ptr<const void>> owners;
    if (auto decoded = kafka_record::decode_records(batch.header, batch.bytes, {}, records, owners); !decoded)
      return std::move(decoded.error());
    next_ = batch.header.last_offset() + 1;
    ++report_.batches;
    report_.records += records.size();
    return std::nullopt;
  }

  Status check_index(const std::string& log_path, model::Offset base, uint64_t size) {
    std::string path = log_path.substr(0, log_path.size() - 3) + "index";
    TRY(bool exists, files_.exists(path));
    if (!exists) return {};
    ++report_.files;
    TRY(std::string bytes, env::read_file(files_, path, 256 << 20));
    auto index = SegmentIndex::decode(bytes, 4096);
    if (!index) {
      note(path, 0, index.error().message);
      return {};
    }
    if (index->summary().base != base || index->summary().bytes > size) {
      note(path, 0, "the index is not of its segment");
      return {};
    }
    return check_entries(path, log_path, *index);
  }

  Status check_entries(const std::string& path, const std::string& log_path, const SegmentIndex& index) {
    TRY(auto file, files_.open(log_path, env::OpenMode::kRead));
    for (size_t i = 0; i < index.entries().size(); ++i) {
      const SegmentIndex::Entry& entry = index.entries()[i];
      BatchCursor cursor(*file, entry.position, index.summary().bytes, kafka_record::kHeaderBytes);
      auto batch = cursor.next();
      if (batch && *batch && (*batch)->header.base_offset == entry.offset) continue;
      note(path, SegmentIndex::kHeaderBytes + i * SegmentIndex::kEntryBytes,
           fmt::format("offset {} is not at position {}", entry.offset.value, entry.position));
    }
    return {};
  }

  env::FileSystem& files_;
  const std::string dir_;
  VerifyReport& report_;
  std::optional<model::Offset> durable_;  // unknown: everything counts as durable
  std::optional<model::Offset> next_;
};

/// Names of the partition directories that the next open removes, or makes anew; those that hold records of another topic are
/// damage.
Result<std::set<std::string>> check_half_done(env::FileSystem& files, const std::string& dir, const Catalog& catalog,
                                              VerifyReport& report) {
  std::set<std::string> out;
  for (const auto& [topic, entry] : catalog) {
    if (entry.state == TopicEntry::State::kActive) continue;
    Status own = check_files(files, dir, topic, entry);
    if (!own && own.error().code != Errc::kDataLoss) return fail(std::move(own.error()));
    if (!own) report.damage.push_back({dir, 0, own.error().message});
    for (int32_t i = 0; i < entry.settings.partitions; ++i) {
      std::string name = fmt::format("{}-{}", topic, i);
      TRY(bool records, has_records(files, dir + "/" + name));
      // A topic that is being made and has records was active, and stays.
      if (!records || entry.state == TopicEntry::State::kDropping) out.insert(std::move(name));
    }
  }
  return out;
}

}  // namespace

Result<VerifyReport> verify(env::FileSystem& files, const std::string& dir, const Catalog* catalog) {
  VerifyReport report;
  TRY(std::vector<std::string> names, files.list(dir));
  std::set<std::string> half_done;
  if (catalog != nullptr) {
    TRY(half_done, check_half_done(files, dir, *catalog, report));
  }
  for (const std::string& name : names) {
    if (half_done.contains(name)) continue;
    // Anything else in the directory is not the log's.
    TRY(bool is_partition, files.exists(dir + "/" + name + "/partition.state"));
    auto inside = is_partition ? Result<std::vector<std::string>>() : files.list(dir + "/" + name);
    bool has_segment =
        inside && std::any_of(inside->begin(), inside->end(), [](const std::string& n) { return n.ends_with(".log"); });
    if (is_partition || has_segment) TRY_DO(PartitionVerifier(files, dir + "/" + name, report).run());
  }
  if (catalog == nullptr) return report;
  TRY(std::vector<std::string> strays, find_strays(files, dir, *catalog));
  for (std::string& stray : strays) {
    report.damage.push_back({std::move(stray), 0, "holds records of no topic in the catalog"});
  }
  return report;
}

}  // namespace millrace::log
