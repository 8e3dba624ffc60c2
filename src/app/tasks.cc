#include "app/tasks.h"

#include <fmt/format.h>

#include "app/instance.h"
#include "format/json_write.h"

namespace millrace::app {
namespace {

using Kind = dag::Outcome::Kind;

dag::Outcome success(std::string message) { return {Kind::kSuccess, std::move(message), {}}; }
dag::Outcome failure(std::string message) { return {Kind::kFailed, std::move(message), {}}; }
dag::Outcome failure(const Error& error) {
  return failure(error.hint.empty() ? error.message : error.message + "; " + error.hint);
}

struct Runner {
  Instance& instance;
  dag::TaskLog& log;
  std::stop_token stop;

  dag::Outcome operator()(const dag::IngestTask& task) const {
    log.line(task.for_time > Duration(0) ? fmt::format("polling source {} for {}", task.source, format_duration(task.for_time))
                                         : fmt::format("polling source {} once", task.source));
    auto before = counts_of(task.source);
    Status done = instance.ingest(task.source, task.for_time, stop);
    auto after = counts_of(task.source);
    std::string report = fmt::format("{} records in {} polls, {} of them failed", after.records - before.records,
                                     after.polls - before.polls, after.failed_polls - before.failed_polls);
    log.line(report);
    if (after.failed_polls != before.failed_polls) log.line("last failure: " + after.last_error);
    return done ? success(report) : failure(done.error());
  }

  /// A statement whose first rows go to the log.
  dag::Outcome operator()(const dag::SqlTask& task) const {
    constexpr size_t kRowsShown = 20;
    size_t rows = 0;
    Status done = execute(task.sql, [&](const model::ColumnBatch& batch) -> Status {
      for (size_t i = 0; i < batch.rows; ++i, ++rows) {
        if (rows >= kRowsShown) continue;
        std::string line;
        format::append_row_json(line, batch, i);
        log.line(line);
      }
      return {};
    });
    if (!done) return failure(done.error());
    return success(fmt::format("{} rows", rows));
  }

  /// One row with one column, which must be true.
  dag::Outcome operator()(const dag::CheckTask& task) const {
    size_t rows = 0;
    bool holds = false;
    std::string shown = "nothing", shape;
    Status done = execute(task.sql, [&](const model::ColumnBatch& batch) -> Status {
      if (batch.columns.size() != 1 || batch.columns[0].type->id != model::TypeId::kBoolean) {
        return fail(Errc::kInvalidArgument, "a check must give one boolean", "such as SELECT count(*) > 0 FROM t");
      }
      for (size_t i = 0; i < batch.rows; ++i, ++rows) {
        shown.clear();
        format::append_value_text(shown, batch.columns[0], i);
        holds = !batch.columns[0].is_null(i) && batch.columns[0].at<bool>(i);
      }
      return {};
    });
    if (!done) return failure(done.error());
    if (rows != 1) return failure(fmt::format("the check gave {} rows instead of one", rows));
    log.line("the check is " + shown);
    return holds ? success("true") : failure("the check is " + shown + ": " + task.sql);
  }

  dag::Outcome operator()(const dag::WaitForTask& task) const {
    log.line(fmt::format("waiting until query {} has processed what its topic holds now", task.query));
    Status done = instance.wait_for_query(task.query, std::nullopt, stop);
    return done ? success("processed") : failure(done.error());
  }

  dag::Outcome operator()(const dag::ExecTask&) const { return failure("programs are run by the scheduler"); }

 private:
  IngestCounts counts_of(const std::string& source) const {
    for (const SourceView& view : instance.sources()) {
      if (view.name == source) return view.counts;
    }
    return {};
  }

  Status execute(const std::string& sql, const std::function<Status(const model::ColumnBatch&)>& on_batch) const {
    return instance.shell_engine().execute(sql, instance.catalog(), {instance.options().statement_time_max},
                                           [&](const model::ColumnBatch& batch) -> Status {
                                             if (stop.stop_requested()) return fail(Errc::kCancelled, "stopped");
                                             return on_batch(batch);
                                           });
  }
};

}  // namespace

dag::Outcome Tasks::run(const dag::TaskContext& context, dag::TaskLog& log, std::stop_token stop) {
  return std::visit(Runner{instance_, log, stop}, context.kind);
}

}  // namespace millrace::app
