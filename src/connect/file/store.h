#pragma once

#include <map>
#include <memory>
#include <string>
#include <string_view>

#include "connect/file/file_sink.h"
#include "connect/file/parquet.h"
#include "env/env.h"
#include "port/sink.h"
#include "store/store.h"

namespace millrace::connect::file {

struct FileOptions {
  std::string url;  // file:DIR, DIR absolute; or stdout:
  std::map<std::string, std::string> options;
};

/// What is wrong with a connection's URL or options, without looking at the disk. kInvalidArgument.
///   format         json (default), csv, parquet
///   rotate_bytes   128MiB; a file with as many is completed
///   rotate_every   a duration; a file so old is completed by the next epoch (parquet: 60s; else none)
/// stdout: takes `format: json` only.
Status check_options(const std::string& url, const std::map<std::string, std::string>& options);

/// A directory of output files, or the standard output. Threading: one thread. Lifetime: the store and env outlive it and its
/// sinks.
class FileStore {
 public:
  static Result<std::unique_ptr<FileStore>> open(FileOptions options, store::Store& store, const env::Env& env, RunSql run_sql);

  /// `name` is the base name of the files. kInvalidArgument when it is no plain file name, kFailedPrecondition when another query
  /// writes it. The rows' schema is `output`.
  Result<std::unique_ptr<port::Sink>> sink(const std::string& name, const std::string& query,
                                           std::shared_ptr<const model::Schema> output);

 private:
  FileStore(FileSinkSpec spec, store::Store& store, const env::Env& env, RunSql run_sql)
      : spec_(std::move(spec)), store_(store), env_(env), run_sql_(std::move(run_sql)) {}

  const FileSinkSpec spec_;  // but for name, query and output; without a directory it is the standard output
  store::Store& store_;
  const env::Env env_;
  const RunSql run_sql_;
  std::map<std::string, std::string> writers_;  // the query of each name
};

}  // namespace millrace::connect::file
