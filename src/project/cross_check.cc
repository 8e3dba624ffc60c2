#include "project/cross_check.h"

#include <fmt/format.h>

#include <algorithm>
#include <unordered_map>
#include <unordered_set>

namespace millrace::project {
namespace {

std::string lower(std::string_view name) {
  std::string out(name);
  for (char& c : out) c = c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c;
  return out;
}

template <class T>
std::unordered_map<std::string_view, const T*> by_name(const std::vector<T>& things) {
  std::unordered_map<std::string_view, const T*> out;
  for (const T& thing : things) out.emplace(thing.name, &thing);
  return out;
}

template <class T>
std::string suggest(std::string_view name, const std::vector<T>& things, const FaultList& faults) {
  constexpr size_t kComparedMax = 1000;
  std::vector<std::string_view> known;
  if (faults.full()) return {};
  for (size_t i = 0; i < things.size() && i < kComparedMax; ++i) known.push_back(things[i].name);
  return suggestion(name, known);
}

/// Topics and tables are found by name in one SQL space, where case does not count.
void check_relation_names(const Project& project, FaultList& faults) {
  std::unordered_map<std::string, const Location*> seen;
  auto add = [&](const std::string& name, const Location& at) {
    if (lower(name) == "dead_letters") {
      return faults.add(at, "bad-name", "'dead_letters' is the relation of the dead letters", "choose another name");
    }
    auto [first, is_new] = seen.emplace(lower(name), &at);
    if (!is_new) {
      faults.add(at, "duplicate-name", fmt::format("'{}' has the name of another topic or table", name),
                 fmt::format("the other is at {}; SQL does not tell case", to_string(*first->second)));
    }
  };
  for (const Topic& topic : project.topics) add(topic.name, topic.location);
  for (const Table& table : project.tables) add(table.name, table.location);
}

bool holds_tables(const Connection& connection) {
  return connection.scheme() == "postgresql" || connection.scheme() == "cassandra";
}

/// What the names say about where things are: `archive.people` is in the connection `archive`.
void place_in_connections(Project& project, FaultList& faults) {
  auto use = [&](std::string_view name) {
    for (Connection& connection : project.connections) connection.used = connection.used || connection.name == name;
  };
  for (Table& table : project.tables) {
    const Connection* there = connection_of(project, table.name);
    if (there == nullptr) continue;
    use(table.connection = there->name);
    if (!holds_tables(*there)) {
      faults.add(table.location, "bad-name",
                 fmt::format("the connection '{}' ({}) holds no tables", there->name, there->scheme()),
                 "write into it with a query, without declaring a table");
    }
  }
  for (const Topic& topic : project.topics) {
    const Connection* there = connection_of(project, topic.name);
    if (there == nullptr) continue;
    faults.add(topic.location, "bad-name", fmt::format("'{}' begins with the name of a connection", topic.name),
               "the topics of a pipeline are all in the profile's log; rename one of the two");
  }
  for (const Source& source : project.sources) {
    const auto* poll = std::get_if<PostgresPoll>(&source.from);
    if (poll == nullptr || poll->connection.empty()) continue;
    const Connection* there = find(project.connections, poll->connection);
    use(poll->connection);
    if (there != nullptr && there->scheme() == "postgresql") continue;
    faults.add(poll->connection_location, "unknown-reference",
               fmt::format("'{}' is no connection to PostgreSQL", poll->connection),
               suggest(poll->connection, project.connections, faults));
  }
}

/// The landing of a source's records as they came is a query like any other, so it has a position, counts and a guarantee.
void add_raw_landings(Project& project, FaultList& faults) {
  for (const Source& source : project.sources) {
    if (source.raw_into.empty() || source.into.empty()) continue;
    const Connection* there = connection_of(project, source.raw_into);
    if (there == nullptr || there->scheme() != "postgresql") {
      faults.add(source.raw_into_location, "unknown-reference",
                 fmt::format("'{}' is no table of a connection to PostgreSQL", source.raw_into),
                 "write <connection>.<table>, and the connection under connections:");
      continue;
    }
    auto sql = [&](std::string text) { return SqlText{std::move(text), source.raw_into_location, 0, {}, false}; };
    Query query;
    query.name = source.name + "$raw";
    query.location = query.into_location = source.raw_into_location;
    query.into = source.raw_into;
    query.sql = sql(fmt::format(R"(SELECT '{}' AS source, '{}' AS topic, _partition AS "partition", _offset AS "offset", )"
                                R"(_timestamp AS ts, _key AS "key", _value AS record FROM "{}")",
                                source.name, source.into, source.into));
    project.queries.push_back(std::move(query));
    if (find(project.tables, source.raw_into) != nullptr) continue;
    Table table;
    table.name = source.raw_into;
    table.location = source.raw_into_location;
    table.holds_raw = true;
    table.columns =
        sql(R"(source text, topic text, "partition" integer, "offset" bigint, ts timestamptz, "key" text, record text)");
    for (const char* column : {"topic", "partition", "offset"}) table.partition_key.push_back({column, false, table.location});
    project.tables.push_back(std::move(table));
  }
}

void decide_targets(Project& project, FaultList& faults) {
  auto topics = by_name(project.topics);
  auto tables = by_name(project.tables);
  for (Query& query : project.queries) {
    if (query.into.empty() || topics.contains(query.into)) continue;
    if (const Connection* there = connection_of(project, query.into)) {
      query.connection = there->name;
      for (Connection& connection : project.connections) connection.used = connection.used || &connection == there;
      if (!holds_tables(*there)) continue;
    }
    query.into_table = tables.contains(query.into) || query.into.find('.') != std::string::npos;
    if (query.into_table && !tables.contains(query.into)) {
      std::string hint = suggest(query.into, project.tables, faults);
      if (!hint.starts_with("did")) hint = fmt::format("declare it: tables: {{ {}: {{ partition_key: [ … ] }} }}", query.into);
      faults.add(query.into_location, "unknown-reference",
                 fmt::format("the table '{}' is not declared, so its partition key is not known", query.into), std::move(hint));
    }
  }
  for (Source& source : project.sources) {
    if (tables.contains(source.into) && !topics.contains(source.into)) {
      faults.add(source.into_location, "unknown-reference",
                 fmt::format("'{}' is a table; a source writes into a topic", source.into),
                 "name a topic, and write the table with a query");
      source.into.clear();
    }
  }
}

void add_mentioned_topics(Project& project) {
  std::unordered_set<std::string> known;
  for (const Topic& topic : project.topics) known.insert(topic.name);
  auto mention = [&](const std::string& name, const Location& at) {
    if (name.empty() || !known.insert(name).second) return;
    Topic topic;
    topic.name = name;
    topic.location = at;
    topic.declared = false;
    project.topics.push_back(std::move(topic));
  };
  for (const Source& source : project.sources) mention(source.into, source.into_location);
  for (const Query& query : project.queries) {
    if (!query.into_table && query.connection.empty()) mention(query.into, query.into_location);
  }
}

void check_formats(const Project& project, FaultList& faults) {
  if (project.parts.log.embedded() || !project.parts.registry.embedded()) return;
  for (const Topic& topic : project.topics) {
    if (topic.format == TopicFormat::kJson) continue;
    faults.add(topic.format_location, "missing-key",
               fmt::format("the values of topic '{}' need a schema registry, and the profile names none", topic.name),
               "add registry: http://… to the profile");
  }
}

void check_writers(Project& project, FaultList& faults) {
  std::unordered_map<std::string_view, const Query*> writers;
  for (const Query& query : project.queries) {
    if (query.into_table || query.into.empty()) continue;
    auto [first, is_new] = writers.emplace(query.into, &query);
    if (!is_new) {
      faults.add(query.into_location, "two-writers",
                 fmt::format("the topic '{}' is written by the query '{}' already", query.into, first->second->name),
                 "give each query a topic of its own, or join them with UNION ALL in one query");
    }
  }
  for (const Source& source : project.sources) {
    if (auto writer = writers.find(source.into); writer != writers.end() && !source.into.empty()) {
      faults.add(source.into_location, "two-writers",
                 fmt::format("the topic '{}' is written by the query '{}'", source.into, writer->second->name),
                 "let the source write into another topic");
    }
  }
  for (Topic& topic : project.topics) {
    if (auto writer = writers.find(topic.name); writer != writers.end()) {
      topic.written_by_query = writer->second->name;
    } else if (!topic.schema.has_value()) {
      faults.add(topic.location, "inferred-schema",
                 fmt::format("the topic '{}' has no schema: it is inferred from its first records", topic.name),
                 "declare it under topics: with schema: |");
    }
  }
}

/// Names one cycle after the other (Kahn's order; what is left depends on a cycle).
class CycleSearch {
 public:
  CycleSearch(const Dag& dag, FaultList& faults) : dag_(dag), faults_(faults) {
    for (size_t i = 0; i < dag.tasks.size(); ++i) index_.emplace(dag.tasks[i].name, i);
    waits_.resize(dag.tasks.size());
    followers_.resize(dag.tasks.size());
    done_.resize(dag.tasks.size());
    for (size_t i = 0; i < dag.tasks.size(); ++i) {
      for (const Mention& before : dag.tasks[i].after) {
        auto known = index_.find(before.name);
        if (known == index_.end()) continue;
        ++waits_[i];
        followers_[known->second].push_back(i);
      }
    }
  }

  void run() {
    for (size_t i = 0; i < dag_.tasks.size(); ++i) {
      if (waits_[i] == 0) finish(i);
    }
    for (size_t i = 0; i < dag_.tasks.size(); ++i) {
      if (!done_[i]) report(i);
    }
  }

 private:
  void finish(size_t task) {
    if (done_[task]) return;
    std::vector<size_t> ready = {task};
    done_[task] = true;
    while (!ready.empty()) {
      size_t next = ready.back();
      ready.pop_back();
      for (size_t follower : followers_[next]) {
        if (--waits_[follower] == 0 && !done_[follower]) {
          done_[follower] = true;
          ready.push_back(follower);
        }
      }
    }
  }

  /// Walks back from an unfinished task; every unfinished task waits for an unfinished one, so the walk comes round.
  void report(size_t from) {
    std::vector<size_t> walk;
    std::unordered_map<size_t, size_t> at;
    size_t task = from;
    while (at.emplace(task, walk.size()).second) {
      walk.push_back(task);
      task = unfinished_before(task);
    }
    std::vector<size_t> cycle(walk.begin() + static_cast<std::ptrdiff_t>(at[task]), walk.end());
    std::rotate(cycle.begin(), std::min_element(cycle.begin(), cycle.end()), cycle.end());
    constexpr size_t kNamedMax = 20;
    std::string names;
    for (size_t i = 0; i < cycle.size() && i < kNamedMax; ++i) names += dag_.tasks[cycle[i]].name + " -> ";
    names += cycle.size() > kNamedMax ? "…" : dag_.tasks[cycle[0]].name;
    faults_.add(dag_.tasks[cycle[0]].location, "cycle", fmt::format("tasks wait for each other: {}", names),
                "remove one of the 'after'");
    for (size_t i : cycle) finish(i);
  }

  size_t unfinished_before(size_t task) const {
    for (const Mention& before : dag_.tasks[task].after) {
      auto known = index_.find(before.name);
      if (known != index_.end() && !done_[known->second]) return known->second;
    }
    return task;
  }

  const Dag& dag_;
  FaultList& faults_;
  std::unordered_map<std::string_view, size_t> index_;
  std::vector<size_t> waits_;
  std::vector<std::vector<size_t>> followers_;
  std::vector<bool> done_;
};

void check_dags(const Project& project, FaultList& faults) {
  auto sources = by_name(project.sources);
  auto queries = by_name(project.queries);
  std::unordered_set<std::string_view> polled;
  auto unknown = [&](const Mention& mention, std::string_view what, std::string hint) {
    if (mention.name.empty()) return;
    faults.add(mention.location, "unknown-reference", fmt::format("there is no {} '{}'", what, mention.name), std::move(hint));
  };
  for (const Dag& dag : project.dags) {
    auto tasks = by_name(dag.tasks);
    for (const Task& task : dag.tasks) {
      if (const auto* ingest = std::get_if<IngestTask>(&task.does)) {
        polled.insert(ingest->source.name);
        if (!sources.contains(ingest->source.name))
          unknown(ingest->source, "source", suggest(ingest->source.name, project.sources, faults));
      }
      if (const auto* wait = std::get_if<WaitTask>(&task.does); wait != nullptr && !queries.contains(wait->query.name)) {
        unknown(wait->query, "query", suggest(wait->query.name, project.queries, faults));
      }
      for (const Mention& before : task.after) {
        if (!tasks.contains(before.name))
          unknown(before, fmt::format("task in the dag '{}' called", dag.name), suggest(before.name, dag.tasks, faults));
      }
    }
    CycleSearch(dag, faults).run();
  }
  for (const Source& source : project.sources) {
    if (source.run == SourceRun::kDag && !polled.contains(source.name)) {
      faults.add(source.location, "never-polled",
                 fmt::format("the source '{}' has 'run: dag', but no task ingests it", source.name),
                 fmt::format("add a task {{ ingest: {} }}, or write run: always", source.name));
    }
  }
}

}  // namespace

void cross_check(Project& project, FaultList& faults) {
  add_raw_landings(project, faults);
  place_in_connections(project, faults);
  decide_targets(project, faults);
  add_mentioned_topics(project);
  check_relation_names(project, faults);
  check_writers(project, faults);
  check_formats(project, faults);
  check_dags(project, faults);
}

}  // namespace millrace::project
