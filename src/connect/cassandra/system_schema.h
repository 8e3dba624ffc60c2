#pragma once

#include <optional>

#include "connect/cassandra/session.h"
#include "connect/cassandra/table_shape.h"

namespace millrace::connect::cassandra {

/// The table as system_schema has it now; none when there is no such table (or keyspace).
Result<std::optional<ExistingTable>> read_table(Session& session, const TableName& name);
Result<bool> keyspace_exists(Session& session, const std::string& keyspace);

}  // namespace millrace::connect::cassandra
