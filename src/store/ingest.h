#pragma once

#include <rocksdb/db.h>
#include <rocksdb/env.h>

#include <array>
#include <string>
#include <vector>

#include "store/batch.h"

namespace millrace::store {

using Families = std::array<rocksdb::ColumnFamilyHandle*, kSpaceCount>;

/// Writes a batch as sorted files, one a key space, and makes all of them part of the database in one step.
class Ingestion {
 public:
  /// Paths of the files begin with `prefix`; they are on the database's file system.
  Ingestion(rocksdb::DB& db, const Families& families, std::string prefix);
  /// Removes the files that did not become part of the database.
  ~Ingestion();

  Status write_files(Batch::Parts& parts);
  Status ingest();

 private:
  struct Change;
  struct Collector;
  Status write_file(Space space, std::vector<Change>& changes, const std::vector<Batch::Parts::Run*>& runs);

  rocksdb::DB& db_;
  const Families& families_;
  std::string prefix_;
  std::vector<rocksdb::IngestExternalFileArg> files_;
};

}  // namespace millrace::store
