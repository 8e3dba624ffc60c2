#pragma once

#include <string>
#include <string_view>

#include "port/metadata_store.h"

namespace millrace::connect::postgres {

inline constexpr int kMetadataVersion = 1;

/// The statements that make the tables, behind CREATE SCHEMA.
std::string_view metadata_tables();

/// Rows of one table go as one JSON array ($1) and come out of it as a recordset. Times are microseconds since 1970. Of several
/// rows of one id the last is in the array. Text that PostgreSQL cannot hold (NUL, what is not UTF-8) becomes U+FFFD.
std::string dags_json(const port::MetadataBatch& batch);
std::string runs_json(const port::MetadataBatch& batch);
std::string tasks_json(const port::MetadataBatch& batch);
std::string tries_json(const port::MetadataBatch& batch);

inline constexpr const char* kPutDags =
    "INSERT INTO millrace.dags SELECT * FROM json_to_recordset($1::json) AS r(dag_id text, paused boolean, spec_hash text, "
    "created_at bigint, last_interval_end bigint) ON CONFLICT (dag_id) DO UPDATE SET paused=excluded.paused, "
    "spec_hash=excluded.spec_hash, created_at=excluded.created_at, last_interval_end=excluded.last_interval_end";
inline constexpr const char* kPutRuns =
    "INSERT INTO millrace.runs (dag_id, run_id, run_type, state, logical_date, data_interval_start, data_interval_end, "
    "run_after, "
    "queued_at, start_date, end_date, conf, message) SELECT * FROM json_to_recordset($1::json) AS r(dag_id text, run_id text, "
    "run_type text, state text, logical_date bigint, data_interval_start bigint, data_interval_end bigint, run_after bigint, "
    "queued_at bigint, start_date bigint, end_date bigint, conf text, message text) ON CONFLICT (dag_id, run_id) DO UPDATE SET "
    "run_type=excluded.run_type, state=excluded.state, logical_date=excluded.logical_date, "
    "data_interval_start=excluded.data_interval_start, data_interval_end=excluded.data_interval_end, "
    "run_after=excluded.run_after, queued_at=excluded.queued_at, start_date=excluded.start_date, end_date=excluded.end_date, "
    "conf=excluded.conf, message=excluded.message";
inline constexpr const char* kPutTasks =
    "INSERT INTO millrace.tasks SELECT * FROM json_to_recordset($1::json) AS r(dag_id text, run_id text, task_id text, position "
    "integer, state text, try_number integer, max_tries integer, start_date bigint, end_date bigint, retry_at bigint, message "
    "text) ON CONFLICT (dag_id, run_id, task_id) DO UPDATE SET position=excluded.position, state=excluded.state, "
    "try_number=excluded.try_number, max_tries=excluded.max_tries, start_date=excluded.start_date, end_date=excluded.end_date, "
    "retry_at=excluded.retry_at, message=excluded.message";
inline constexpr const char* kPutTries =
    "INSERT INTO millrace.tries SELECT * FROM json_to_recordset($1::json) AS r(dag_id text, run_id text, task_id text, "
    "try_number integer, state text, start_date bigint, end_date bigint, exit_code integer, message text) ON CONFLICT (dag_id, "
    "run_id, task_id, try_number) DO UPDATE SET state=excluded.state, start_date=excluded.start_date, "
    "end_date=excluded.end_date, exit_code=excluded.exit_code, message=excluded.message";

inline constexpr const char* kReadDags =
    "SELECT dag_id, paused, spec_hash, created_at, last_interval_end FROM millrace.dags ORDER BY dag_id COLLATE \"C\"";
/// Columns of read_run.
inline constexpr std::string_view kRunColumns =
    "r.dag_id, r.run_id, r.run_type, r.state, r.logical_date, r.data_interval_start, r.data_interval_end, r.run_after, "
    "r.queued_at, r.start_date, r.end_date, r.conf, r.message";
inline constexpr size_t kRunColumnCount = 13;
/// Columns of read_task, behind those of its run.
inline constexpr std::string_view kTaskColumns =
    "t.task_id, t.position, t.state, t.try_number, t.max_tries, t.start_date, t.end_date, t.retry_at, t.message";
inline constexpr const char* kReadTries =
    "SELECT t.try_number, t.state, t.start_date, t.end_date, t.exit_code, t.message FROM millrace.runs r LEFT JOIN "
    "millrace.tries t ON t.dag_id=r.dag_id AND t.run_id=r.run_id AND t.task_id=$3 WHERE r.dag_id=$1 AND r.run_id=$2 ORDER BY 1";

}  // namespace millrace::connect::postgres
