#pragma once

#include <functional>
#include <memory>
#include <set>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "model/column.h"
#include "port/relation.h"

namespace millrace::port {

/// A relation that a compiled query reads: the engine sees its name and columns, the rows come with each run.
struct QueryInput {
  std::string name;
  std::shared_ptr<const model::Schema> schema;
};

/// Beside its columns an input has this one: the number of the row in the batch (BIGINT).
inline constexpr std::string_view kRowNumberColumn = "__row";

/// A prepared statement that runs again and again over batches of its input. Threading: one thread.
class CompiledQuery {
 public:
  virtual ~CompiledQuery() = default;
  virtual std::shared_ptr<const model::Schema> output() const = 0;
  /// The rows [first, first + count) of `input` (its schema is the QueryInput's) through the statement. An error in an expression
  /// fails the whole run: the caller narrows it down. The result may point into `input`. Errors: kInvalidArgument in an
  /// expression, kResourceExhausted for memory or too large a result, kDeadlineExceeded after `time_max`, kUnavailable when other
  /// queries hold the memory.
  virtual Result<std::vector<model::ColumnBatch>> run(const model::ColumnBatch& input, size_t first, size_t count,
                                                      Duration time_max = Duration::max()) = 0;
  /// Ends the run in progress, and every later one, with kCancelled. Threading: any thread, as long as the query lives: whoever
  /// destroys it first makes sure that nobody is in here.
  virtual void interrupt() {}
};

struct StatementLimits {
  Duration time_max = std::chrono::seconds(60);
};

class SqlEngine {
 public:
  virtual ~SqlEngine() = default;
  /// Prepares `sql` over one input. Errors: kInvalidArgument with DuckDB's message; where it knows the place the message starts
  /// with "LINE n:c: ".
  virtual Result<std::unique_ptr<CompiledQuery>> compile(const std::string& sql, const QueryInput& input) = 0;
  /// The columns of an SQL column list: `id uuid, name STRUCT("first" text)`.
  virtual Result<model::Schema> parse_columns(const std::string& columns) = 0;
  /// One statement of the shell over the catalog's relations; `on_batch` gets the result piece by piece.
  virtual Status execute(const std::string& sql, Catalog& catalog, const StatementLimits& limits,
                         const std::function<Status(const model::ColumnBatch&)>& on_batch) = 0;

  /// What stream/plan reads and gives back: the syntax tree of `sql` as JSON, and the text of a tree.
  virtual Result<std::string> syntax_tree(const std::string& sql) = 0;
  virtual Result<std::string> statement_from_tree(const std::string& tree) = 0;
  /// Names, in lower case, of functions whose result is not a matter of their arguments, and of aggregates.
  virtual const std::set<std::string>& volatile_functions() const = 0;
  virtual const std::set<std::string>& aggregate_functions() const = 0;
};

}  // namespace millrace::port
