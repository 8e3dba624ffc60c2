#pragma once

#include <cstdio>
#include <string>

#include "port/sink.h"

namespace millrace::connect::file {

/// Rows as JSON lines on a stream, when their epoch is committed, or before it when they are many. Whole lines are written in one
/// call, so queries can share the stream. A terminal or a pipe that nobody reads makes the commit wait.
///
/// Errors: kFailedPrecondition when nobody can read any more.
class StdoutSink : public port::Sink {
 public:
  /// `out` outlives the sink.
  explicit StdoutSink(std::FILE* out) : out_(out) {}

  port::SinkTraits traits() const override { return {.kind = port::SinkKind::kAtLeastOnce, .epoch_records_max = 10'000}; }
  Result<port::SinkReport> stage(const model::ColumnBatch& rows, const std::vector<port::RowOrigin>& origins,
                                 bool check_versions) override;
  Status commit(const port::Epoch& epoch, store::Batch& batch) override;
  void abandon() override { lines_.clear(); }

 private:
  Status write_out();

  std::FILE* out_;
  std::string lines_;
};

}  // namespace millrace::connect::file
