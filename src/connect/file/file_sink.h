#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "connect/file/file_state.h"
#include "connect/file/parquet.h"
#include "env/env.h"
#include "port/sink.h"
#include "store/store.h"

namespace millrace::connect::file {

struct FileSinkSpec {
  std::string directory;
  std::string name;
  std::string query;
  Format format = Format::kJson;
  uint64_t rotate_bytes = 128 << 20;
  std::optional<Duration> rotate_every;
  std::shared_ptr<const model::Schema> output;
};

/// The output of a query into files `<name>-<number>.<format>`, exactly-once: rows are appended to the current `.part`, and how
/// much of it counts is committed with the query's position. What a crash or an abandoned epoch left behind that is cut off. A
/// file that is large or old enough gets its final name once the commit that completes it is durable; from then on it never
/// changes.
///
/// Errors: kDiskFull (the epoch can be tried again), kDataLoss (the current file is shorter than what was committed), kIo (after
/// a failed sync also every later call: the disk holds less than the system says, so the process must start again).
class FileSink : public port::Sink {
 public:
  /// Makes the directory; cuts and completes what an earlier run left. `run_sql` is used for Parquet only. `store` and `env`
  /// outlive the sink.
  static Result<std::unique_ptr<FileSink>> open(FileSinkSpec spec, store::Store& store, const env::Env& env, RunSql run_sql);

  port::SinkTraits traits() const override { return {.durability = store::Durability::kSync}; }
  Result<port::SinkReport> stage(const model::ColumnBatch& rows, const std::vector<port::RowOrigin>& origins,
                                 bool check_versions) override;
  Status commit(const port::Epoch& epoch, store::Batch& batch) override;
  void committed() override;
  void abandon() override;
  Result<std::optional<uint64_t>> recover() override;
  Status finish() override;

 private:
  FileSink(FileSinkSpec spec, store::Store& store, const env::Env& env, RunSql run_sql);

  Status restore();
  Result<FileState> first_state();
  Status cut_back();
  Status complete_now();
  Status make_ready();
  Status publish();
  Status convert(const std::string& lines, const std::string& parquet);
  Status begin_next();
  Status open_current();
  Status append(const model::ColumnBatch& rows, size_t row, port::SinkReport& report);
  Status write_out();
  Status sync_current();
  Status sync_directory();
  bool is_due(const FileState& state);
  std::string part_path(const FileState& state) const;
  std::string final_path(const FileState& state) const;

  const FileSinkSpec spec_;
  store::Store& store_;
  env::Env env_;
  const RunSql run_sql_;

  FileState state_;                  // as committed, but that a complete file is followed by the next one once it has its name
  FileState next_;                   // by the commit that is under way
  std::unique_ptr<env::File> file_;  // the current one; null before its first row
  uint64_t end_ = 0;                 // bytes in it
  bool unsynced_ = false;
  std::string buffer_;           // rows behind `end_`
  bool restored_ = false;        // state_ and file_ are what the store says
  std::optional<Error> broken_;  // a sync failed
};

}  // namespace millrace::connect::file
