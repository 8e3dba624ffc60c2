#pragma once

#include <rocksdb/env.h>

namespace millrace::store {

/// RocksDB's way to the disk while fault points are on: its files pass the points file.* as ours do, and lose what was not synced
/// in a power loss (env/power_loss.h). Its text log (LOG) and its lock file pass by. Lives as long as the process.
rocksdb::Env* fault_env();

}  // namespace millrace::store
