#pragma once

#include <memory>

#include "connect/postgres/options.h"
#include "env/env.h"
#include "port/metadata_store.h"

namespace millrace::connect::postgres {

/// Opens or creates the scheduler's state in the schema `millrace` of a database: tables dags, runs, tasks, tries, and
/// `metadata` with the version of these and who schedules. One process at a time schedules on a database: it holds an advisory
/// lock as long as it lives. Every apply() is one transaction; one whose answer got lost is made again, which changes nothing.
///
/// Errors: kFenced names the process that schedules; kFailedPrecondition when a newer Millrace made the tables; kUnavailable when
/// nobody has answered for about 15 s, also of every call of the store.
Result<std::unique_ptr<port::MetadataStore>> open_metadata_store(const PostgresOptions& options, env::Env env);

}  // namespace millrace::connect::postgres
