#include "sql/shell.h"

#include <fmt/format.h>

#include <algorithm>
#include <deque>
#include <map>
#include <set>

#include "format/json_doc.h"
#include "sql/call_rules.h"
#include "sql/error.h"
#include "sql/expansion_rules.h"
#include "sql/guarded.h"
#include "sql/lexer.h"
#include "sql/relation_source.h"
#include "sql/shell_rules.h"
#include "sql/splices.h"
#include "sql/statement_shape.h"
#include "sql/types.h"
#include "sql/vectors.h"

namespace millrace::sql {
namespace {

using format::Json;

std::vector<Token> tokens_of(std::string_view sql) {
  std::vector<Token> tokens;
  Lexer lexer(sql);
  for (Token token = lexer.next(); token.kind != Token::Kind::kEnd; token = lexer.next()) tokens.push_back(token);
  return tokens;
}

/// A row is shown as an object: the second `a` becomes `a_1`, as DuckDB calls it in a subquery.
void make_names_unique(model::Schema& columns) {
  std::set<std::string> taken;
  std::map<std::string, size_t> repeats;
  for (model::Field& field : columns.fields) {
    const std::string name = field.name;
    while (!taken.insert(field.name).second) field.name = fmt::format("{}_{}", name, ++repeats[name]);
  }
}

/// A statement on its way to DuckDB.
class Shell {
 public:
  Shell(Connection& connection, const std::string& sql, port::Catalog& catalog)
      : connection_(connection), sql_(sql), snapshot_(catalog.snapshot()) {}
  ~Shell() {
    for (int64_t id : scan_ids_) connection_.instance()->scans().remove(id);
  }

  Status run(const std::function<Status(const model::ColumnBatch&)>& on_batch) {
    TRY_DO(check_kind());
    TRY_DO(read_tree());
    TRY_DO(check_table_functions());
    if (shape_.show) TRY_DO(splice_show());
    TRY_DO(splice_relations());
    TRY(Statement statement, prepare());
    TRY(model::Schema columns, statement.columns());
    make_names_unique(columns);
    auto schema = std::make_shared<const model::Schema>(std::move(columns));
    TRY(Rows rows, statement.execute());
    bool any = false;
    while (true) {
      TRY(duckdb_data_chunk chunk, rows.next());
      if (chunk == nullptr) break;
      any = true;
      model::ColumnBatch batch = view_chunk(chunk, schema, nullptr);
      MemoryPause ours;
      TRY_DO(on_batch(batch));
    }
    // A result without rows still has columns.
    MemoryPause ours;
    return any ? Status() : on_batch(empty_batch(schema));
  }

  /// The error of a relation, which DuckDB has only the words of.
  std::optional<Error> scan_error() const {
    for (const RelationSource& source : sources_) {
      if (source.error()) return source.error();
    }
    return std::nullopt;
  }

 private:
  static model::ColumnBatch empty_batch(const std::shared_ptr<const model::Schema>& schema) {
    model::ColumnBatch batch{schema, {}, 0, schema};
    for (const model::Field& field : schema->fields) batch.columns.push_back(empty_column(field.type));
    return batch;
  }
  static model::Column empty_column(const model::Type& type) {
    model::Column column{&type, nullptr, nullptr, {}};
    for (const model::Field& field : type.fields) column.children.push_back(empty_column(field.type));
    return column;
  }

  Status check_kind() {
    tokens_ = tokens_of(sql_);
    while (!tokens_.empty() && tokens_.back().text == ";") tokens_.pop_back();
    if (tokens_.empty()) return fail(Errc::kInvalidArgument, "the statement is empty");
    for (const Token& token : tokens_) {
      if (token.text == ";")
        return fail(Errc::kInvalidArgument, line_and_column(sql_, token.begin) + "several statements at once",
                    "run them one by one");
    }
    // The text that is parsed keeps its length, so that places stay true.
    statement_ = sql_.substr(0, tokens_.back().end());
    first_ = 0;
    if (is_word(tokens_[0], "EXPLAIN")) {
      first_ = tokens_.size() > 1 && is_word(tokens_[1], "ANALYZE") ? 2 : 1;
      explain_ = first_ == 2 ? "EXPLAIN ANALYZE " : "EXPLAIN ";
      for (size_t i = 0; i < first_; ++i)
        std::fill_n(statement_.begin() + static_cast<ptrdiff_t>(tokens_[i].begin), tokens_[i].text.size(), ' ');
      if (first_ == tokens_.size()) return fail(Errc::kInvalidArgument, "EXPLAIN what? A SELECT must follow");
    }
    Status allowed = check_first_word(tokens_[first_]);
    if (!allowed) allowed.error().message = line_and_column(sql_, tokens_[first_].begin) + allowed.error().message;
    return allowed;
  }

  Status read_tree() {
    TRY(std::string text, tree_of(connection_, statement_));
    TRY(Json tree, format::parse_json(text, {.depth_max = format::kJsonDocDepthMax, .bytes_max = 64 << 20}));
    shape_ = read_shape(tree);
    if (shape_.statements != 1) return fail(Errc::kInvalidArgument, "several statements at once", "run them one by one");
    return {};
  }

  std::string place(const std::optional<size_t>& position) const {
    return position ? line_and_column(sql_, *position) : std::string();
  }

  Status check_table_functions() {
    for (const TableFunctionUse& use : shape_.table_functions) {
      if (is_open_table_function(use.name)) continue;
      return fail(Errc::kPermissionDenied,
                  fmt::format("{}the table function {}() is not available here", place(use.position), use.name),
                  "FROM takes topics, tables, and range, generate_series, unnest, json_each, json_tree, repeat");
    }
    return {};
  }

  Status splice_show() {
    if (!model::same_name(*shape_.show, "\"tables\"")) {
      return fail(Errc::kPermissionDenied, "SHOW takes TABLES or the name of a topic or table");
    }
    std::string rows;
    for (const std::string& name : snapshot_->names()) rows += (rows.empty() ? "(" : ", (") + model::quote_literal(name) + ")";
    std::string select = "SELECT name FROM (VALUES " + (rows.empty() ? "(NULL)" : rows) +
                         ") AS relations(name) WHERE name IS NOT NULL ORDER BY name";
    splices_.replace(tokens_[first_].begin, statement_.size(), select);
    return {};
  }

  Status splice_relations() {
    for (const RelationUse& use : shape_.relations) {
      port::Relation* relation = use.catalog.empty() ? snapshot_->find(use.schema, use.name) : nullptr;
      if (relation == nullptr) return unknown(use);
      sources_.emplace_back(*relation, use, shape_);
      scan_ids_.push_back(connection_.instance()->scans().add(sources_.back()));
      TRY_DO(splice_relation(use, fmt::format("{}({})", kScanFunction, scan_ids_.back())));
    }
    for (const StarUse& star : shape_.stars) splice_star(star);
    for (const ColumnUse& column : shape_.columns) splice_column(column);
    return {};
  }

  tl::unexpected<Error> unknown(const RelationUse& use) const {
    std::string name = use.catalog.empty() ? "" : use.catalog + ".";
    name += use.schema.empty() ? use.name : use.schema + "." + use.name;
    std::vector<std::string> names = snapshot_->names();
    std::string near = nearest_name(name, names);
    std::string hint = !near.empty()   ? "did you mean '" + near + "'?"
                       : names.empty() ? "there are no topics or tables yet"
                                       : "SHOW TABLES lists what there is";
    return fail(Errc::kNotFound, fmt::format("{}there is no topic or table '{}'", place(use.position), name), std::move(hint));
  }

  /// The tokens of a dotted name that begins at the position, when it is `names`; 0 otherwise.
  size_t tokens_of_name(size_t token, const std::vector<std::string>& names) const {
    size_t at = token;
    for (size_t i = 0; i < names.size(); ++i) {
      if (i > 0 && (at >= tokens_.size() || tokens_[at++].text != ".")) return 0;
      if (at >= tokens_.size() || !model::same_name(tokens_[at++].name(), names[i])) return 0;
    }
    return at - token;
  }

  size_t token_at(size_t position) const {
    auto at = std::lower_bound(tokens_.begin(), tokens_.end(), position,
                               [](const Token& token, size_t value) { return token.begin < value; });
    return static_cast<size_t>(at - tokens_.begin());
  }

  Status splice_relation(const RelationUse& use, const std::string& scan) {
    std::vector<std::string> names;
    if (!use.schema.empty()) names.push_back(use.schema);
    names.push_back(use.name);
    size_t token = use.position ? token_at(*use.position) : tokens_.size();
    size_t count = tokens_of_name(token, names);
    if (count == 0)
      return fail(Errc::kUnimplemented, fmt::format("'{}' stands where a relation cannot be read", use.name),
                  "write SELECT … FROM " + use.name);
    size_t begin = tokens_[token].begin;
    std::string text = scan;
    bool after_table = token > 0 && is_word(tokens_[token - 1], "TABLE");
    if (use.described || after_table) text = "SELECT * FROM " + scan;
    if (after_table) begin = tokens_[token - 1].begin;
    if (use.alias.empty() && !use.described) text += " AS " + model::quote_identifier(use.name);
    splices_.replace(begin, tokens_[token + count - 1].end(), text);
    return {};
  }

  /// `SELECT *, _offset`: what is there because it was named does not come a second time.
  void splice_star(const StarUse& star) {
    const std::vector<std::string>& hidden = sources_[star.relation].hidden();
    size_t token = token_at(star.position);
    while (token < tokens_.size() && tokens_[token].text != "*") ++token;
    if (hidden.empty() || token == tokens_.size()) return;
    std::string names;
    for (const std::string& name : hidden) names += (names.empty() ? "" : ", ") + model::quote_identifier(name);
    splices_.replace(tokens_[token].end(), tokens_[token].end(), " EXCLUDE (" + names + ")");
  }

  /// `keyspace.table.column`: the scan is known by the table's name alone.
  void splice_column(const ColumnUse& column) {
    if (column.names.size() < 3 || !column.position) return;
    auto named = [&](const RelationUse& use) {
      return !use.schema.empty() && use.alias.empty() && model::same_name(use.schema, column.names[0]) &&
             model::same_name(use.name, column.names[1]);
    };
    if (std::none_of(shape_.relations.begin(), shape_.relations.end(), named)) return;
    size_t token = token_at(*column.position);
    if (tokens_of_name(token, {column.names[0], column.names[1]}) != 3) return;
    splices_.replace(tokens_[token].begin, tokens_[token + 2].begin, "");
  }

  Result<Statement> prepare() {
    std::string executed = splices_.apply(statement_);
    PositionMap back = splices_.way_back();
    TRY(Statement statement,
        connection_.prepare(StatementText(explain_ + executed, sql_, [skip = explain_.size(), back](size_t position) {
          return back(position < skip ? 0 : position - skip);
        })));
    if (duckdb_nparams(statement.get()) > 0)
      return fail(Errc::kInvalidArgument, "the statement has parameters ($1 or ?)", "write the values themselves");
    if (statement.columns()) return statement;
    return connection_.prepare(StatementText(with_casts(statement, executed), sql_, {}));
  }

  /// The statement with every column of a type that Millrace lacks as text.
  static std::string with_casts(const Statement& statement, const std::string& executed) {
    std::string select, names;
    idx_t count = duckdb_prepared_statement_column_count(statement.get());
    for (idx_t i = 0; i < count; ++i) {
      const char* name = duckdb_prepared_statement_column_name(statement.get(), i);
      LogicalType type(duckdb_prepared_statement_column_logical_type(statement.get(), i));
      if (i > 0) select += ", ", names += ", ";
      std::string column = fmt::format("c{}", i);
      select += (from_duckdb(type.get()) ? column : "CAST(" + column + " AS VARCHAR)") + " AS " + model::quote_identifier(name);
      names += column;
      duckdb_free(const_cast<char*>(name));
    }
    return "SELECT " + select + " FROM (" + executed + "\n) AS statement(" + names + ")";
  }

  Connection& connection_;
  const std::string& sql_;
  std::unique_ptr<port::CatalogSnapshot> snapshot_;
  std::vector<Token> tokens_;
  std::string statement_;  // without EXPLAIN, which is blanked, and without the last semicolon
  std::string explain_;
  size_t first_ = 0;  // token behind EXPLAIN
  StatementShape shape_;
  std::deque<RelationSource> sources_;  // one for each of shape_.relations
  std::vector<int64_t> scan_ids_;
  Splices splices_;
};

}  // namespace

Result<std::string> tree_of(Connection& connection, const std::string& sql) {
  TRY(auto texts, connection.texts("SELECT json_serialize_sql($1::VARCHAR)", &sql));
  if (texts.size() != 1) return fail(Errc::kInternal, "DuckDB gives no syntax tree");
  if (!texts[0].starts_with("{\"error\":true")) {
    // A quote inside of a text would have a backslash before it, so this is the constant itself.
    if (texts[0].find("\"value\":Infinity") != std::string::npos)
      return fail(Errc::kInvalidArgument, "a number in the statement is too large for DOUBLE, which ends at about 1.8e308");
    TRY(Json tree, format::parse_json(texts[0], {.depth_max = format::kJsonDocDepthMax, .bytes_max = 64 << 20}));
    TRY_DO(check_calls(tree, sql));
    TRY_DO(check_expansion(tree));
    return std::move(texts[0]);
  }
  TRY(Json error, format::parse_json(texts[0]));
  if (error.string_or("error_type", "") == "not implemented") return fail(Errc::kPermissionDenied, std::string(kOnlyReads));
  std::string position = error.string_or("position", "");
  std::string place =
      position.empty() ? "" : line_and_column(sql, std::min<size_t>(std::strtoull(position.c_str(), nullptr, 10), sql.size()));
  return fail(Errc::kInvalidArgument, place + in_our_words(error.string_or("error_message", "the statement does not parse")));
}

Status run_shell_statement(Instances& instances, const std::string& sql, port::Catalog& catalog,
                           const port::StatementLimits& limits,
                           const std::function<Status(const model::ColumnBatch&)>& on_batch) {
  TRY(auto instance, instances.current());
  TRY(Connection connection, Connection::open(std::move(instance)));
  Guarded guarded(instances, connection, limits.time_max);
  Shell shell(connection, sql, catalog);
  Status done = guarded.run([&] { return shell.run(on_batch); });
  if (done || done.error().code == Errc::kDeadlineExceeded) return done;
  // Whoever sent the statement shall not take it for a server that does not answer.
  if (done.error().code == Errc::kUnavailable) done.error().code = Errc::kResourceExhausted;
  if (auto error = shell.scan_error()) return fail(std::move(*error));
  return done;
}

}  // namespace millrace::sql
