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

void decide_targets(Project& project, FaultList& faults) {
  auto topics = by_name(project.topics);
  auto tables = by_name(project.tables);
  for (Query& query : project.queries) {
    if (query.into.empty() || topics.contains(query.into)) continue;
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
    if (!query.into_table) mention(query.into, query.into_location);
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
  decide_targets(project, faults);
  add_mentioned_topics(project);
  check_relation_names(project, faults);
  check_writers(project, faults);
  check_dags(project, faults);
}

}  // namespace millrace::project
