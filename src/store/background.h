#pragma once

#include <rocksdb/listener.h>

#include <atomic>
#include <functional>

#include "base/mutex.h"

namespace millrace::store {

/// Hears what RocksDB does on its own threads. Threading: safe from any thread.
class Background : public rocksdb::EventListener {
 public:
  /// Writes are refused because a flush, a compaction or the WAL met an error; reads go on.
  bool is_stopped() const { return stopped_; }
  /// Blocks as long as `condition` holds; it is asked again after every flush and compaction.
  void wait_while(const std::function<bool()>& condition) EXCLUDES(mutex_);

  void OnFlushCompleted(rocksdb::DB*, const rocksdb::FlushJobInfo&) override;
  void OnCompactionCompleted(rocksdb::DB*, const rocksdb::CompactionJobInfo&) override;
  void OnBackgroundError(rocksdb::BackgroundErrorReason reason, rocksdb::Status* status) override;
  void OnErrorRecoveryEnd(const rocksdb::BackgroundErrorRecoveryInfo& info) override;

 private:
  void wake() EXCLUDES(mutex_);

  std::atomic<bool> stopped_ = false;
  Mutex mutex_;
  CondVar changed_;
};

}  // namespace millrace::store
