#include <fmt/format.h>

#include "project/decode.h"

namespace millrace::project {

Dag Decoder::dag(const Node::Entry& entry) {
  check_plain_name(entry, "dag");
  const Node& node = entry.value;
  Dag out;
  out.name = entry.key;
  out.location = entry.key_at;
  out.schedule = text(node, "schedule");
  out.schedule_location = value_at(node, "schedule", entry.key_at);
  out.start_date = time(node, "start_date");
  out.end_date = time(node, "end_date");
  if (out.start_date && out.end_date && out.end_date->as_utc < out.start_date->as_utc) {
    faults_.add(out.end_date->location, "out-of-range", "end_date is before start_date", "the DAG would never run");
  }
  out.timezone = text(node, "timezone").value_or("UTC");
  out.timezone_location = value_at(node, "timezone", entry.key_at);
  out.catchup = boolean(node, "catchup", false);
  out.max_active_runs = integer(node, "max_active_runs").value_or(out.max_active_runs);
  if (const Node* tasks = node.get("tasks"); tasks != nullptr) {
    for (const Node::Entry& e : tasks->entries) out.tasks.push_back(task(e));
  }
  if (out.tasks.empty())
    faults_.add(entry.key_at, "missing-key", fmt::format("the dag '{}' has no tasks", out.name),
                "give at least one under tasks:");
  return out;
}

Task Decoder::task(const Node::Entry& entry) {
  static constexpr std::string_view kKinds[] = {"ingest", "sql", "check", "exec", "wait_for"};
  check_plain_name(entry, "task");
  const Node& node = entry.value;
  Task out;
  out.name = entry.key;
  out.location = entry.key_at;
  std::string_view kind = one_of(node, kKinds, entry.key_at, fmt::format("the task '{}'", entry.key));
  Location at = value_at(node, kind, entry.key_at);
  if (kind == "ingest") out.does = IngestTask{{text(node, kind).value_or(""), at}, duration(node, "for")};
  if (kind == "sql") out.does = SqlTask{sql(node, kind).value_or(SqlText{})};
  if (kind == "check") out.does = CheckTask{sql(node, kind).value_or(SqlText{})};
  if (kind == "exec") out.does = exec(*node.get(kind), node);
  if (kind == "wait_for") {
    const Node& wait = *node.get(kind);
    out.does = WaitTask{{text(wait, "query").value_or(""), value_at(wait, "query", at)}, duration(wait, "timeout")};
  }
  for (const Node::Entry& e : node.entries) {
    if (!kind.empty() && ((e.key == "for" && kind != "ingest") || (e.key == "env" && kind != "exec"))) {
      faults_.add(e.key_at, "misplaced-key", fmt::format("'{}' has no meaning beside '{}'", e.key, kind), "remove it");
    }
  }
  out.after = mentions(node, "after");
  out.retries = integer(node, "retries").value_or(out.retries);
  out.retry_delay = duration(node, "retry_delay").value_or(out.retry_delay);
  out.timeout = duration(node, "timeout");
  return out;
}

ExecTask Decoder::exec(const Node& node, const Node& task) {
  ExecTask out;
  const Node* argv = node.is_map() ? node.get("argv") : &node;
  if (argv != nullptr) {
    for (const Node& item : argv->items) {
      if (item.is_scalar()) out.argv.push_back({item.text.text, item.secret});
    }
    if (argv->is_list() && argv->items.empty())
      faults_.add(place(file_, *argv), "missing-key", "the command is empty", "write [program, argument, …]");
  }
  out.env = text_map(node.get("env"));
  out.env.merge(text_map(task.get("env")));
  return out;
}

}  // namespace millrace::project
