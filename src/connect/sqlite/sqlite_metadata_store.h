#pragma once

#include <memory>
#include <string>

#include "port/metadata_store.h"

namespace millrace::connect::sqlite {

/// Opens or creates the scheduler's database (docs/formats/meta_db.md): WAL mode, every apply() one transaction that is synced
/// before it returns. Errors: kFailedPrecondition when a newer Millrace wrote it (nothing is changed then), kCorruption when it
/// is not ours; kDataLoss when it must exist, and is gone or empty.
Result<std::unique_ptr<port::MetadataStore>> open_metadata_store(const std::string& path, bool must_exist = false);

/// For reading one that no server uses, nothing is written; null while it is empty. apply() is kFailedPrecondition. Errors:
/// kFailedPrecondition when a newer Millrace wrote it, kCorruption when it is not ours.
Result<std::unique_ptr<port::MetadataStore>> open_metadata_store_at_rest(const std::string& path);

/// Writes the database as it is now to `copy`, which must not exist, while others go on using it. The copy is not synced.
Status copy_metadata_store(const std::string& path, const std::string& copy);

/// kFailedPrecondition when a newer Millrace wrote it. Writes nothing.
Status check_metadata_format(const std::string& path);
/// Reads the whole database and checks it. kCorruption says what SQLite found. Writes nothing.
Status verify_metadata_store(const std::string& path);

}  // namespace millrace::connect::sqlite
