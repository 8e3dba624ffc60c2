#pragma once

#include <map>
#include <optional>
#include <string>
#include <vector>

#include "dag/core/dag_spec.h"
#include "model/schema.h"
#include "port/sql_engine.h"
#include "project/project.h"
#include "stream/exec/pipeline.h"
#include "stream/exec/runner.h"
#include "table/table.h"

namespace millrace::app {

/// What a data directory knows of a topic.
struct KnownTopic {
  model::TopicId id;
  std::optional<model::Schema> schema;  // frozen when its first records came
};

/// A topic as SQL sees it.
struct CompiledTopic {
  std::string name;
  std::optional<model::Schema> schema;  // declared, known, or that of the query which writes it
};

/// A query that was found to compile.
struct CompiledQuery {
  std::string name;
  std::string topic;
  std::string into;
  bool into_table = false;
  std::string connection;  // where `into` is; empty: where the profile says
  stream::OnDataLoss on_data_loss = stream::OnDataLoss::kFail;
  /// False while the topic has no schema: everything below is empty then.
  bool ready = false;
  stream::PipelineSpec spec;
  model::Schema output;           // the columns that reach the sink
  std::vector<std::string> plan;  // its stages in words, for `explain`
};

struct Compiled {
  std::vector<CompiledTopic> topics;
  std::vector<CompiledQuery> queries;
  /// Tables whose columns are known.
  std::vector<table::TableDef> tables;
  std::vector<dag::DagSpec> dags;
  /// What only the SQL engine can find: SQL that does not compile, columns that do not fit. Sorted by place.
  std::vector<project::Fault> faults;

  bool has_errors() const;
};
bool has_errors(const std::vector<project::Fault>& faults);

/// Compiles every schema, contract, query and dag of the project against each other. Reads nothing but its arguments.
/// `known` may be empty: `check` looks at no data.
Compiled compile(const project::Project& project, port::SqlEngine& engine, const std::map<std::string, KnownTopic>& known);

}  // namespace millrace::app
