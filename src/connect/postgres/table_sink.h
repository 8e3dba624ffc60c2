#pragma once

#include <memory>
#include <span>
#include <string>
#include <vector>

#include "connect/postgres/merge_sql.h"
#include "connect/postgres/writer_session.h"
#include "port/sink.h"

namespace millrace::connect::postgres {

/// A table of PostgreSQL as the output of a query: exactly-once, as rows and the epoch's number are one transaction. Of a shared
/// query it is effectively-once, and each stage() is a transaction: locks are short, and what loses against another member is
/// simply done again.
///
/// Rows are sent and merged in stage(), so what the server refuses of a row shows there; it is found by halving the batch under
/// savepoints. Where the keys of a batch are new it is one COPY into the table; a key that is there already makes the batch go
/// the longer way by a temporary table, and the next ones too, for a number of batches that doubles each time.
class TableSink : public port::Sink {
 public:
  TableSink(MergeSql sql, std::unique_ptr<WriterSession> session, std::shared_ptr<Interrupt> interrupt);

  port::SinkTraits traits() const override;
  Result<port::SinkReport> stage(const model::ColumnBatch& rows, const std::vector<port::RowOrigin>& origins,
                                 bool check_versions) override;
  Status commit(const port::Epoch& epoch, store::Batch& batch) override;
  void abandon() override { session_->rollback(); }
  Result<std::optional<uint64_t>> recover() override { return session_->recover(); }
  void interrupt() override { interrupt_->set(); }

 private:
  struct Staging {
    Connection& connection;
    const model::ColumnBatch& rows;
    const std::vector<port::RowOrigin>& origins;
    bool check_versions;
    port::SinkReport report;
  };
  using Places = std::span<const uint32_t>;  // of rows in the batch
  enum class Into { kTable, kStage };

  Result<port::SinkReport> put(const model::ColumnBatch& rows, const std::vector<port::RowOrigin>& origins, bool check_versions);
  std::vector<uint32_t> encode(Staging& staging, uint32_t& next);
  bool has_key(Staging& staging, uint32_t row) const;
  void order_by_key(const Staging& staging, std::vector<uint32_t>& places) const;
  Status put_slice(Staging& staging, Places places);
  Result<bool> put_directly(Staging& staging, Places places);
  Status put_piecewise(Staging& staging, Places places);
  Status merge(Staging& staging, Places places);
  Status add_superseded(Staging& staging);
  Status copy(Staging& staging, Places places, Into into);
  std::string begin_piece(Into into, size_t rows);

  const MergeSql sql_;
  const std::unique_ptr<WriterSession> session_;
  const std::shared_ptr<Interrupt> interrupt_;
  std::string text_;           // the columns of the slice's rows as COPY wants them
  uint32_t first_ = 0;         // row of the slice
  std::vector<size_t> begin_;  // of each row in text_, and the end
  std::string sending_;
  size_t in_stage_ = 0;  // rows that went into the stage since it was last truncated, also those that were rolled back
  uint32_t detour_ = 0, detour_left_ = 0;  // slices that do not try the direct way
};

}  // namespace millrace::connect::postgres
