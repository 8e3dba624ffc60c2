#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/time.h"
#include "connect/postgres/connection.h"
#include "connect/postgres/options.h"
#include "env/env.h"
#include "port/feed.h"

namespace millrace::connect::postgres {

struct FeedOptions {
  std::string table;   // schema.table, table
  std::string query;   // instead of a table: a SELECT
  std::string column;  // the one that increases
  /// Columns of a record; empty: all.
  std::vector<std::string> columns;
  std::string key;    // the column whose text is the record's key; empty: no key
  std::string start;  // read what is above it; empty: everything
  size_t batch_max = 10'000;
  Duration interval = std::chrono::seconds(1);
  /// Of a timestamptz column: read only what is so old that a transaction which is longer in coming is not expected.
  Duration settle{0};
};

/// A table, or a query, with a column that increases: every poll reads the rows above the last value seen. A record's value is
/// the row as a JSON object, numbers exact (`row_to_json`).
///
/// A row is missed when its value is not above one that was read before it became visible: a transaction that commits later than
/// one with a higher value, which `settle` gives time to; a row that is changed without its column growing; a NULL. Rows of equal
/// value come together when they are visible together. Threading: port::Feed.
class PostgresFeed : public port::Feed {
 public:
  /// kInvalidArgument for options that make no sense; nothing is connected yet.
  static Result<std::unique_ptr<PostgresFeed>> create(const PostgresOptions& options, FeedOptions feed, env::Env env);

  Polled poll(std::stop_token stop) override;
  Status resume(const std::string& position) override;

 private:
  PostgresFeed(Target target, FeedOptions options, env::Clock& clock);
  Result<std::vector<model::Record>> read(Connection& connection);
  Status learn_type(Connection& connection);
  std::string from() const;

  const Target target_;
  const FeedOptions options_;
  env::Clock& clock_;
  std::unique_ptr<Connection> connection_;
  std::string type_;  // of the column; empty until it was asked for
  std::optional<std::string> last_;
  bool full_ = false;  // the last poll left something
};

}  // namespace millrace::connect::postgres
