#include "store/tuning.h"

#include <rocksdb/cache.h>
#include <rocksdb/env.h>
#include <rocksdb/file_checksum.h>
#include <rocksdb/filter_policy.h>
#include <rocksdb/table.h>
#include <rocksdb/write_buffer_manager.h>

#include <algorithm>

#include "env/descriptors.h"
#include "env/machine.h"
#include "store/rocks.h"

namespace millrace::store {

bool DeadRows::Filter(int, const rocksdb::Slice& key, const rocksdb::Slice& value, std::string*, bool*) const {
  return is_dead_(view(key), view(value));
}

// A read by key from this cache takes half the time of one from the page cache, which a laptop's reads would otherwise live on.
size_t block_cache_bytes(const Options& options) {
  if (options.block_cache_bytes > 0) return options.block_cache_bytes;
  return std::clamp<uint64_t>(env::memory_bytes() / 32, 32 << 20, 512 << 20);
}

namespace {

/// Who only reads leaves no file behind.
class NoLog : public rocksdb::Logger {
 public:
  using rocksdb::Logger::Logv;
  void Logv(const char*, va_list) override {}
};

}  // namespace

rocksdb::DBOptions db_options(const Options& options) {
  rocksdb::DBOptions db;
  db.create_if_missing = !options.read_only;
  db.create_missing_column_families = !options.read_only;
  db.paranoid_checks = true;
  // A torn tail of the WAL ends the replay at a moment in time; a hole in the middle is an error. Recycled logs would make the
  // two indistinguishable.
  db.wal_recovery_mode = rocksdb::WALRecoveryMode::kPointInTimeRecovery;
  db.recycle_log_file_num = 0;
  // Of each sorted file, in the manifest: blocks have checksums of their own, but not every byte belongs to a block.
  db.file_checksum_gen_factory = rocksdb::GetFileChecksumGenCrc32cFactory();
  db.track_and_verify_wals_in_manifest = true;
  db.max_background_jobs = 2;
  db.max_total_wal_size = 4 * options.write_buffer_bytes;
  db.write_buffer_manager = std::make_shared<rocksdb::WriteBufferManager>(2 * options.write_buffer_bytes);
  db.bytes_per_sync = 1 << 20;
  // The rest is for topics and connections.
  db.max_open_files = static_cast<int>(std::min<uint64_t>(1024, env::descriptor_limit() / 4));
  // Its own log is for whoever debugs RocksDB: little of it is kept.
  db.info_log_level = rocksdb::InfoLogLevel::WARN_LEVEL;
  if (options.read_only) db.info_log = std::make_shared<NoLog>();
  db.keep_log_file_num = 2;
  db.max_log_file_size = 4 << 20;
  db.stats_dump_period_sec = 0;
  db.stats_persist_period_sec = 0;
  return db;
}

namespace {

std::shared_ptr<rocksdb::TableFactory> table_factory(const std::shared_ptr<rocksdb::Cache>& cache) {
  rocksdb::BlockBasedTableOptions table;
  table.format_version = 5;
  table.checksum = rocksdb::kXXH3;
  table.block_cache = cache;
  table.block_size = 8 << 10;
  table.filter_policy.reset(rocksdb::NewBloomFilterPolicy(10));
  table.optimize_filters_for_memory = true;
  // Index and filter are charged to the cache, so memory has one bound; only their top levels stay for good.
  table.cache_index_and_filter_blocks = true;
  table.cache_index_and_filter_blocks_with_high_priority = true;
  table.index_type = rocksdb::BlockBasedTableOptions::kTwoLevelIndexSearch;
  table.partition_filters = true;
  table.metadata_block_size = 4096;
  table.pin_top_level_index_and_filter = true;
  table.data_block_index_type = rocksdb::BlockBasedTableOptions::kDataBlockBinaryAndHash;
  return std::shared_ptr<rocksdb::TableFactory>(rocksdb::NewBlockBasedTableFactory(table));
}

}  // namespace

rocksdb::ColumnFamilyOptions family_options(const Options& options, Space space, const std::shared_ptr<rocksdb::Cache>& cache,
                                            const DeadRows* dead_rows) {
  rocksdb::ColumnFamilyOptions family;
  family.table_factory = table_factory(cache);
  family.write_buffer_size = options.write_buffer_bytes;
  // Mostly positions, each written over the last one with every epoch: what piles up is worth nothing.
  if (space == Space::kMeta) family.write_buffer_size = options.write_buffer_bytes / 8;
  family.compression = rocksdb::kLZ4Compression;
  family.bottommost_compression = rocksdb::kLZ4Compression;
  family.compaction_style = rocksdb::kCompactionStyleUniversal;
  if (space == Space::kRows) family.compaction_filter = dead_rows;
  return family;
}

}  // namespace millrace::store
