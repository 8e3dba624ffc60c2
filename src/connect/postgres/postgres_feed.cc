#include "connect/postgres/postgres_feed.h"

#include <fmt/format.h>

#include "connect/postgres/table_shape.h"

namespace millrace::connect::postgres {
namespace {

constexpr Duration kPatience = std::chrono::seconds(10);
constexpr size_t kBatchMax = 1'000'000;

bool increases(std::string_view type) {
  return type == "bigint" || type == "integer" || type == "smallint" || type == "numeric" || type == "uuid" || type == "text" ||
         type == "character varying" || type == "date" || type.starts_with("timestamp");
}

}  // namespace

PostgresFeed::PostgresFeed(Target target, FeedOptions options, env::Clock& clock)
    : target_(std::move(target)), options_(std::move(options)), clock_(clock) {
  if (!options_.start.empty()) last_ = options_.start;
}

Result<std::unique_ptr<PostgresFeed>> PostgresFeed::create(const PostgresOptions& options, FeedOptions feed, env::Env env) {
  TRY(Target target, read_options(options));
  if (feed.table.empty() == feed.query.empty())
    return fail(Errc::kInvalidArgument, "a source from PostgreSQL reads either a table or a query");
  if (feed.column.empty())
    return fail(Errc::kInvalidArgument, "a source from PostgreSQL needs the column that increases", "column: id");
  if (feed.batch_max == 0 || feed.batch_max > kBatchMax)
    return fail(Errc::kInvalidArgument, fmt::format("a source from PostgreSQL reads 1 to {} rows at a time", kBatchMax));
  if (!feed.table.empty()) TRY_DO(parse_table_name(feed.table));
  return std::unique_ptr<PostgresFeed>(new PostgresFeed(std::move(target), std::move(feed), env.clock));
}

Status PostgresFeed::resume(const std::string& position) {
  last_.reset();
  if (position.empty()) return {};
  std::string prefix = options_.column + "=";
  if (!position.starts_with(prefix))
    return fail(Errc::kFailedPrecondition,
                fmt::format("{}: the stored position '{}' is none of column '{}'", target_.shown, position, options_.column),
                "give the source another name, or reset it");
  last_ = position.substr(prefix.size());
  return {};
}

std::string PostgresFeed::from() const {
  if (!options_.query.empty()) return fmt::format("({}\n)", options_.query);
  return parse_table_name(options_.table)->quoted();
}

Status PostgresFeed::learn_type(Connection& connection) {
  if (!type_.empty()) return {};
  std::string column = model::quote_identifier(options_.column);
  TRY(Rows rows, connection.execute(fmt::format("SELECT pg_typeof((SELECT s.{} FROM {} s LIMIT 0))::text", column, from())));
  std::string type(rows.text(0, 0));
  if (!increases(type))
    return fail(Errc::kFailedPrecondition,
                fmt::format("{}: column '{}' is {}, which does not increase", target_.shown, options_.column, type),
                "name a column of numbers, times, or ids that grow, such as uuid version 7");
  if (options_.settle > Duration(0) && type != "timestamp with time zone")
    return fail(Errc::kFailedPrecondition,
                fmt::format("{}: settle needs a column that is timestamptz, '{}' is {}", target_.shown, options_.column, type));
  type_ = type;
  return {};
}

/// Ordered by the bytes of a text, so that a later server with other collations reads on at the same place.
Result<std::vector<model::Record>> PostgresFeed::read(Connection& connection) {
  TRY_DO(learn_type(connection));
  bool text = type_ == "text" || type_ == "character varying";
  std::string column = model::quote_identifier(options_.column), ordered = "s." + column + (text ? " COLLATE \"C\"" : "");
  std::string row = "s";
  if (!options_.columns.empty()) {
    row.clear();
    for (const std::string& name : options_.columns) row += (row.empty() ? "" : ", ") + ("s." + model::quote_identifier(name));
    row = fmt::format("(SELECT r FROM (SELECT {}) r)", row);
  }
  std::string key = options_.key.empty() ? "NULL" : fmt::format("s.{}::text", model::quote_identifier(options_.key));
  std::string where = fmt::format("s.{} IS NOT NULL", column);
  Parameters parameters;
  if (last_) {
    where += fmt::format(" AND {} > $1::{}", ordered, type_);
    parameters.push_back(last_);
  }
  if (options_.settle > Duration(0))
    where += fmt::format(" AND s.{} <= clock_timestamp() - interval '{} microseconds'", column, options_.settle.count());
  TRY(Rows rows,
      connection.query(fmt::format("SELECT s.{}::text, {}, row_to_json({})::text FROM {} s WHERE {} ORDER BY {} FETCH FIRST {} "
                                   "ROWS WITH TIES",
                                   column, key, row, from(), where, ordered, options_.batch_max),
                       parameters));
  std::vector<model::Record> records;
  for (size_t i = 0; i < rows.size(); ++i) {
    model::Record record;
    if (!rows.is_null(i, 1)) record.key = rows.text(i, 1);
    record.value = rows.text(i, 2);
    records.push_back(std::move(record));
  }
  if (rows.size() > 0) last_ = rows.text(rows.size() - 1, 0);
  full_ = rows.size() >= options_.batch_max;
  return records;
}

port::Feed::Polled PostgresFeed::poll(std::stop_token stop) {
  auto interrupt = std::make_shared<Interrupt>();
  std::stop_callback on_stop(stop, [&] { interrupt->set(); });
  Polled polled;
  polled.next_delay = options_.interval;
  std::string name = target_.application_name.empty() ? "millrace source" : target_.application_name;
  auto work = [&]() -> Result<std::vector<model::Record>> {
    if (connection_ == nullptr) {
      TRY(connection_, Connection::open_patiently(target_, name, interrupt, clock_, kPatience));
    }
    connection_->use(interrupt);
    return read(*connection_);
  };
  auto records = work();
  if (connection_ != nullptr && connection_->broken()) connection_.reset();
  if (records) {
    polled.records = std::move(*records);
    if (full_) polled.next_delay = Duration(0);
  } else {
    polled.error = records.error();
  }
  if (last_) polled.position = fmt::format("{}={}", options_.column, *last_);
  return polled;
}

}  // namespace millrace::connect::postgres
