#include "store/batch.h"

#include <rocksdb/comparator.h>

#include "base/check.h"
#include "store/rocks.h"

namespace millrace::store {

rocksdb::ColumnFamilyHandle* SpaceHandle::of(Space space) {
  static SpaceHandle handles[kSpaceCount] = {SpaceHandle(Space::kMeta), SpaceHandle(Space::kRows), SpaceHandle(Space::kDead),
                                             SpaceHandle(Space::kState)};
  return &handles[static_cast<size_t>(space)];
}

const std::string& SpaceHandle::GetName() const {
  static const std::string none;
  return none;
}

const rocksdb::Comparator* SpaceHandle::GetComparator() const { return rocksdb::BytewiseComparator(); }

Batch::Batch() : parts_(std::make_unique<Parts>()) {}
Batch::~Batch() = default;
Batch::Batch(Batch&&) noexcept = default;
Batch& Batch::operator=(Batch&&) noexcept = default;

// A WriteBatch only grows in memory; it refuses a change only above its size limit, which is not set.
void Batch::put(Space space, std::string_view key, std::string_view value) {
  CHECK(parts_->changes.Put(SpaceHandle::of(space), slice(key), slice(value)).ok(), "a batch refused a change");
}

void Batch::erase(Space space, std::string_view key) {
  CHECK(parts_->changes.Delete(SpaceHandle::of(space), slice(key)).ok(), "a batch refused a change");
}

void Batch::erase_range(Space space, std::string_view from, std::string_view to) {
  if (from >= to) return;
  CHECK(parts_->changes.DeleteRange(SpaceHandle::of(space), slice(from), slice(to)).ok(), "a batch refused a change");
}

void Batch::put_sorted(Space space, std::vector<Entry> entries) {
  if (entries.empty()) return;
  parts_->run_rows += entries.size();
  for (const Entry& entry : entries) parts_->run_bytes += entry.key.size() + entry.value.size();
  parts_->runs.push_back({space, std::move(entries)});
}

bool Batch::empty() const { return parts_->changes.Count() == 0 && parts_->runs.empty(); }
std::string Batch::encode() const {
  CHECK(parts_->runs.empty(), "sorted entries point into memory of their owner");
  return parts_->changes.Data();
}

Result<Batch> Batch::decode(std::string_view bytes) {
  Batch batch;
  rocksdb::WriteBatch changes{std::string(bytes)};
  // RocksDB checks the form of each change, and their count, as it walks them.
  struct Walk : rocksdb::WriteBatch::Handler {
    rocksdb::Status PutCF(uint32_t, const rocksdb::Slice&, const rocksdb::Slice&) override { return {}; }
    rocksdb::Status DeleteCF(uint32_t, const rocksdb::Slice&) override { return {}; }
    rocksdb::Status DeleteRangeCF(uint32_t, const rocksdb::Slice&, const rocksdb::Slice&) override { return {}; }
  } walk;
  if (rocksdb::Status sound = changes.Iterate(&walk); !sound.ok())
    return fail(Errc::kCorruption, "stored changes cannot be read: " + sound.ToString());
  batch.parts_->changes = std::move(changes);
  return batch;
}

size_t Batch::bytes() const { return parts_->changes.GetDataSize() + parts_->run_bytes; }

}  // namespace millrace::store
