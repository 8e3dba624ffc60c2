#include "store/background.h"

#include "base/log.h"
#include "env/fault.h"

namespace millrace::store {

void Background::wait_while(const std::function<bool()>& condition) {
  // RocksDB tells of a finished job just before its counters say so, hence the time limit.
  constexpr auto kAskAgain = std::chrono::milliseconds(5);
  MutexLock lock(mutex_);
  while (condition()) changed_.wait_for(mutex_, kAskAgain);
}

void Background::wake() {
  MutexLock lock(mutex_);
  changed_.notify_all();
}

// Nothing here can fail, so of the points' actions only those count that end or delay the process.
void Background::OnFlushCompleted(rocksdb::DB*, const rocksdb::FlushJobInfo&) {
  (void)env::fault("store.after_flush");
  wake();
}

void Background::OnCompactionCompleted(rocksdb::DB*, const rocksdb::CompactionJobInfo&) {
  (void)env::fault("store.after_compaction");
  wake();
}

void Background::OnBackgroundError(rocksdb::BackgroundErrorReason, rocksdb::Status* status) {
  stopped_ = true;
  log_error("store", "writes stop, reads go on: " + status->ToString());
  wake();
}

void Background::OnErrorRecoveryEnd(const rocksdb::BackgroundErrorRecoveryInfo& info) {
  if (!info.new_bg_error.ok()) return;
  stopped_ = false;
  log_info("store", "writes go on");
}

}  // namespace millrace::store
