#pragma once

#include <memory>
#include <vector>

#include "env/clock.h"
#include "port/sink.h"
#include "table/table_writer.h"
#include "table/tables.h"

namespace millrace::connect::embedded {

/// A table of the embedded store as the output of a query: rows join the epoch's batch, so they are exactly-once.
/// Columns are matched by name; table columns that the query lacks are NULL.
class TableSink : public port::Sink {
 public:
  /// kInvalidArgument when a column of `output` is not in the table, has another type, or a key column is missing.
  static Result<std::unique_ptr<TableSink>> create(std::shared_ptr<const table::Table> table, const model::Schema& output,
                                                   store::Store& store, env::Clock& clock);

  port::SinkTraits traits() const override { return {}; }
  Result<port::SinkReport> stage(const model::ColumnBatch& rows, const std::vector<port::RowOrigin>& origins,
                                 bool check_versions) override;
  Status commit(const port::Epoch& epoch, store::Batch& batch) override;
  void committed() override;
  void abandon() override;

 private:
  TableSink(std::shared_ptr<const table::Table> table, store::Store& store, env::Clock& clock);

  store::Store& store_;
  env::Clock& clock_;
  table::TableWriter writer_;
  uint32_t staged_ = 0;  // rows given to the writer in this epoch
  std::vector<uint64_t> versions_;
  std::vector<int64_t> timestamps_;
  std::vector<uint8_t> erased_;
};

}  // namespace millrace::connect::embedded
