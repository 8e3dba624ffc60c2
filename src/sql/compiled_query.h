#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "port/sql_engine.h"
#include "sql/guarded.h"
#include "sql/instance.h"

namespace millrace::sql {

/// A statement over a view that has the input's name, prepared once. It prepares itself again when DuckDB had a fault.
class BatchQuery : public port::CompiledQuery {
 public:
  static Result<std::unique_ptr<port::CompiledQuery>> create(std::shared_ptr<Instances> instances, std::string sql,
                                                             port::QueryInput input);
  ~BatchQuery() override;

  std::shared_ptr<const model::Schema> output() const override { return output_; }
  void interrupt() override EXCLUDES(mutex_);
  Result<std::vector<model::ColumnBatch>> run(const model::ColumnBatch& input, size_t first, size_t count,
                                              Duration time_max) override;

 private:
  class Source;
  /// What lives in one instance: taken down in reverse.
  struct Prepared {
    Connection connection;
    int64_t scan_id;
    std::optional<Statement> statement;
    ~Prepared();
  };

  BatchQuery(std::shared_ptr<Instances> instances, std::string sql, port::QueryInput input);
  Status prepare();
  Status prepare_in(Prepared& prepared);
  Status collect(std::vector<model::ColumnBatch>& out, const std::shared_ptr<const void>& owner);
  bool interrupted() EXCLUDES(mutex_);
  void watch_with(Watchdog* watchdog) EXCLUDES(mutex_);

  const std::shared_ptr<Instances> instances_;
  const std::string sql_;
  const std::string input_name_;
  std::unique_ptr<Source> source_;
  std::shared_ptr<const model::Schema> output_;
  std::unique_ptr<Prepared> prepared_;

  Mutex mutex_;
  bool interrupted_ GUARDED_BY(mutex_) = false;
  Watchdog* watchdog_ GUARDED_BY(mutex_) = nullptr;  // of the run in progress
};

}  // namespace millrace::sql
