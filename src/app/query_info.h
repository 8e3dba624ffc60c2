#pragma once

#include <optional>
#include <string>
#include <vector>

#include "app/instance.h"

namespace millrace::app {

/// What is kept of a query beside its position, so that a data directory at rest can be understood without the pipeline file.
struct QueryInfo {
  std::string name;
  std::string topic;
  std::string into;
  bool into_table = false;
  bool paused = false;  // by a person; survives restarts

  friend bool operator==(const QueryInfo&, const QueryInfo&) = default;
};

QueryInfo info_of(const CompiledQuery& query, bool paused);
/// Under `query/<name>/info` in store::Space::kMeta.
Status store_query_info(store::Store& store, const QueryInfo& info);
Result<std::optional<QueryInfo>> load_query_info(store::Store& store, std::string_view name);
/// Every query that ever ran here, as of its last commit.
std::vector<QueryView> stored_queries(DataDir& data);
/// In store::Space::kMeta: which table of another system the query's rows went to.
std::string table_identity_key(std::string_view query);
/// The frozen schema of a topic of another log.
std::string schema_key(std::string_view topic);
/// Records of the topic that the position has not reached.
uint64_t records_behind(log::Log& log, const std::string& topic, const stream::Position& position);

}  // namespace millrace::app
