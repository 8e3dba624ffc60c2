#pragma once

#include <map>
#include <memory>
#include <string>
#include <tuple>
#include <vector>

#include "base/mutex.h"
#include "connect/cassandra/row_buffer.h"
#include "connect/cassandra/session.h"
#include "env/clock.h"
#include "port/table_store.h"

namespace millrace::connect::cassandra {

/// A table of Cassandra as the output of a query. Rows are sent while they are staged; the write timestamp is the row's version,
/// so what is written again changes nothing, and an older row never replaces a newer one.
class TableSink : public port::Sink {
 public:
  /// Errors: kFailedPrecondition when the table is not there or does not fit.
  static Result<std::unique_ptr<TableSink>> create(Session& session, env::Clock& clock, const port::TableSinkSpec& spec);
  ~TableSink() override;

  port::SinkTraits traits() const override;
  /// `check_versions` finds nothing: the server compares the versions itself.
  Result<port::SinkReport> stage(const model::ColumnBatch& rows, const std::vector<port::RowOrigin>& origins,
                                 bool check_versions) override;
  Status commit(const port::Epoch& epoch, store::Batch& batch) override;
  void committed() override;
  void abandon() override;
  void interrupt() override;

 private:
  class Progress;
  using RowId = std::tuple<int32_t, int64_t, uint32_t>;  // partition, offset, ordinal

  TableSink(Session& session, env::Clock& clock, WritePlan plan, std::string query);
  Status prepare();
  Status send(bool all);
  /// The error of the epoch so far.
  Status outcome();
  void begin_epoch();
  void note_known_fault(const port::RowOrigin& origin, uint32_t row, port::SinkReport& report) const;
  std::string note_refused(Progress& progress);

  Session& session_;
  env::Clock& clock_;
  const WritePlan plan_;
  const std::string query_;
  RowBuffer buffer_;
  std::vector<Prepared> statements_;
  /// Where the rows of a request come from, by its tag: of this epoch.
  std::vector<std::vector<port::RowOrigin>> sent_;
  /// Rows that the server has refused for what they hold; when they come again they are faults.
  std::map<RowId, std::string> refused_;

  Mutex mutex_;
  std::shared_ptr<Progress> progress_ GUARDED_BY(mutex_);
  bool interrupted_ GUARDED_BY(mutex_) = false;
};

}  // namespace millrace::connect::cassandra
