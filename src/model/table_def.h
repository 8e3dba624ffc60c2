#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

#include "base/time.h"
#include "model/schema.h"

namespace millrace::model {

struct ClusteringColumn {
  size_t column = 0;
  bool descending = false;

  friend bool operator==(const ClusteringColumn&, const ClusteringColumn&) = default;
};

/// What a user declares. The key of a row is its partition key columns, then its clustering columns; columns are indexes into
/// `schema.fields`. A column's position is its id: evolution only appends.
struct TableDef {
  std::string name;  // keyspace.table
  model::Schema schema;
  std::vector<size_t> partition_key;
  std::vector<ClusteringColumn> clustering;
  /// A row expires this long after its record's timestamp.
  std::optional<Duration> ttl;
  /// SQL predicate over the query's output that makes a row a delete; kept as text for whoever evaluates it.
  std::string delete_when;

  friend bool operator==(const TableDef&, const TableDef&) = default;
};

}  // namespace millrace::model
