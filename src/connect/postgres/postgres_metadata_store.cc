#include "connect/postgres/postgres_metadata_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <functional>

#include "base/mutex.h"
#include "base/printable.h"
#include "connect/postgres/connection.h"
#include "connect/postgres/metadata_sql.h"
#include "connect/postgres/writer_session.h"

namespace millrace::connect::postgres {
namespace {

using port::DagRow;
using port::MetadataBatch;
using port::RunRow;
using port::StoredRun;
using port::TaskRow;
using port::TryRow;

constexpr Duration kPatience = std::chrono::seconds(15);
constexpr Duration kPause = std::chrono::milliseconds(50);
constexpr int kRunsMax = 1 << 30;

Instant instant(const Rows& rows, size_t row, size_t column) { return instant_from_micros(rows.integer(row, column)); }
std::optional<Instant> maybe_instant(const Rows& rows, size_t row, size_t column) {
  return rows.is_null(row, column) ? std::nullopt : std::optional(instant(rows, row, column));
}

RunRow read_run(const Rows& rows, size_t i) {
  RunRow run;
  run.dag_id = rows.text(i, 0);
  run.run_id = rows.text(i, 1);
  run.run_type = rows.text(i, 2);
  run.state = rows.text(i, 3);
  run.logical_date = instant(rows, i, 4);
  run.data_interval_start = instant(rows, i, 5);
  run.data_interval_end = instant(rows, i, 6);
  run.run_after = instant(rows, i, 7);
  run.queued_at = instant(rows, i, 8);
  run.start_date = maybe_instant(rows, i, 9);
  run.end_date = maybe_instant(rows, i, 10);
  run.conf = rows.text(i, 11);
  run.message = rows.text(i, 12);
  return run;
}

TaskRow read_task(const Rows& rows, size_t i, const RunRow& run) {
  constexpr size_t c = kRunColumnCount;
  TaskRow task;
  task.dag_id = run.dag_id;
  task.run_id = run.run_id;
  task.task_id = rows.text(i, c);
  task.position = static_cast<int32_t>(rows.integer(i, c + 1));
  task.state = rows.text(i, c + 2);
  task.try_number = static_cast<int32_t>(rows.integer(i, c + 3));
  task.max_tries = static_cast<int32_t>(rows.integer(i, c + 4));
  task.start_date = maybe_instant(rows, i, c + 5);
  task.end_date = maybe_instant(rows, i, c + 6);
  task.retry_at = maybe_instant(rows, i, c + 7);
  task.message = rows.text(i, c + 8);
  return task;
}

/// Runs joined with their tasks, the rows of a run together.
std::vector<StoredRun> read_runs_with_tasks(const Rows& rows) {
  std::vector<StoredRun> runs;
  for (size_t i = 0; i < rows.size(); ++i) {
    bool same = !runs.empty() && runs.back().run.dag_id == rows.text(i, 0) && runs.back().run.run_id == rows.text(i, 1);
    if (!same) runs.push_back({read_run(rows, i), {}});
    if (!rows.is_null(i, kRunColumnCount)) runs.back().tasks.push_back(read_task(rows, i, runs.back().run));
  }
  return runs;
}

std::string runs_with_tasks(std::string_view where) {
  return fmt::format(
      "SELECT {}, {} FROM millrace.runs r LEFT JOIN millrace.tasks t ON t.dag_id=r.dag_id AND t.run_id=r.run_id WHERE {} ORDER "
      "BY "
      "r.logical_date, r.run, t.position, t.task_id COLLATE \"C\"",
      kRunColumns, kTaskColumns, where);
}

/// A session that is opened again when it was lost. `prepare` makes a new one fit for use.
class Session {
 public:
  using Prepare = std::function<Status(Connection&)>;
  Session(Target target, std::string name, env::Clock& clock, Prepare prepare)
      : target_(std::move(target)), name_(std::move(name)), clock_(clock), prepare_(std::move(prepare)) {}

  /// Does `work`, and again in a new session while the server is away, for kPatience. So the work must bear being done twice.
  template <class Work>
  auto run(Work work) -> decltype(work(std::declval<Connection&>())) {
    const Duration give_up = clock_.monotonic() + kPatience;
    while (true) {
      Status opened = open();
      auto done = opened ? work(*connection_) : fail(opened.error());
      if (!done && connection_ != nullptr && connection_->broken()) connection_.reset();
      bool again = !done && done.error().code == Errc::kUnavailable && clock_.monotonic() < give_up;
      if (!again || !interrupt_->sleep(kPause)) return done;
    }
  }

 private:
  Status open() {
    if (connection_ != nullptr) return {};
    TRY(auto connection, Connection::open(target_, name_, interrupt_, clock_));
    TRY_DO(prepare_(*connection));
    connection_ = std::move(connection);
    return {};
  }

  const Target target_;
  const std::string name_;
  env::Clock& clock_;
  const Prepare prepare_;
  const std::shared_ptr<Interrupt> interrupt_ = std::make_shared<Interrupt>();
  std::unique_ptr<Connection> connection_;
};

/// The right to schedule: an advisory lock of the writing session, and our name in millrace.metadata.
class Schedulership {
 public:
  Schedulership(std::string shown, std::string me, env::Clock& clock)
      : shown_(std::move(shown)), me_(std::move(me)), clock_(clock) {}

  /// For every new session of the writer. The first one makes tables and puts our name there; for a later one it must still be
  /// there, for else another process has scheduled meanwhile.
  Status take(Connection& connection) {
    TRY_DO(take_lock(connection));
    TRY_DO(make_tables(connection));
    TRY(Rows rows, connection.execute("SELECT version, scheduler FROM millrace.metadata"));
    if (rows.size() != 1) return fail(Errc::kCorruption, fmt::format("{}: millrace.metadata must have one row", shown_));
    if (rows.integer(0, 0) > kMetadataVersion)
      return fail(Errc::kFailedPrecondition,
                  fmt::format("{}: the scheduler's tables were made by a newer Millrace (format {}, this one knows {})", shown_,
                              rows.integer(0, 0), kMetadataVersion),
                  "run the newer version");
    if (taken_ && rows.text(0, 1) != me_)
      return fail(Errc::kFenced, fmt::format("{}: another process has scheduled since the connection was lost", shown_),
                  "stop one of the two");
    TRY_DO(connection.query("UPDATE millrace.metadata SET scheduler=$1", {me_}));
    taken_ = true;
    pid_ = connection.backend_pid();
    return {};
  }

 private:
  Status take_lock(Connection& connection) {
    const int64_t key = lock_key("scheduler", "", "");
    const Duration give_up = clock_.monotonic() + kPatience;
    Interrupt pause;
    while (true) {
      TRY(Rows taken, connection.execute(fmt::format("SELECT pg_try_advisory_lock({})", key)));
      if (taken.text(0, 0) == "t") return {};
      TRY(Rows holder, connection.execute(lock_holder_query(key)));
      if (holder.size() == 0) continue;
      // Our own session from before, whose connection is cut: the server has not noticed.
      if (holder.integer(0, 0) == pid_) (void)connection.execute(fmt::format("SELECT pg_terminate_backend({})", pid_));
      if (clock_.monotonic() > give_up)
        return fail(Errc::kFenced,
                    fmt::format("{}: '{}' from {} schedules on this database (session {})", shown_, printable(holder.text(0, 1)),
                                holder.text(0, 2), holder.text(0, 0)),
                    "one Millrace at a time schedules on a database: stop the other, or give this one a database of its own");
      (void)pause.sleep(kPause);
    }
  }

  Status make_tables(Connection& connection) {
    TRY(Rows found, connection.execute("SELECT to_regclass('millrace.metadata') IS NOT NULL"));
    if (found.text(0, 0) == "t") return {};
    Status made = [&]() -> Status {
      TRY_DO(connection.execute("BEGIN; " + schema_lock_statement()));
      TRY_DO(make_schema(connection, "millrace"));
      TRY_DO(connection.execute(std::string(metadata_tables())));
      TRY_DO(connection.execute(fmt::format("INSERT INTO millrace.metadata VALUES ({}, ''); COMMIT", kMetadataVersion)));
      return {};
    }();
    if (!made && !connection.broken()) (void)connection.execute("ROLLBACK");
    return made;
  }

  const std::string shown_, me_;
  env::Clock& clock_;
  bool taken_ = false;
  int pid_ = 0;
};

/// **Threading**: one mutex a session, so a listing never waits for a commit.
class PostgresMetadataStore final : public port::MetadataStore {
 public:
  PostgresMetadataStore(Target target, std::string me, env::Clock& clock)
      : schedulership_(target.shown, std::move(me), clock),
        writer_(target, name_of(target), clock, [this](Connection& connection) { return schedulership_.take(connection); }),
        reader_(target, name_of(target), clock, [](Connection&) { return Status(); }) {}

  Status open() { return apply_all({}); }

  Status apply(const MetadataBatch& batch) override {
    if (batch.empty()) return {};
    return apply_all(batch);
  }

  Result<std::vector<DagRow>> dags() override {
    TRY(Rows rows, read(kReadDags, {}));
    std::vector<DagRow> dags;
    for (size_t i = 0; i < rows.size(); ++i) {
      DagRow dag;
      dag.dag_id = rows.text(i, 0);
      dag.paused = rows.text(i, 1) == "t";
      dag.spec_hash = rows.text(i, 2);
      dag.created_at = instant(rows, i, 3);
      dag.last_interval_end = maybe_instant(rows, i, 4);
      dags.push_back(std::move(dag));
    }
    return dags;
  }

  Result<std::vector<StoredRun>> unfinished_runs() override {
    TRY(Rows rows, read(runs_with_tasks("r.state IN ('queued', 'running')"), {}));
    return read_runs_with_tasks(rows);
  }

  Result<std::vector<RunRow>> runs(std::string_view dag_id, size_t limit) override {
    std::string sql =
        fmt::format("SELECT {} FROM millrace.runs r WHERE r.dag_id=$1 ORDER BY r.logical_date DESC, r.run DESC LIMIT {}",
                    kRunColumns, std::min<size_t>(limit, kRunsMax));
    TRY(Rows rows, read(sql, {std::string(dag_id)}));
    std::vector<RunRow> runs;
    for (size_t i = 0; i < rows.size(); ++i) runs.push_back(read_run(rows, i));
    return runs;
  }

  Result<StoredRun> run(std::string_view dag_id, std::string_view run_id) override {
    TRY(Rows rows, read(runs_with_tasks("r.dag_id=$1 AND r.run_id=$2"), {std::string(dag_id), std::string(run_id)}));
    if (rows.size() == 0) return no_run(dag_id, run_id);
    return std::move(read_runs_with_tasks(rows)[0]);
  }

  Result<std::vector<TryRow>> tries(std::string_view dag_id, std::string_view run_id, std::string_view task_id) override {
    TRY(Rows rows, read(kReadTries, {std::string(dag_id), std::string(run_id), std::string(task_id)}));
    if (rows.size() == 0) return no_run(dag_id, run_id);
    std::vector<TryRow> tries;
    for (size_t i = 0; i < rows.size() && !rows.is_null(i, 0); ++i) {
      TryRow row;
      row.dag_id = dag_id;
      row.run_id = run_id;
      row.task_id = task_id;
      row.try_number = static_cast<int32_t>(rows.integer(i, 0));
      row.state = rows.text(i, 1);
      row.start_date = instant(rows, i, 2);
      row.end_date = maybe_instant(rows, i, 3);
      if (!rows.is_null(i, 4)) row.exit_code = static_cast<int32_t>(rows.integer(i, 4));
      row.message = rows.text(i, 5);
      tries.push_back(std::move(row));
    }
    return tries;
  }

 private:
  static std::string name_of(const Target& target) {
    return target.application_name.empty() ? "millrace scheduler" : target.application_name;
  }
  static tl::unexpected<Error> no_run(std::string_view dag_id, std::string_view run_id) {
    return fail(Errc::kNotFound, fmt::format("dag {} has no run '{}'", dag_id, run_id));
  }

  Result<Rows> read(const std::string& sql, const Parameters& parameters) EXCLUDES(read_mutex_) {
    MutexLock lock(read_mutex_);
    return reader_.run([&](Connection& connection) { return connection.query(sql, parameters); });
  }

  Status apply_all(const MetadataBatch& batch) EXCLUDES(write_mutex_) {
    MutexLock lock(write_mutex_);
    return writer_.run([&](Connection& connection) {
      Status done = put(connection, batch);
      if (!done && !connection.broken()) {
        bool unknown_run = connection.sqlstate() == "23503";
        (void)connection.execute("ROLLBACK");
        if (unknown_run)
          done =
              fail(Errc::kFailedPrecondition, fmt::format("a task belongs to a run that is unknown: {}", done.error().message));
      }
      return done;
    });
  }

  static Status put(Connection& connection, const MetadataBatch& batch) {
    if (batch.empty()) return {};
    TRY_DO(connection.execute("BEGIN"));
    if (!batch.dags.empty()) TRY_DO(connection.query(kPutDags, {dags_json(batch)}));
    if (!batch.runs.empty()) TRY_DO(connection.query(kPutRuns, {runs_json(batch)}));
    if (!batch.tasks.empty()) TRY_DO(connection.query(kPutTasks, {tasks_json(batch)}));
    if (!batch.tries.empty()) TRY_DO(connection.query(kPutTries, {tries_json(batch)}));
    TRY_DO(connection.execute("COMMIT"));
    return {};
  }

  Mutex write_mutex_;
  Schedulership schedulership_;  // under write_mutex_, as writer_ alone calls it
  Session writer_ GUARDED_BY(write_mutex_);
  Mutex read_mutex_;
  Session reader_ GUARDED_BY(read_mutex_);
};

}  // namespace

Result<std::unique_ptr<port::MetadataStore>> open_metadata_store(const PostgresOptions& options, env::Env env) {
  TRY(Target target, read_options(options));
  auto store = std::make_unique<PostgresMetadataStore>(std::move(target), format_uuid(env::make_uuid(env.random)), env.clock);
  TRY_DO(store->open());
  return store;
}

}  // namespace millrace::connect::postgres
