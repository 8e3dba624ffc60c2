#pragma once

#include <string>
#include <vector>

#include "base/result.h"
#include "connect/postgres/table_shape.h"
#include "port/table_store.h"

namespace millrace::connect::postgres {

/// The statements that bring rows into a table by its key.
///
/// Rows go by COPY into a temporary table of the same types, each with version, ordinal, place in the batch and whether it
/// erases; of those with one key the last by (version, ordinal, place) counts. Where the table keeps versions, a row that is
/// newer stays. Where no key is there yet, COPY goes into the table itself.
struct MergeSql {
  std::vector<size_t> columns;  // of the query's output, in the order of both COPYs
  std::vector<size_t> key;      // of the query's output
  bool has_version = false;     // the COPY into the table ends with the version

  std::string create_stage;  // once a session
  std::string copy_into_stage;
  std::string copy_into_table;
  std::string erase;
  std::string upsert;
  std::string superseded;  // places of rows than which the table has newer ones; empty when it keeps no versions
};

/// kInvalidArgument when the output has a column that the table lacks, or lacks one of the key.
Result<MergeSql> make_merge_sql(const TableName& name, const port::TableSinkSpec& spec, const ServerTable& server);

}  // namespace millrace::connect::postgres
