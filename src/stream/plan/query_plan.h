#pragma once

#include <optional>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "format/json_doc.h"
#include "model/ids.h"
#include "model/schema.h"

/// What a pipeline query means, read from DuckDB's syntax tree (the JSON of `json_serialize_sql`). Pure.
namespace millrace::stream::plan {

/// The one topic that a query may read.
struct TopicShape {
  model::TopicId id;
  std::string name;
  /// The columns of the records.
  model::Schema schema;
  /// `_key`, `_value` and the other columns every topic has, but for event_time.
  model::Schema metadata;
  /// The tree of `SELECT <event time>`; null: `_timestamp`.
  format::Json event_time;
};

/// A column, or a field in a struct column: names as the schema spells them. Size 1 is a whole column.
using ColumnPath = std::vector<std::string>;

struct PlanOptions {
  /// Names, in lower case, of functions whose result is not a matter of their arguments; what has no deterministic form is
  /// refused.
  std::set<std::string> volatile_functions;
  /// Names of aggregate functions: they are refused.
  std::set<std::string> aggregate_functions;
  /// The column with the number of the input row, as the SQL engine calls it. It becomes the last column, or the first.
  std::string row_column = "__row";
  bool row_first = false;
  /// The tree of `SELECT <condition>`; when given it becomes the column `delete_column` behind the row column.
  std::optional<format::Json> delete_when;
  std::string delete_column = "__delete";
};

struct QueryPlan {
  std::string topic;
  /// The statement to run, as a tree: `SELECT *` spelled out, seeded uuid() and random(), record time for now(), the row column.
  format::Json tree;
  /// What it reads, each once, no path inside another, in the order of the schema and then of the metadata.
  std::vector<ColumnPath> needed;
  bool has_unnest = false;
  bool has_where = false;
};

/// The name of the topic that the query reads. Errors: as plan_query, for what can be said without the topic.
[[nodiscard]] Result<std::string> topic_of(const format::Json& tree);

/// Plans a stateless query: one SELECT from one topic with an optional WHERE; expressions, casts, struct fields, lists, UNNEST in
/// the select list. `sql` is the query's text, for positions only.
///
/// Errors: kUnimplemented for SQL that a later version may run (joins, aggregates, windows, ORDER BY, subqueries, …), kNotFound
/// for another topic, kInvalidArgument for the rest; the message starts with "LINE n:c: " where the tree gives a place.
[[nodiscard]] Result<QueryPlan> plan_query(const format::Json& tree, std::string_view sql, const TopicShape& topic,
                                           const PlanOptions& options);

/// The topic's columns cut down to what is needed: a struct has only the needed fields, metadata stands last. Never empty.
model::Schema input_schema(const TopicShape& topic, const std::vector<ColumnPath>& needed);
/// What either needs.
std::vector<ColumnPath> merge_needed(const TopicShape& topic, std::vector<ColumnPath> a, const std::vector<ColumnPath>& b);

/// A rule of a contract: a name and an SQL predicate.
struct ContractRule {
  std::string name;
  std::string predicate;
};
/// A query that gives the name of the first rule that is not true, for each record that breaks one. Plan it with `row_first`.
std::string contract_query(std::string_view topic, const std::vector<ContractRule>& rules);

}  // namespace millrace::stream::plan
