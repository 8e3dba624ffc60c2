#include "app/compile.h"

#include <fmt/format.h>

#include <algorithm>
#include <charconv>

#include "app/dag_specs.h"
#include "app/remarks.h"
#include "stream/exec/record_decoder.h"
#include "stream/plan/query_plan.h"

namespace millrace::app {
namespace {

using format::Json;
using project::Location;
namespace plan = stream::plan;

constexpr format::JsonLimits kTreeLimits{.depth_max = 1500, .bytes_max = 64 << 20};

/// "LINE n:c: rest" taken apart; the message as it is when it has no place.
struct PlacedMessage {
  int line = 0;
  int column = 0;
  std::string message;
};

PlacedMessage take_place(const std::string& message) {
  constexpr std::string_view kLine = "LINE ";
  PlacedMessage out{0, 0, message};
  if (!message.starts_with(kLine)) return out;
  const char* end = message.data() + message.size();
  auto [after_line, bad_line] = std::from_chars(message.data() + kLine.size(), end, out.line);
  if (bad_line != std::errc() || after_line == end || *after_line != ':') return {0, 0, message};
  auto [after_column, bad_column] = std::from_chars(after_line + 1, end, out.column);
  if (bad_column != std::errc() || after_column + 1 >= end || *after_column != ':') return {0, 0, message};
  out.message = std::string(after_column + 2, end);
  return out;
}

/// Whether values of `from` always fit into `to`, so that a cast can be put in silently.
bool widens(const model::Type& from, const model::Type& to) {
  using model::TypeId;
  auto integer_bits = [](TypeId id) {
    switch (id) {
      case TypeId::kTinyint: return 8;
      case TypeId::kSmallint: return 16;
      case TypeId::kInteger: return 32;
      case TypeId::kBigint: return 64;
      case TypeId::kHugeint: return 128;
      default: return 0;
    }
  };
  int a = integer_bits(from.id), b = integer_bits(to.id);
  if (a != 0 && b != 0) return a < b;
  if (a != 0 && a <= 32 && to.id == TypeId::kDouble) return true;
  if (from.id == TypeId::kFloat && to.id == TypeId::kDouble) return true;
  return from.id == TypeId::kDecimal && to.id == TypeId::kDecimal && from.scale <= to.scale &&
         from.width - from.scale <= to.width - to.scale;
}

/// The statement with the columns that only widen cast to what the table declares.
std::string with_casts(const std::string& statement, const model::Schema& columns,
                       const std::vector<std::pair<size_t, model::Type>>& casts) {
  if (casts.empty()) return statement;
  std::string out = "SELECT ";
  for (size_t i = 0; i < columns.fields.size(); ++i) {
    std::string name = model::quote_identifier(columns.fields[i].name);
    auto cast = std::find_if(casts.begin(), casts.end(), [i](const auto& one) { return one.first == i; });
    if (i > 0) out += ", ";
    out += cast == casts.end() ? name : fmt::format("CAST({} AS {}) AS {}", name, model::to_sql(cast->second), name);
  }
  return out + " FROM (" + statement + ") AS q";
}

class Compiler {
 public:
  Compiler(const project::Project& project, port::SqlEngine& engine, const std::map<std::string, KnownTopic>& known)
      : project_(project), engine_(engine), known_(known) {}

  Compiled run() {
    for (const project::Topic& topic : project_.topics) compile_topic(topic);
    // A query may read what another one writes, so those whose topic is known come first, round by round.
    std::vector<const project::Query*> waiting;
    for (const project::Query& query : project_.queries) {
      // A draft (LoadResult) has queries that lack what they need; why is among the file's own faults.
      bool whole = !query.sql.empty() && (!query.into_table || project::find(project_.tables, query.into) != nullptr);
      if (whole) waiting.push_back(&query);
    }
    for (bool progress = true; progress;) {
      progress = false;
      for (auto it = waiting.begin(); it != waiting.end();) {
        progress |= compile_query(**it) == Outcome::kDone;
        it = done_.contains((*it)->name) ? waiting.erase(it) : it + 1;
      }
    }
    for (const project::Query* query : waiting) out_.queries.push_back(unready(*query));
    for (const project::Table& table : project_.tables) {
      if (table.columns && !tables_.contains(table.name)) declared_table(table);
    }
    for (auto& [name, def] : tables_) out_.tables.push_back(def);
    out_.dags = dag_specs(project_, faults_);
    out_.faults = std::move(faults_).take();
    return std::move(out_);
  }

 private:
  enum class Outcome { kDone, kWaits };

  void fault(const project::SqlText& sql, const Error& error, std::string_view code = "bad-sql") {
    PlacedMessage placed = take_place(error.message);
    Location at = placed.line > 0 ? sql.at(placed.line, placed.column) : sql.location;
    faults_.add(at, error.code == Errc::kUnimplemented ? "not-yet" : code, placed.message, error.hint);
  }

  std::optional<model::Schema> columns_of(const project::SqlText& columns) {
    auto schema = engine_.parse_columns(columns.text);
    if (schema) return std::move(*schema);
    fault(columns, schema.error(), "bad-columns");
    return std::nullopt;
  }

  const CompiledTopic* topic(std::string_view name) const {
    for (const CompiledTopic& topic : out_.topics) {
      if (model::same_name(topic.name, name)) return &topic;
    }
    return nullptr;
  }

  plan::TopicShape shape_of(const CompiledTopic& topic) {
    plan::TopicShape shape;
    if (auto known = known_.find(topic.name); known != known_.end()) shape.id = known->second.id;
    shape.name = topic.name;
    shape.schema = *topic.schema;
    shape.metadata = stream::metadata_columns();
    const project::Topic* declared = project::find(project_.topics, topic.name);
    if (declared != nullptr && declared->event_time) {
      auto tree = tree_of("SELECT " + declared->event_time->text);
      if (tree) shape.event_time = std::move(*tree);
    }
    return shape;
  }

  Result<Json> tree_of(const std::string& sql) {
    TRY(std::string text, engine_.syntax_tree(sql));
    return format::parse_json(text, kTreeLimits);
  }

  /// Everything a query of the topic can name, so that DuckDB's own words and places can be used for what is wrong.
  port::QueryInput whole_input(const CompiledTopic& topic) {
    auto schema = std::make_shared<model::Schema>(*topic.schema);
    for (const model::Field& field : stream::metadata_columns().fields) schema->fields.push_back(field);
    schema->fields.push_back({"event_time", {model::TypeId::kTimestampTz}});
    return {topic.name, std::move(schema)};
  }

  void compile_topic(const project::Topic& topic) {
    CompiledTopic compiled{topic.name, {}};
    if (topic.schema) {
      compiled.schema = columns_of(*topic.schema);
    } else if (auto known = known_.find(topic.name); known != known_.end()) {
      compiled.schema = known->second.schema;
    }
    out_.topics.push_back(compiled);
    if (!compiled.schema) return;
    if (topic.event_time)
      check_expression(compiled, *topic.event_time, model::TypeId::kTimestampTz, "event_time must be a TIMESTAMP WITH TIME ZONE");
    for (const project::NamedSql& rule : topic.contract)
      check_expression(compiled, rule.sql, model::TypeId::kBoolean, "a contract must be a BOOLEAN");
  }

  void check_expression(const CompiledTopic& topic, const project::SqlText& expression, model::TypeId wanted,
                        std::string_view what) {
    constexpr std::string_view kSelect = "SELECT ";
    auto compiled = engine_.compile(fmt::format("{}{}\nFROM {}", kSelect, expression.text, model::quote_identifier(topic.name)),
                                    whole_input(topic));
    if (!compiled) {
      // The expression stands behind SELECT in the first line of what DuckDB saw.
      PlacedMessage placed = take_place(compiled.error().message);
      int column = placed.line == 1 ? std::max(1, placed.column - static_cast<int>(kSelect.size())) : placed.column;
      faults_.add(placed.line > 0 ? expression.at(placed.line, column) : expression.location, "bad-sql", placed.message,
                  compiled.error().hint);
      return;
    }
    const auto& fields = (*compiled)->output()->fields;
    if (fields.size() == 1 && fields[0].type.id == wanted) return;
    faults_.add(expression.location, "bad-sql",
                fmt::format("{}, not {}", what, fields.size() == 1 ? model::to_sql(fields[0].type) : "several columns"));
  }

  CompiledQuery unready(const project::Query& query) {
    CompiledQuery out;
    out.name = query.name;
    out.into = query.into;
    out.into_table = query.into_table;
    out.connection = query.connection;
    if (auto tree = tree_of(query.sql.text)) out.topic = plan::topic_of(*tree).value_or("");
    return out;
  }

  /// Waits while the topic's schema is not known, which may come from another query.
  Outcome compile_query(const project::Query& query) {
    auto give_up = [&](const Error& error) {
      fault(query.sql, error);
      done_.insert(query.name);
      return Outcome::kWaits;
    };
    auto tree = tree_of(query.sql.text);
    if (!tree) return give_up(tree.error());
    auto name = plan::topic_of(*tree);
    if (!name) return give_up(name.error());
    const CompiledTopic* from = topic(*name);
    if (from == nullptr) {
      std::vector<std::string_view> names;
      for (const CompiledTopic& one : out_.topics) names.push_back(one.name);
      return give_up(
          {Errc::kNotFound, fmt::format("there is no topic '{}' in this file", *name), project::suggestion(*name, names)});
    }
    if (!from->schema) return Outcome::kWaits;
    CompiledTopic topic_copy = *from;
    if (Status done = plan_and_fit(query, topic_copy, *tree); !done) return give_up(done.error());
    done_.insert(query.name);
    return Outcome::kDone;
  }

  Status plan_and_fit(const project::Query& query, const CompiledTopic& from, const Json& tree) {
    // Windows and joins get the plan's sentence; what DuckDB does not like gets DuckDB's, with its place in the text as written.
    plan::TopicShape shape = shape_of(from);
    plan::PlanOptions options;
    options.volatile_functions = engine_.volatile_functions();
    options.aggregate_functions = engine_.aggregate_functions();
    TRY(plan::QueryPlan first, plan::plan_query(tree, query.sql.text, shape, options));
    TRY_DO(engine_.compile(query.sql.text, whole_input(from)));

    const project::Table* table = query.into_table ? project::find(project_.tables, query.into) : nullptr;
    if (table != nullptr && table->delete_when) {
      TRY(Json condition, tree_of("SELECT " + table->delete_when->text));
      options.delete_when = std::move(condition);
    }
    TRY(plan::QueryPlan planned, plan::plan_query(tree, query.sql.text, shape, options));
    TRY(std::string statement, engine_.statement_from_tree(to_json(planned.tree)));

    CompiledQuery out;
    out.name = query.name;
    out.topic = from.name;
    out.into = query.into;
    out.into_table = query.into_table;
    out.connection = query.connection;
    out.on_data_loss =
        query.on_data_loss == project::OnDataLoss::kContinue ? stream::OnDataLoss::kContinue : stream::OnDataLoss::kFail;
    out.ready = true;
    out.spec.query = query.name;
    out.spec.topic = from.name;
    out.spec.on_error = query.on_error == project::OnError::kFail   ? stream::OnError::kFail
                        : query.on_error == project::OnError::kSkip ? stream::OnError::kSkip
                                                                    : stream::OnError::kDeadLetter;
    std::vector<plan::ColumnPath> needed = planned.needed;
    TRY_DO(add_contract(shape, options, out.spec, needed));
    out.spec.input = std::make_shared<const model::Schema>(plan::input_schema(shape, needed));

    TRY(auto compiled, engine_.compile(statement, {from.name, out.spec.input}));
    model::Schema columns = *compiled->output();
    model::Schema visible = columns;
    if (options.delete_when) visible.fields.pop_back();
    visible.fields.pop_back();
    if (visible.fields.empty()) return fail(Errc::kInvalidArgument, "the query has no columns");
    out.output = visible;
    std::vector<std::pair<size_t, model::Type>> casts;
    if (query.into_table) {
      fit_table(query, *table, out.output, casts);
      warn_key_across_partitions(project_, query, *table, from.name, tree, faults_);
    } else {
      fit_topic(query, out.output);
    }
    for (const auto& [column, type] : casts) out.output.fields[column].type = type;
    out.spec.statement = with_casts(statement, columns, casts);
    warn_lost_zones(query, *from.schema, out.output, faults_);
    out.plan = plan_in_words(project_, query, planned, out);
    out_.queries.push_back(std::move(out));
    return {};
  }

  Status add_contract(const plan::TopicShape& shape, plan::PlanOptions options, stream::PipelineSpec& spec,
                      std::vector<plan::ColumnPath>& needed) {
    const project::Topic* declared = project::find(project_.topics, shape.name);
    if (declared == nullptr || declared->contract.empty()) return {};
    std::vector<plan::ContractRule> rules;
    for (const project::NamedSql& rule : declared->contract) rules.push_back({rule.name, rule.sql.text});
    std::string sql = plan::contract_query(shape.name, rules);
    TRY(Json tree, tree_of(sql));
    options.row_first = true;
    options.delete_when.reset();
    TRY(plan::QueryPlan planned, plan::plan_query(tree, sql, shape, options));
    TRY(spec.contract, engine_.statement_from_tree(to_json(planned.tree)));
    needed = plan::merge_needed(shape, std::move(needed), planned.needed);
    return {};
  }

  /// The table's columns against the query's; a table that declares none takes the query's.
  void fit_table(const project::Query& query, const project::Table& table, const model::Schema& output,
                 std::vector<std::pair<size_t, model::Type>>& casts) {
    auto known = tables_.find(table.name);
    if (known == tables_.end()) {
      std::optional<model::Schema> columns = table.columns ? columns_of(*table.columns) : output;
      if (!columns || !define(table, std::move(*columns))) return;
      known = tables_.find(table.name);
    }
    const model::Schema& columns = known->second.schema;
    std::vector<std::string_view> names;
    for (const model::Field& field : columns.fields) names.push_back(field.name);
    for (size_t i = 0; i < output.fields.size(); ++i) {
      const model::Field& field = output.fields[i];
      auto column = columns.find(field.name);
      if (!column) {
        faults_.add(
            query.sql.location, "column-mismatch",
            fmt::format("query {} gives the column '{}', which table {} does not have", query.name, field.name, table.name),
            project::suggestion(field.name, names));
      } else if (const model::Type& wanted = columns.fields[*column].type; !(wanted == field.type)) {
        if (widens(field.type, wanted)) {
          casts.emplace_back(i, wanted);
        } else {
          faults_.add(query.sql.location, "column-mismatch",
                      fmt::format("query {} gives '{}' as {}, table {} has it as {}", query.name, field.name,
                                  model::to_sql(field.type), table.name, model::to_sql(wanted)),
                      fmt::format("write CAST({} AS {})", model::quote_identifier(field.name), model::to_sql(wanted)));
        }
      }
    }
    for (size_t i = 0; i < columns.fields.size(); ++i) {
      if (output.find(columns.fields[i].name)) continue;
      const table::TableDef& def = known->second;
      bool key = std::count(def.partition_key.begin(), def.partition_key.end(), i) > 0 ||
                 std::any_of(def.clustering.begin(), def.clustering.end(), [i](const auto& one) { return one.column == i; });
      faults_.add(
          query.sql.location, key ? "column-mismatch" : "unfilled-column",
          fmt::format("query {} does not give the column '{}' of table {}", query.name, columns.fields[i].name, table.name));
    }
  }

  void declared_table(const project::Table& table) {
    if (auto columns = columns_of(*table.columns)) define(table, std::move(*columns));
  }

  bool define(const project::Table& table, model::Schema columns) {
    table::TableDef def;
    def.name = table.name;
    def.schema = std::move(columns);
    def.ttl = table.ttl;
    if (table.delete_when) def.delete_when = table.delete_when->text;
    std::vector<std::string_view> names;
    for (const model::Field& field : def.schema.fields) names.push_back(field.name);
    bool whole = true;
    auto resolve = [&](const project::KeyColumn& key) -> size_t {
      if (auto column = def.schema.find(key.name)) return *column;
      faults_.add(key.location, "unknown-reference", fmt::format("table {} has no column '{}' for its key", table.name, key.name),
                  project::suggestion(key.name, names));
      whole = false;
      return 0;
    };
    for (const project::KeyColumn& key : table.partition_key) def.partition_key.push_back(resolve(key));
    for (const project::KeyColumn& key : table.clustering) def.clustering.push_back({resolve(key), key.descending});
    if (!whole) return false;
    if (Status sound = table::check_table_def(def); !sound) {
      faults_.add(table.location, "bad-columns", sound.error().message, sound.error().hint);
      return false;
    }
    tables_.emplace(table.name, std::move(def));
    return true;
  }

  /// An output topic without a schema of its own has the query's columns.
  void fit_topic(const project::Query& query, const model::Schema& output) {
    model::Schema values = output;
    std::erase_if(values.fields, [](const model::Field& field) { return model::same_name(field.name, "_key"); });
    for (CompiledTopic& into : out_.topics) {
      if (!model::same_name(into.name, query.into)) continue;
      const project::Topic* declared = project::find(project_.topics, into.name);
      if (declared == nullptr || !declared->schema) {
        into.schema = values;
        return;
      }
      if (!into.schema) return;
      for (const model::Field& field : into.schema->fields) {
        if (values.find(field.name)) continue;
        faults_.add(query.sql.location, "unfilled-column",
                    fmt::format("query {} does not give the column '{}' of topic {}", query.name, field.name, into.name));
      }
    }
  }

  const project::Project& project_;
  port::SqlEngine& engine_;
  const std::map<std::string, KnownTopic>& known_;
  project::FaultList faults_;
  Compiled out_;
  std::set<std::string> done_;
  std::map<std::string, table::TableDef> tables_;
};

}  // namespace

bool has_errors(const std::vector<project::Fault>& faults) {
  return std::any_of(faults.begin(), faults.end(),
                     [](const project::Fault& fault) { return fault.severity == project::Severity::kError; });
}

bool Compiled::has_errors() const { return app::has_errors(faults); }

Compiled compile(const project::Project& project, port::SqlEngine& engine, const std::map<std::string, KnownTopic>& known) {
  return Compiler(project, engine, known).run();
}

}  // namespace millrace::app
