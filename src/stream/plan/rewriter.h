#pragma once

#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "stream/plan/columns.h"
#include "stream/plan/tree.h"

namespace millrace::stream::plan {

/// Makes the expressions of one SELECT deterministic and notes what they read. Call order as below.
class Rewriter {
 public:
  /// `table` is what columns can be qualified with: the alias, or the topic's name.
  Rewriter(std::string_view sql, const TopicShape& topic, std::string table, const PlanOptions& options)
      : sql_(sql), topic_(topic), table_(std::move(table)), options_(options), needed_(topic) {}

  /// Also spells out `*`.
  Status rewrite_select_list(Json::Array& list);
  Status rewrite_where(Json& condition);
  /// An expression from elsewhere: places in `sql` do not hold for it.
  Status rewrite_foreign(Json& expression);

  const Needed& needed() const { return needed_; }
  bool has_unnest() const { return has_unnest_; }

 private:
  Status find_unnests(const Json& node);
  Status expand_star(const Json& star, Json::Array& out);
  Result<std::vector<std::string>> starred_columns(const Json& star, const model::Schema& columns) const;
  Status replace_starred(const Json& star, Json::Array& columns);
  void note_alias(const Json& item);

  Status rewrite(Json& node);
  Status rewrite_children(Json& node);
  Status enter_lambda(Json& left);
  Status rewrite_lambda(Json& node);
  Status rewrite_function(Json& node);
  Status rewrite_column(Json& node);

  /// Whether the names begin with the table's, and a column follows.
  bool is_qualified(const std::vector<std::string>& names) const;
  bool is_parameter(std::string_view name) const;
  Json event_time();
  /// The deterministic form of `now()` and its like; false when the name is none of them.
  bool make_record_time(std::string_view name, Json& out);
  Status make_seeded(std::string_view function, Json& node);
  Json ordinal() const;

  std::string_view sql_;
  const TopicShape& topic_;
  const std::string table_;
  const PlanOptions& options_;
  Needed needed_;
  std::set<std::string> aliases_;        // of the select list, in lower case
  std::vector<std::string> parameters_;  // of the lambdas around
  std::vector<Json> unnested_;           // the lists of UNNEST calls in the select list
  bool has_unnest_ = false;
  bool unnest_is_special_ = false;
  bool in_select_list_ = false;
  bool in_event_time_ = false;
  bool changed_ = false;
  int64_t calls_ = 0;
};

}  // namespace millrace::stream::plan
