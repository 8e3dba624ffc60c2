#pragma once

#include <memory>
#include <string>

#include "base/mutex.h"
#include "base/result.h"

namespace millrace::sql {

/// A DuckDB that reads and writes files, for statements of our own making alone: the conversion to and from Parquet. No network,
/// no extensions beyond those in the library. Threading: any thread, one statement at a time.
class FileEngine {
 public:
  /// Opens on the first statement, since most pipelines have none.
  FileEngine();
  ~FileEngine();
  FileEngine(const FileEngine&) = delete;
  FileEngine& operator=(const FileEngine&) = delete;

  /// Errors: kInvalidArgument with DuckDB's message.
  Status run(const std::string& sql) EXCLUDES(mutex_);

 private:
  Status open() REQUIRES(mutex_);
  Status run_unlocked(const std::string& sql) REQUIRES(mutex_);

  Mutex mutex_;
  struct Handles;
  std::unique_ptr<Handles> handles_ GUARDED_BY(mutex_);
};

}  // namespace millrace::sql
