#pragma once

#include <rocksdb/db.h>
#include <rocksdb/write_batch.h>

#include <array>
#include <vector>

#include "store/store.h"

namespace millrace::store {

/// Names a column family to a WriteBatch before there is a database: RocksDB reads only the id and the comparator. Store::open
/// makes sure that the database's ids are these.
class SpaceHandle : public rocksdb::ColumnFamilyHandle {
 public:
  explicit SpaceHandle(Space space) : id_(family_id(space)) {}
  /// 0 is RocksDB's default family, which stays empty.
  static uint32_t family_id(Space space) { return static_cast<uint32_t>(space) + 1; }
  static rocksdb::ColumnFamilyHandle* of(Space space);

  const std::string& GetName() const override;
  uint32_t GetID() const override { return id_; }
  rocksdb::Status GetDescriptor(rocksdb::ColumnFamilyDescriptor*) override { return rocksdb::Status::NotSupported(); }
  const rocksdb::Comparator* GetComparator() const override;

 private:
  uint32_t id_;
};

inline constexpr std::array<const char*, kSpaceCount> kSpaceNames = {"meta", "rows", "dead", "state"};

struct Batch::Parts {
  rocksdb::WriteBatch changes;
  struct Run {
    Space space;
    std::vector<Entry> entries;
  };
  std::vector<Run> runs;
  size_t run_rows = 0;
  size_t run_bytes = 0;
};

}  // namespace millrace::store
