#include "store/ingest.h"

#include <fmt/format.h>
#include <rocksdb/sst_file_writer.h>

#include <algorithm>
#include <filesystem>
#include <tuple>

#include "store/rocks.h"

namespace millrace::store {

struct Ingestion::Change {
  enum class Kind { kPut, kErase, kEraseRange } kind;
  std::string_view key;
  std::string_view value;  // or the end of the range
  size_t order;            // among the changes of the batch
};

/// Takes a WriteBatch apart. The views point into it.
struct Ingestion::Collector : rocksdb::WriteBatch::Handler {
  std::array<std::vector<Change>, kSpaceCount> changes;
  size_t count = 0;

  rocksdb::Status PutCF(uint32_t family, const rocksdb::Slice& key, const rocksdb::Slice& value) override {
    return add(family, Change::Kind::kPut, key, value);
  }
  rocksdb::Status DeleteCF(uint32_t family, const rocksdb::Slice& key) override {
    return add(family, Change::Kind::kErase, key, {});
  }
  rocksdb::Status DeleteRangeCF(uint32_t family, const rocksdb::Slice& from, const rocksdb::Slice& to) override {
    return add(family, Change::Kind::kEraseRange, from, to);
  }
  rocksdb::Status add(uint32_t family, Change::Kind kind, const rocksdb::Slice& key, const rocksdb::Slice& value) {
    changes.at(family - 1).push_back({kind, view(key), view(value), count++});
    return rocksdb::Status::OK();
  }
};

Ingestion::Ingestion(rocksdb::DB& db, const Families& families, std::string prefix)
    : db_(db), families_(families), prefix_(std::move(prefix)) {}

Ingestion::~Ingestion() {
  for (const auto& arg : files_) {
    std::error_code ignored;  // what stays is removed when the store opens
    for (const std::string& file : arg.external_files) std::filesystem::remove(file, ignored);
  }
}

Status Ingestion::write_files(Batch::Parts& parts) {
  Collector collector;
  if (auto status = parts.changes.Iterate(&collector); !status.ok()) return fail(to_error("taking a batch apart", status));
  for (size_t i = 0; i < kSpaceCount; ++i) {
    auto space = static_cast<Space>(i);
    std::vector<Batch::Parts::Run*> runs;
    for (auto& run : parts.runs) {
      if (run.space == space) runs.push_back(&run);
    }
    if (runs.empty() && collector.changes[i].empty()) continue;
    TRY_DO(write_file(space, collector.changes[i], runs));
  }
  return {};
}

namespace {

/// One ascending row of entries. Runs of different tables follow each other; only runs that overlap must be mixed.
std::vector<Batch::Entry> join(std::vector<Batch::Parts::Run*> runs) {
  if (runs.empty()) return {};
  auto first_key = [](const Batch::Parts::Run* run) { return run->entries.front().key; };
  std::sort(runs.begin(), runs.end(), [&](auto* a, auto* b) { return first_key(a) < first_key(b); });
  std::vector<Batch::Entry> out = std::move(runs[0]->entries);
  bool ascending = true;
  for (size_t i = 1; i < runs.size(); ++i) {
    ascending = ascending && out.back().key < first_key(runs[i]);
    out.insert(out.end(), runs[i]->entries.begin(), runs[i]->entries.end());
  }
  if (!ascending) std::sort(out.begin(), out.end(), [](const auto& a, const auto& b) { return a.key < b.key; });
  return out;
}

}  // namespace

Status Ingestion::write_file(Space space, std::vector<Change>& changes, const std::vector<Batch::Parts::Run*>& runs) {
  auto* family = families_[static_cast<size_t>(space)];
  std::string path = fmt::format("{}-{}.sst", prefix_, kSpaceNames[static_cast<size_t>(space)]);
  rocksdb::SstFileWriter writer(rocksdb::EnvOptions(), db_.GetOptions(family), family, false);
  rocksdb::IngestExternalFileArg arg;
  arg.column_family = family;
  arg.external_files = {path};
  arg.options.move_files = true;
  arg.options.write_global_seqno = false;
  files_.push_back(std::move(arg));
  auto status = writer.Open(path);

  // A file has one sequence number, at which a point beats a range: points that an erased range came after are left out.
  auto points_end = std::partition(changes.begin(), changes.end(),
                                   [](const Change& change) { return change.kind != Change::Kind::kEraseRange; });
  for (auto range = points_end; range != changes.end() && status.ok(); ++range) {
    status = writer.DeleteRange(slice(range->key), slice(range->value));
  }
  std::sort(changes.begin(), points_end,
            [](const Change& a, const Change& b) { return std::tie(a.key, a.order) < std::tie(b.key, b.order); });
  auto is_overridden = [&](auto point) {
    if (std::next(point) != points_end && std::next(point)->key == point->key) return true;
    return std::any_of(points_end, changes.end(), [&](const Change& range) {
      return range.order > point->order && range.key <= point->key && point->key < range.value;
    });
  };
  auto point = changes.begin();
  auto write_points_below = [&](const std::string_view* bound) {
    for (; point != points_end && status.ok() && (bound == nullptr || point->key < *bound); ++point) {
      if (is_overridden(point)) continue;
      bool put = point->kind == Change::Kind::kPut;
      status = put ? writer.Put(slice(point->key), slice(point->value)) : writer.Delete(slice(point->key));
    }
  };

  std::vector<Batch::Entry> entries = join(runs);
  constexpr size_t kAhead = 8;  // sorted entries lie scattered in memory
  for (size_t i = 0; i < entries.size() && status.ok(); ++i) {
    if (i + kAhead < entries.size()) __builtin_prefetch(entries[i + kAhead].key.data());
    write_points_below(&entries[i].key);
    if (status.ok()) status = writer.Put(slice(entries[i].key), slice(entries[i].value));
  }
  write_points_below(nullptr);
  rocksdb::ExternalSstFileInfo written;
  if (status.ok()) status = writer.Finish(&written);
  if (!status.ok()) return fail(to_error(fmt::format("writing {}", path), status));
  // Known here, so that the file is not read again for it.
  files_.back().files_checksums = {written.file_checksum};
  files_.back().files_checksum_func_names = {written.file_checksum_func_name};
  files_.back().options.verify_file_checksum = false;
  return {};
}

Status Ingestion::ingest() {
  if (auto status = db_.IngestExternalFiles(files_); !status.ok()) {
    return fail(to_error(fmt::format("ingesting {}", prefix_), status));
  }
  return {};
}

}  // namespace millrace::store
