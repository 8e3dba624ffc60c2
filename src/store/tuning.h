#pragma once

#include <rocksdb/compaction_filter.h>
#include <rocksdb/options.h>

#include <functional>
#include <memory>
#include <string_view>

#include "store/store.h"

namespace millrace::store {

/// Drops rows that Options::row_is_dead calls dead.
class DeadRows : public rocksdb::CompactionFilter {
 public:
  explicit DeadRows(std::function<bool(std::string_view, std::string_view)> is_dead) : is_dead_(std::move(is_dead)) {}
  const char* Name() const override { return "millrace.dead_rows"; }
  bool Filter(int level, const rocksdb::Slice& key, const rocksdb::Slice& value, std::string* changed,
              bool* value_changed) const override;

 private:
  std::function<bool(std::string_view, std::string_view)> is_dead_;
};

/// How RocksDB is set up; the reasons stand in tuning.cc.
size_t block_cache_bytes(const Options& options);
rocksdb::DBOptions db_options(const Options& options);
rocksdb::ColumnFamilyOptions family_options(const Options& options, Space space, const std::shared_ptr<rocksdb::Cache>& cache,
                                            const DeadRows* dead_rows);

}  // namespace millrace::store
