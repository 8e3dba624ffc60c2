#pragma once

#include <functional>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/schema.h"
#include "project/project.h"

namespace millrace::project {

struct Change {
  enum class Verdict { kLive, kRefused };
  std::string what;  // "topic users_created: partitions 4 -> 12"
  Verdict verdict = Verdict::kLive;
  std::string reason;  // why it is refused and what to do; for a live one what happens
  Location at;         // in the wanted file; in the running one for what was removed
};

/// What a comparison must ask those who know SQL.
struct DifferenceRules {
  /// The columns of an SQL column list (SqlEngine::parse_columns).
  std::function<Result<model::Schema>(const std::string& columns)> parse_columns;
  /// Whether a query of the running project keeps state between records (windows, aggregates, joins).
  std::function<bool(const Query& running)> stateful;
};

/// What `apply` has to do to make `wanted` out of `running`, in the order: parts, topics, tables, sources, queries, dags. Pure
/// but for the rules. Empty when nothing differs; all or nothing is to be applied: one refused change refuses the whole.
std::vector<Change> differences(const Project& running, const Project& wanted, const DifferenceRules& rules);

}  // namespace millrace::project
