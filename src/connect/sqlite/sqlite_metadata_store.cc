#include "connect/sqlite/sqlite_metadata_store.h"

#include <fmt/format.h>

#include <algorithm>
#include <filesystem>

#include "base/mutex.h"
#include "connect/sqlite/database.h"

namespace millrace::connect::sqlite {
namespace {

using port::DagRow;
using port::MetadataBatch;
using port::RunRow;
using port::StoredRun;
using port::TaskRow;
using port::TryRow;

// docs/formats/meta_db.md. "MLRS" in the file's header keeps us from writing into a database that is somebody else's.
constexpr int64_t kApplicationId = 0x4d4c5253;
constexpr int64_t kVersion = 1;

constexpr const char* kSchema = R"sql(
CREATE TABLE dags(
  dag_id TEXT PRIMARY KEY, paused INTEGER NOT NULL, spec_hash TEXT NOT NULL, created_at INTEGER NOT NULL, last_interval_end INTEGER
) WITHOUT ROWID;
CREATE TABLE runs(
  run INTEGER PRIMARY KEY, dag_id TEXT NOT NULL, run_id TEXT NOT NULL, run_type TEXT NOT NULL, state TEXT NOT NULL,
  logical_date INTEGER NOT NULL, data_interval_start INTEGER NOT NULL, data_interval_end INTEGER NOT NULL, run_after INTEGER NOT NULL,
  queued_at INTEGER NOT NULL, start_date INTEGER, end_date INTEGER, conf TEXT NOT NULL, message TEXT NOT NULL,
  UNIQUE(dag_id, run_id)
);
CREATE INDEX runs_by_date ON runs(dag_id, logical_date);
CREATE INDEX runs_unfinished ON runs(logical_date) WHERE state IN ('queued', 'running');
CREATE TABLE tasks(
  run INTEGER NOT NULL, task_id TEXT NOT NULL, position INTEGER NOT NULL, state TEXT NOT NULL, try_number INTEGER NOT NULL,
  max_tries INTEGER NOT NULL, start_date INTEGER, end_date INTEGER, retry_at INTEGER, message TEXT NOT NULL,
  PRIMARY KEY(run, task_id)
) WITHOUT ROWID;
CREATE TABLE tries(
  run INTEGER NOT NULL, task_id TEXT NOT NULL, try_number INTEGER NOT NULL, state TEXT NOT NULL, start_date INTEGER NOT NULL,
  end_date INTEGER, exit_code INTEGER, message TEXT NOT NULL,
  PRIMARY KEY(run, task_id, try_number)
) WITHOUT ROWID;
)sql";

constexpr const char* kPutDag =
    "INSERT INTO dags VALUES(?,?,?,?,?) ON CONFLICT(dag_id) DO UPDATE SET paused=excluded.paused, spec_hash=excluded.spec_hash, "
    "created_at=excluded.created_at, last_interval_end=excluded.last_interval_end";
constexpr const char* kPutRun =
    "INSERT INTO "
    "runs(dag_id,run_id,run_type,state,logical_date,data_interval_start,data_interval_end,run_after,queued_at,start_date,"
    "end_date,conf,message) VALUES(?,?,?,?,?,?,?,?,?,?,?,?,?) ON CONFLICT(dag_id,run_id) DO UPDATE SET "
    "run_type=excluded.run_type, "
    "state=excluded.state, logical_date=excluded.logical_date, data_interval_start=excluded.data_interval_start, "
    "data_interval_end=excluded.data_interval_end, run_after=excluded.run_after, queued_at=excluded.queued_at, "
    "start_date=excluded.start_date, end_date=excluded.end_date, conf=excluded.conf, message=excluded.message";
constexpr const char* kPutTask = "INSERT OR REPLACE INTO tasks VALUES(?,?,?,?,?,?,?,?,?,?)";
constexpr const char* kPutTry = "INSERT OR REPLACE INTO tries VALUES(?,?,?,?,?,?,?,?)";
constexpr const char* kFindRun = "SELECT run FROM runs WHERE dag_id=? AND run_id=?";

#define RUN_COLUMNS                                                                                                              \
  "run,dag_id,run_id,run_type,state,logical_date,data_interval_start,data_interval_end,run_after,queued_at,start_date,end_date," \
  "conf,message"
constexpr const char* kUnfinished =
    "SELECT " RUN_COLUMNS " FROM runs WHERE state IN ('queued', 'running') ORDER BY logical_date, run";
constexpr const char* kRuns = "SELECT " RUN_COLUMNS " FROM runs WHERE dag_id=? ORDER BY logical_date DESC, run DESC LIMIT ?";
constexpr const char* kRun = "SELECT " RUN_COLUMNS " FROM runs WHERE dag_id=? AND run_id=?";
constexpr const char* kTasks =
    "SELECT task_id,position,state,try_number,max_tries,start_date,end_date,retry_at,message FROM tasks WHERE run=? ORDER BY "
    "position, task_id";
constexpr const char* kTries =
    "SELECT try_number,state,start_date,end_date,exit_code,message FROM tries WHERE run=? AND task_id=? ORDER BY try_number";

RunRow read_run(Statement& s, int64_t& key) {
  key = s.integer();
  RunRow row;
  row.dag_id = s.text();
  row.run_id = s.text();
  row.run_type = s.text();
  row.state = s.text();
  row.logical_date = s.instant();
  row.data_interval_start = s.instant();
  row.data_interval_end = s.instant();
  row.run_after = s.instant();
  row.queued_at = s.instant();
  row.start_date = s.maybe_instant();
  row.end_date = s.maybe_instant();
  row.conf = s.text();
  row.message = s.text();
  return row;
}

Result<std::vector<TaskRow>> read_tasks(Database& db, int64_t key, const RunRow& run) {
  TRY(auto s, db.prepare(kTasks));
  s->bind(key);
  std::vector<TaskRow> rows;
  while (true) {
    TRY(bool more, s->step());
    if (!more) return rows;
    TaskRow row;
    row.dag_id = run.dag_id;
    row.run_id = run.run_id;
    row.task_id = s->text();
    row.position = static_cast<int32_t>(s->integer());
    row.state = s->text();
    row.try_number = static_cast<int32_t>(s->integer());
    row.max_tries = static_cast<int32_t>(s->integer());
    row.start_date = s->maybe_instant();
    row.end_date = s->maybe_instant();
    row.retry_at = s->maybe_instant();
    row.message = s->text();
    rows.push_back(std::move(row));
  }
}

auto newer(const std::string& path, int64_t version) {
  return fail(Errc::kFailedPrecondition,
              fmt::format("{} was written by a newer Millrace (format {}, this one knows {})", path, version, kVersion),
              "run the newer version");
}

auto gone(const std::string& path) {
  return fail(Errc::kDataLoss, fmt::format("{} is gone or empty, and with it what the scheduler knew", path),
              "restore it from a backup");
}

/// The connection that writes, with its statements. One transaction a batch.
class Writer {
 public:
  static Result<std::unique_ptr<Writer>> open(const std::string& path, bool must_exist) {
    auto writer = std::make_unique<Writer>();
    if (must_exist && !std::filesystem::exists(path)) return gone(path);
    TRY(writer->db_, Database::open(path));
    TRY_DO(writer->prepare_file(path, must_exist));
    TRY(writer->put_dag_, writer->db_->prepare(kPutDag));
    TRY(writer->put_run_, writer->db_->prepare(kPutRun));
    TRY(writer->put_task_, writer->db_->prepare(kPutTask));
    TRY(writer->put_try_, writer->db_->prepare(kPutTry));
    TRY(writer->find_run_, writer->db_->prepare(kFindRun));
    return writer;
  }

  /// The last word goes into the file itself, also when somebody else has it open: the log beside it is not to outlive this.
  ~Writer() {
    bool ours = find_run_ != nullptr;  // a file that was refused stays as it is
    if (ours) (void)db_->execute("PRAGMA busy_timeout=100; PRAGMA wal_checkpoint(TRUNCATE)");
  }

  Status apply(const MetadataBatch& batch) {
    TRY_DO(db_->execute("BEGIN IMMEDIATE"));
    Status done = put(batch);
    if (done) done = db_->execute("COMMIT");
    if (!done) (void)db_->execute("ROLLBACK");
    return done;
  }

 private:
  /// Refuses what is newer or not ours before the first byte is written.
  Status prepare_file(const std::string& path, bool must_exist) {
    TRY(int64_t tables, db_->query_integer("SELECT count(*) FROM sqlite_schema"));
    TRY(int64_t application, db_->query_integer("PRAGMA application_id"));
    TRY(int64_t version, db_->query_integer("PRAGMA user_version"));
    if (tables > 0 && application != kApplicationId) {
      return fail(Errc::kCorruption, fmt::format("{} is not the scheduler's database", path),
                  "move it away, or give another data directory");
    }
    if (version > kVersion) return newer(path, version);
    if (tables == 0 && must_exist) return gone(path);
    TRY_DO(db_->execute("PRAGMA journal_mode=WAL"));
    TRY_DO(db_->execute("PRAGMA synchronous=FULL"));
    if (tables > 0) return {};
    std::string create = fmt::format("BEGIN IMMEDIATE; {} PRAGMA application_id={}; PRAGMA user_version={}; COMMIT", kSchema,
                                     kApplicationId, kVersion);
    Status created = db_->execute(create.c_str());
    if (!created) (void)db_->execute("ROLLBACK");
    return created;
  }

  Status put(const MetadataBatch& batch) {
    for (const DagRow& r : batch.dags) {
      put_dag_->reset().bind(r.dag_id).bind(int64_t{r.paused}).bind(r.spec_hash).bind(r.created_at).bind(r.last_interval_end);
      TRY_DO(put_dag_->run());
    }
    for (const RunRow& r : batch.runs) {
      put_run_->reset()
          .bind(r.dag_id)
          .bind(r.run_id)
          .bind(r.run_type)
          .bind(r.state)
          .bind(r.logical_date)
          .bind(r.data_interval_start);
      put_run_->bind(r.data_interval_end)
          .bind(r.run_after)
          .bind(r.queued_at)
          .bind(r.start_date)
          .bind(r.end_date)
          .bind(r.conf)
          .bind(r.message);
      TRY_DO(put_run_->run());
    }
    RunKey key;
    for (const TaskRow& r : batch.tasks) {
      TRY_DO(find(r.dag_id, r.run_id, key));
      put_task_->reset().bind(key.run).bind(r.task_id).bind(int64_t{r.position}).bind(r.state).bind(int64_t{r.try_number});
      put_task_->bind(int64_t{r.max_tries}).bind(r.start_date).bind(r.end_date).bind(r.retry_at).bind(r.message);
      TRY_DO(put_task_->run());
    }
    for (const TryRow& r : batch.tries) {
      TRY_DO(find(r.dag_id, r.run_id, key));
      put_try_->reset().bind(key.run).bind(r.task_id).bind(int64_t{r.try_number}).bind(r.state).bind(r.start_date);
      put_try_->bind(r.end_date).bind(r.exit_code).bind(r.message);
      TRY_DO(put_try_->run());
    }
    return {};
  }

  struct RunKey {
    std::string_view dag_id, run_id;
    int64_t run = 0;
  };
  /// Rows of one run stand together, so the last key mostly serves.
  Status find(std::string_view dag_id, std::string_view run_id, RunKey& key) {
    if (key.run != 0 && key.dag_id == dag_id && key.run_id == run_id) return {};
    find_run_->reset().bind(dag_id).bind(run_id);
    TRY(bool found, find_run_->step());
    if (!found) return fail(Errc::kFailedPrecondition, fmt::format("dag {} has no run '{}'", dag_id, run_id));
    key = {dag_id, run_id, find_run_->integer()};
    find_run_->reset();
    return {};
  }

  // Destroyed before the connection that they were prepared on: members go in reverse order.
  std::unique_ptr<Database> db_;
  std::unique_ptr<Statement> put_dag_, put_run_, put_task_, put_try_, find_run_;
};

/// Without a writer, for a directory at rest. **Threading**: one mutex a connection, so a query never waits for a sync.
class SqliteMetadataStore final : public port::MetadataStore {
 public:
  SqliteMetadataStore(std::unique_ptr<Writer> writer, std::unique_ptr<Database> reader)
      : writer_(std::move(writer)), reader_(std::move(reader)) {}

  Status apply(const MetadataBatch& batch) override {
    MutexLock lock(write_mutex_);
    if (writer_ == nullptr) return fail(Errc::kFailedPrecondition, "the scheduler's database is open for reading only");
    return writer_->apply(batch);
  }

  Result<std::vector<DagRow>> dags() override {
    MutexLock lock(read_mutex_);
    TRY(auto s, reader_->prepare("SELECT dag_id,paused,spec_hash,created_at,last_interval_end FROM dags ORDER BY dag_id"));
    std::vector<DagRow> rows;
    while (true) {
      TRY(bool more, s->step());
      if (!more) return rows;
      DagRow row;
      row.dag_id = s->text();
      row.paused = s->integer() != 0;
      row.spec_hash = s->text();
      row.created_at = s->instant();
      row.last_interval_end = s->maybe_instant();
      rows.push_back(std::move(row));
    }
  }

  Result<std::vector<StoredRun>> unfinished_runs() override {
    MutexLock lock(read_mutex_);
    TRY(auto s, reader_->prepare(kUnfinished));
    std::vector<StoredRun> runs;
    while (true) {
      TRY(bool more, s->step());
      if (!more) return runs;
      int64_t key = 0;
      StoredRun stored{read_run(*s, key), {}};
      TRY(stored.tasks, read_tasks(*reader_, key, stored.run));
      runs.push_back(std::move(stored));
    }
  }

  Result<std::vector<RunRow>> runs(std::string_view dag_id, size_t limit) override {
    MutexLock lock(read_mutex_);
    TRY(auto s, reader_->prepare(kRuns));
    s->bind(dag_id).bind(static_cast<int64_t>(std::min<size_t>(limit, 1 << 30)));
    std::vector<RunRow> rows;
    while (true) {
      TRY(bool more, s->step());
      if (!more) return rows;
      int64_t key = 0;
      rows.push_back(read_run(*s, key));
    }
  }

  Result<StoredRun> run(std::string_view dag_id, std::string_view run_id) override {
    MutexLock lock(read_mutex_);
    TRY(auto s, reader_->prepare(kRun));
    s->bind(dag_id).bind(run_id);
    TRY(bool found, s->step());
    if (!found) return fail(Errc::kNotFound, fmt::format("dag {} has no run '{}'", dag_id, run_id));
    int64_t key = 0;
    StoredRun stored{read_run(*s, key), {}};
    TRY(stored.tasks, read_tasks(*reader_, key, stored.run));
    return stored;
  }

  Result<std::vector<TryRow>> tries(std::string_view dag_id, std::string_view run_id, std::string_view task_id) override {
    MutexLock lock(read_mutex_);
    TRY(auto find, reader_->prepare(kFindRun));
    find->bind(dag_id).bind(run_id);
    TRY(bool found, find->step());
    if (!found) return fail(Errc::kNotFound, fmt::format("dag {} has no run '{}'", dag_id, run_id));
    TRY(auto s, reader_->prepare(kTries));
    s->bind(find->integer()).bind(task_id);
    std::vector<TryRow> rows;
    while (true) {
      TRY(bool more, s->step());
      if (!more) return rows;
      TryRow row;
      row.dag_id = dag_id;
      row.run_id = run_id;
      row.task_id = task_id;
      row.try_number = static_cast<int32_t>(s->integer());
      row.state = s->text();
      row.start_date = s->instant();
      row.end_date = s->maybe_instant();
      row.exit_code = s->maybe_integer();
      row.message = s->text();
      rows.push_back(std::move(row));
    }
  }

 private:
  Mutex write_mutex_;
  const std::unique_ptr<Writer> writer_ PT_GUARDED_BY(write_mutex_);

  Mutex read_mutex_;
  const std::unique_ptr<Database> reader_ PT_GUARDED_BY(read_mutex_);
};

}  // namespace

Result<std::unique_ptr<port::MetadataStore>> open_metadata_store(const std::string& path, bool must_exist) {
  TRY(auto writer, Writer::open(path, must_exist));
  TRY(auto reader, Database::open(path));
  TRY_DO(reader->execute("PRAGMA query_only=ON"));
  return std::make_unique<SqliteMetadataStore>(std::move(writer), std::move(reader));
}

Result<std::unique_ptr<port::MetadataStore>> open_metadata_store_at_rest(const std::string& path) {
  TRY(auto reader, Database::open_at_rest(path));
  TRY(int64_t tables, reader->query_integer("SELECT count(*) FROM sqlite_schema"));
  if (tables == 0) return std::unique_ptr<port::MetadataStore>();
  TRY(int64_t application, reader->query_integer("PRAGMA application_id"));
  TRY(int64_t version, reader->query_integer("PRAGMA user_version"));
  if (application != kApplicationId) return fail(Errc::kCorruption, fmt::format("{} is not the scheduler's database", path));
  if (version > kVersion) return newer(path, version);
  return std::make_unique<SqliteMetadataStore>(nullptr, std::move(reader));
}

Status copy_metadata_store(const std::string& path, const std::string& copy) {
  TRY(auto database, Database::open(path));
  TRY(auto vacuum, database->prepare("VACUUM INTO ?"));
  return vacuum->bind(copy).run();
}

Status check_metadata_format(const std::string& path) {
  TRY(auto database, Database::open_at_rest(path));
  TRY(int64_t version, database->query_integer("PRAGMA user_version"));
  return version > kVersion ? Status(newer(path, version)) : Status();
}

Status verify_metadata_store(const std::string& path) {
  TRY(auto database, Database::open_at_rest(path));
  TRY(int64_t application, database->query_integer("PRAGMA application_id"));
  TRY(int64_t version, database->query_integer("PRAGMA user_version"));
  if (application == kApplicationId && version > kVersion) return newer(path, version);
  if (application != kApplicationId || version != kVersion)
    return fail(Errc::kCorruption, fmt::format("{} is not the scheduler's database", path));
  TRY(auto check, database->prepare("PRAGMA integrity_check(1)"));
  TRY(bool found, check->step());
  std::string verdict = found ? check->text() : "no answer";
  if (verdict != "ok") return fail(Errc::kCorruption, fmt::format("{}: {}", path, verdict));
  return {};
}

}  // namespace millrace::connect::sqlite
