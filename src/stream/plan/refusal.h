#pragma once

#include <string_view>

#include "base/result.h"
#include "stream/plan/query_plan.h"
#include "stream/plan/tree.h"

namespace millrace::stream::plan {

/// The SELECT of a tree that has the form of a stateless query: one statement, one topic in FROM, nothing but a WHERE behind it.
/// Says nothing of its expressions. `sql` may be empty: then messages have no place.
Result<const Json*> stateless_select(const Json& tree, std::string_view sql);

/// Refuses a node that is an expression no stateless query can have.
Status check_expression_class(const Json& node, std::string_view sql, const PlanOptions& options);

/// kUnimplemented, with the place of the node.
tl::unexpected<Error> refuse(const Json& node, std::string_view sql, std::string message, std::string hint = {});

/// kInvalidArgument, with the place of the node.
tl::unexpected<Error> mistake(const Json& node, std::string_view sql, std::string message, std::string hint = {});

}  // namespace millrace::stream::plan
