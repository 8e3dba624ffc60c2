#pragma once

#include <string>

#include "app/backup_manifest.h"
#include "app/file_tree.h"
#include "app/verify.h"
#include "env/env.h"

namespace millrace::app {

/// Reads every file of a backup and compares it with the manifest. Errors: as read_manifest, kCancelled by `progress`.
Result<VerifyReport> verify_backup(env::FileSystem& files, const std::string& backup, const Progress& progress);

/// Makes `data` a data directory with what the backup holds. It appears under its name only when all of it is checked and
/// durable; until then it stands beside as `<data>.restoring`. Errors: as read_manifest, kCorruption naming the damaged file,
/// kAlreadyExists (`data` is not empty, or an earlier restore was interrupted), kInvalidArgument (within the backup or
/// a data directory), kDiskFull, kIo.
Result<BackupManifest> restore(env::FileSystem& files, const std::string& backup, const std::string& data,
                               const Progress& progress);

}  // namespace millrace::app
