#include "dag/core/dag_spec.h"

#include <fmt/format.h>

#include <algorithm>

#include "dag/core/template.h"

namespace millrace::dag {
namespace {

template <class... F>
struct Match : F... {
  using F::operator()...;
};
template <class... F>
Match(F...) -> Match<F...>;

/// Ids stand in file names, environment variables and URLs: no control characters, no slash.
Status check_id(std::string_view what, std::string_view id) {
  if (id.empty()) return fail(Errc::kInvalidArgument, fmt::format("the {} id is empty", what));
  if (id.size() > kIdBytesMax)
    return fail(Errc::kInvalidArgument, fmt::format("a {} id has at most {} bytes", what, kIdBytesMax));
  for (char c : id) {
    auto byte = static_cast<unsigned char>(c);
    if (byte <= ' ' || byte == 0x7f || c == '/') {
      return fail(Errc::kInvalidArgument, fmt::format("the {} id has a space, slash or control character", what),
                  "use letters, digits, '-', '.' and '_'");
    }
  }
  return {};
}

Status check_templates(const TaskKind& kind) {
  return std::visit(
      Match{[](const SqlTask& t) { return check_template(t.sql); }, [](const CheckTask& t) { return check_template(t.sql); },
            [](const ExecTask& t) -> Status {
              for (const std::string& arg : t.argv) TRY_DO(check_template(arg));
              for (const auto& [name, value] : t.env) TRY_DO(check_template(value));
              return {};
            },
            [](const auto&) { return Status(); }},
      kind);
}

Status check_exec(const ExecTask& exec) {
  if (exec.argv.empty() || exec.argv[0].empty()) return fail(Errc::kInvalidArgument, "exec names no program");
  auto has_nul = [](const std::string& text) { return text.find('\0') != std::string::npos; };
  bool nul = std::ranges::any_of(exec.argv, has_nul) || has_nul(exec.directory);
  for (const auto& [name, value] : exec.env) {
    nul = nul || has_nul(value);
    if (name.empty() || name.find('=') != std::string::npos || has_nul(name)) {
      return fail(Errc::kInvalidArgument, "the name of an environment variable is empty or has a '='");
    }
  }
  if (nul) return fail(Errc::kInvalidArgument, "an argument of exec has a zero byte");
  return {};
}

Status check_task(const TaskSpec& task) {
  TRY_DO(check_id("task", task.id));
  if (task.retries < 0 || task.retries > kRetriesMax) {
    return fail(Errc::kInvalidArgument, fmt::format("retries is 0 to {}, not {}", kRetriesMax, task.retries));
  }
  if (task.retry_delay < Duration(0)) return fail(Errc::kInvalidArgument, "retry_delay is negative");
  if (task.timeout && *task.timeout <= Duration(0)) return fail(Errc::kInvalidArgument, "timeout is not above 0");
  if (auto* exec = std::get_if<ExecTask>(&task.kind)) TRY_DO(check_exec(*exec));
  return check_templates(task.kind);
}

/// Kahn's algorithm; what it cannot order is on a cycle or behind one.
Status check_cycles(const DagSpec& spec, const std::vector<std::vector<size_t>>& parents,
                    const std::vector<std::vector<size_t>>& children) {
  std::vector<size_t> waiting(parents.size());
  std::vector<size_t> free;
  for (size_t i = 0; i < parents.size(); ++i) {
    waiting[i] = parents[i].size();
    if (waiting[i] == 0) free.push_back(i);
  }
  size_t ordered = 0;
  while (!free.empty()) {
    size_t i = free.back();
    free.pop_back();
    ++ordered;
    for (size_t child : children[i]) {
      if (--waiting[child] == 0) free.push_back(child);
    }
  }
  if (ordered == parents.size()) return {};

  // Every task that is left waits for one that is left: going backwards must come round.
  size_t i = 0;
  while (waiting[i] == 0) ++i;
  std::vector<size_t> path;
  std::vector<bool> seen(parents.size());
  while (!seen[i]) {
    seen[i] = true;
    path.push_back(i);
    i = *std::ranges::find_if(parents[i], [&](size_t parent) { return waiting[parent] > 0; });
  }
  std::string cycle = spec.tasks[i].id;
  for (auto at = std::ranges::find(path, i) + 1; at != path.end(); ++at) cycle += " <- " + spec.tasks[*at].id;
  return fail(Errc::kInvalidArgument, fmt::format("the tasks wait for each other: {} <- {}", cycle, spec.tasks[i].id));
}

struct Hash {
  uint64_t value = 0xcbf29ce484222325;
  void add(std::string_view bytes) {
    for (char c : bytes) value = (value ^ static_cast<unsigned char>(c)) * 0x100000001b3;
    value = (value ^ 0xff) * 0x100000001b3;  // ends the text: "ab","c" is not "a","bc"
  }
  void add(int64_t number) { add(std::to_string(number)); }
  void add(std::optional<Duration> d) { add(d ? d->count() : -1); }
  void add(std::optional<Instant> t) { add(t ? to_micros(*t) : -1); }
};

void add_kind(Hash& hash, const TaskKind& kind) {
  hash.add(task_kind_name(kind));
  std::visit(Match{[&](const IngestTask& t) {
                     hash.add(t.source);
                     hash.add(t.for_time.count());
                   },
                   [&](const SqlTask& t) { hash.add(t.sql); }, [&](const CheckTask& t) { hash.add(t.sql); },
                   [&](const ExecTask& t) {
                     for (const std::string& arg : t.argv) hash.add(arg);
                     for (const auto& [name, value] : t.env) hash.add(name + "=" + value);
                     hash.add(t.directory);
                   },
                   [&](const WaitForTask& t) { hash.add(t.query); }},
             kind);
}

}  // namespace

std::string_view task_kind_name(const TaskKind& kind) {
  return std::visit(Match{[](const IngestTask&) { return "ingest"; }, [](const SqlTask&) { return "sql"; },
                          [](const CheckTask&) { return "check"; }, [](const ExecTask&) { return "exec"; },
                          [](const WaitForTask&) { return "wait_for"; }},
                    kind);
}

Result<std::shared_ptr<const Graph>> Graph::build(DagSpec spec) {
  auto graph = std::make_shared<Graph>();
  graph->spec_ = std::move(spec);
  const DagSpec& dag = graph->spec_;
  TRY_DO(check_id("dag", dag.id));
  auto named = [&](Error error) { return fail(at(fmt::format("dag {}", dag.id), std::move(error))); };
  if (dag.tasks.empty()) return named({Errc::kInvalidArgument, "it has no tasks", ""});
  if (dag.tasks.size() > kTasksMax)
    return named({Errc::kInvalidArgument, fmt::format("it has more than {} tasks", kTasksMax), ""});
  if (dag.max_active_runs < 1) return named({Errc::kInvalidArgument, "max_active_runs is below 1", ""});
  for (size_t i = 0; i < dag.tasks.size(); ++i) {
    const TaskSpec& task = dag.tasks[i];
    auto in_task = [&](Error error) { return named(at(fmt::format("task {}", task.id), std::move(error))); };
    if (auto ok = check_task(task); !ok) return in_task(ok.error());
    if (!graph->by_id_.emplace(task.id, i).second) return in_task({Errc::kInvalidArgument, "there are two tasks of this id", ""});
  }
  graph->parents_.resize(dag.tasks.size());
  graph->children_.resize(dag.tasks.size());
  for (size_t i = 0; i < dag.tasks.size(); ++i) {
    for (const std::string& id : dag.tasks[i].after) {
      auto parent = graph->find(id);
      if (!parent) {
        return named(
            {Errc::kInvalidArgument, fmt::format("task {}: it comes after '{}', which is no task", dag.tasks[i].id, id), ""});
      }
      if (std::ranges::find(graph->parents_[i], *parent) != graph->parents_[i].end()) continue;
      graph->parents_[i].push_back(*parent);
      graph->children_[*parent].push_back(i);
    }
  }
  if (auto ok = check_cycles(dag, graph->parents_, graph->children_); !ok) return named(ok.error());
  return graph;
}

std::optional<size_t> Graph::find(std::string_view task_id) const {
  auto found = by_id_.find(std::string(task_id));
  if (found == by_id_.end()) return std::nullopt;
  return found->second;
}

std::vector<size_t> Graph::with_descendants(size_t task) const {
  std::vector<bool> seen(size());
  std::vector<size_t> out{task};
  seen[task] = true;
  for (size_t i = 0; i < out.size(); ++i) {
    for (size_t child : children_[out[i]]) {
      if (seen[child]) continue;
      seen[child] = true;
      out.push_back(child);
    }
  }
  return out;
}

std::string Graph::hash() const {
  Hash hash;
  hash.add(spec_.id);
  hash.add(schedule_text(spec_.schedule));
  hash.add(spec_.zone.name());
  hash.add(spec_.start_date);
  hash.add(spec_.end_date);
  hash.add(int64_t{spec_.catchup});
  hash.add(int64_t{spec_.max_active_runs});
  hash.add(spec_.dagrun_timeout);
  for (const TaskSpec& task : spec_.tasks) {
    hash.add(task.id);
    add_kind(hash, task.kind);
    for (const std::string& parent : task.after) hash.add(parent);
    hash.add(int64_t{task.retries});
    hash.add(task.retry_delay.count());
    hash.add(int64_t{task.retry_exponential_backoff});
    hash.add(task.max_retry_delay);
    hash.add(task.timeout);
  }
  return fmt::format("{:016x}", hash.value);
}

}  // namespace millrace::dag
