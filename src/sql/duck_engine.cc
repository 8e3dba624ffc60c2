#include "sql/duck_engine.h"

#include <fmt/format.h>

#include <charconv>

#include "format/json_doc.h"
#include "sql/compiled_query.h"
#include "sql/guarded.h"
#include "sql/instance.h"
#include "sql/lexer.h"
#include "sql/shell.h"
#include "sql/shell_rules.h"
#include "sql/text.h"
#include "sql/types.h"

namespace millrace::sql {

Result<std::unique_ptr<DuckEngine>> DuckEngine::open(const EngineOptions& options) {
  std::unique_ptr<DuckEngine> engine(new DuckEngine(std::make_shared<Instances>(options)));
  TRY_DO(engine->read_function_names());
  return engine;
}

DuckEngine::~DuckEngine() = default;

Status DuckEngine::read_function_names() {
  TRY(auto instance, instances_->current());
  TRY(Connection connection, Connection::open(instance));
  TRY(auto unstable,
      connection.texts("SELECT DISTINCT lower(function_name) FROM duckdb_functions() WHERE stability <> 'CONSISTENT'"));
  TRY(auto aggregate,
      connection.texts("SELECT DISTINCT lower(function_name) FROM duckdb_functions() WHERE function_type = 'aggregate'"));
  volatile_functions_.insert(unstable.begin(), unstable.end());
  aggregate_functions_.insert(aggregate.begin(), aggregate.end());
  return {};
}

Status DuckEngine::on_connection(const std::function<Status(Connection&)>& work) {
  TRY(auto instance, instances_->current());
  TRY(Connection connection, Connection::open(instance));
  return Guarded(*instances_, connection, instances_->options().run_time_max).run([&] { return work(connection); });
}

Result<std::unique_ptr<port::CompiledQuery>> DuckEngine::compile(const std::string& sql, const port::QueryInput& input) {
  // DuckDB evaluates constants while it prepares, so the rules come first. Its own words for what does not parse are better.
  if (auto tree = syntax_tree(sql); !tree) {
    if (tree.error().message == kOnlyReads)
      return fail(Errc::kPermissionDenied, "a query is a SELECT; this is another statement");
    if (tree.error().message.find("syntax error") == std::string::npos) return fail(std::move(tree.error()));
  }
  return BatchQuery::create(instances_, sql, input);
}

Result<model::Schema> DuckEngine::parse_columns(const std::string& columns) {
  TRY_DO(check_text(columns));
  // A bracket that closes the list early would make room for another statement.
  int depth = 0;
  Lexer lexer(columns);
  for (Token token = lexer.next(); token.kind != Token::Kind::kEnd; token = lexer.next()) {
    depth += token.text == "(" ? 1 : token.text == ")" ? -1 : 0;
    if (depth < 0 || (depth == 0 && token.text == ";")) {
      return fail(Errc::kInvalidArgument,
                  fmt::format("{}'{}' has no place in a list of columns", line_and_column(columns, token.begin), token.text));
    }
  }
  // The list starts on a line of its own, so that places in messages need only be moved up by one.
  std::string head = "CREATE TEMP TABLE columns (\n";
  size_t size = columns.size();
  auto map = [skip = head.size(), size](size_t position) { return position < skip ? 0 : std::min(position - skip, size); };
  model::Schema schema;
  TRY_DO(on_connection([&](Connection& connection) -> Status {
    TRY(Statement create, connection.prepare(StatementText(head + columns + "\n)", columns, map)));
    if (create.type() != DUCKDB_STATEMENT_TYPE_CREATE) return fail(Errc::kInvalidArgument, "this is not a list of columns");
    TRY_DO(create.execute());
    TRY(Statement select, connection.prepare(StatementText("FROM temp.columns")));
    TRY(schema, select.columns());
    return {};
  }));
  return schema;
}

Result<std::string> DuckEngine::syntax_tree(const std::string& sql) {
  TRY_DO(check_text(sql));
  std::string tree;
  TRY_DO(on_connection([&](Connection& connection) -> Status {
    TRY(tree, tree_of(connection, sql));
    return {};
  }));
  return tree;
}

Result<std::string> DuckEngine::statement_from_tree(const std::string& tree) {
  std::vector<std::string> text;
  TRY_DO(on_connection([&](Connection& connection) -> Status {
    TRY(text, connection.texts("SELECT json_deserialize_sql($1::JSON)", &tree));
    return {};
  }));
  if (text.size() != 1) return fail(Errc::kInternal, "DuckDB gives no text for a tree");
  return std::move(text[0]);
}

Status DuckEngine::execute(const std::string& sql, port::Catalog& catalog, const port::StatementLimits& limits,
                           const std::function<Status(const model::ColumnBatch&)>& on_batch) {
  TRY_DO(check_text(sql));
  return run_shell_statement(*instances_, sql, catalog, limits, on_batch);
}

}  // namespace millrace::sql
