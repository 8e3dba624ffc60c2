#pragma once

#include <memory>
#include <string>

#include "port/metadata_store.h"

namespace millrace::connect::sqlite {

/// Opens or creates the scheduler's database (docs/formats/meta_db.md): WAL mode, every apply() one transaction that is synced
/// before it returns. Errors: kFailedPrecondition when a newer Millrace wrote it (nothing is changed then), kCorruption when it
/// is not ours.
Result<std::unique_ptr<port::MetadataStore>> open_metadata_store(const std::string& path);

/// Reads the whole database and checks it. kCorruption says what SQLite found.
Status verify_metadata_store(const std::string& path);

}  // namespace millrace::connect::sqlite
