#pragma once

#include <string>
#include <vector>

#include "app/compile.h"
#include "format/json_doc.h"
#include "stream/plan/query_plan.h"

/// What can be said of a query that compiles.
namespace millrace::app {

/// Of two records with one key in two partitions either may be committed last. `tree` is the query's.
void warn_key_across_partitions(const project::Project& project, const project::Query& query, const project::Table& table,
                                const std::string& topic_name, const format::Json& tree, project::FaultList& faults);

/// A TIMESTAMP made of a topic that has zoned times.
void warn_lost_zones(const project::Query& query, const model::Schema& from, const model::Schema& output,
                     project::FaultList& faults);

/// The stages of the query, for `explain`.
std::vector<std::string> plan_in_words(const project::Project& project, const project::Query& query,
                                       const stream::plan::QueryPlan& planned, const CompiledQuery& compiled);

}  // namespace millrace::app
