#include "connect/postgres/metadata_sql.h"

#include <map>
#include <tuple>
#include <vector>

#include "format/json_doc.h"
#include "format/json_write.h"

namespace millrace::connect::postgres {
namespace {

using port::MetadataBatch;

constexpr std::string_view kTables = R"sql(
CREATE TABLE millrace.metadata (version integer NOT NULL, scheduler text NOT NULL);
CREATE TABLE millrace.dags (
  dag_id text PRIMARY KEY, paused boolean NOT NULL, spec_hash text NOT NULL, created_at bigint NOT NULL, last_interval_end bigint
);
CREATE TABLE millrace.runs (
  run bigint GENERATED ALWAYS AS IDENTITY, dag_id text NOT NULL, run_id text NOT NULL, run_type text NOT NULL, state text NOT NULL,
  logical_date bigint NOT NULL, data_interval_start bigint NOT NULL, data_interval_end bigint NOT NULL, run_after bigint NOT NULL,
  queued_at bigint NOT NULL, start_date bigint, end_date bigint, conf text NOT NULL, message text NOT NULL,
  PRIMARY KEY (dag_id, run_id)
);
CREATE INDEX runs_by_date ON millrace.runs (dag_id, logical_date);
CREATE INDEX runs_unfinished ON millrace.runs (logical_date) WHERE state IN ('queued', 'running');
CREATE TABLE millrace.tasks (
  dag_id text NOT NULL, run_id text NOT NULL, task_id text NOT NULL, position integer NOT NULL, state text NOT NULL,
  try_number integer NOT NULL, max_tries integer NOT NULL, start_date bigint, end_date bigint, retry_at bigint, message text NOT NULL,
  PRIMARY KEY (dag_id, run_id, task_id), FOREIGN KEY (dag_id, run_id) REFERENCES millrace.runs
);
CREATE TABLE millrace.tries (
  dag_id text NOT NULL, run_id text NOT NULL, task_id text NOT NULL, try_number integer NOT NULL, state text NOT NULL,
  start_date bigint NOT NULL, end_date bigint, exit_code integer, message text NOT NULL,
  PRIMARY KEY (dag_id, run_id, task_id, try_number), FOREIGN KEY (dag_id, run_id) REFERENCES millrace.runs
);
)sql";

/// One object after another of an array; members are added to the last one.
class JsonRows {
 public:
  JsonRows& row() {
    out_ += out_.empty() ? "[{" : "},{";
    first_ = true;
    return *this;
  }
  JsonRows& add(std::string_view name, std::string_view text) {
    member(name);
    std::string plain(text);
    for (size_t at = plain.find('\0'); at != std::string::npos; at = plain.find('\0', at)) plain.replace(at, 1, "\xef\xbf\xbd");
    format::append_json_string(out_, plain);
    return *this;
  }
  JsonRows& add(std::string_view name, int64_t v) {
    member(name);
    out_ += std::to_string(v);
    return *this;
  }
  JsonRows& add(std::string_view name, bool v) {
    member(name);
    out_ += v ? "true" : "false";
    return *this;
  }
  JsonRows& add(std::string_view name, Instant t) { return add(name, to_micros(t)); }
  JsonRows& add(std::string_view name, int32_t v) { return add(name, int64_t{v}); }
  template <class T>
  JsonRows& add(std::string_view name, const std::optional<T>& v) {
    return v ? add(name, *v) : *this;  // a member that is not there is NULL
  }
  std::string finish() && { return out_.empty() ? "[]" : out_ + "}]"; }

 private:
  void member(std::string_view name) {
    if (!first_) out_ += ',';
    first_ = false;
    out_.append(1, '"').append(name).append("\":");
  }
  std::string out_;
  bool first_ = true;
};

/// The last row of each id, in the order in which these came first.
template <class Row, class Id>
std::vector<const Row*> last_of_each(const std::vector<Row>& rows, Id id) {
  std::map<decltype(id(rows[0])), size_t> place;
  std::vector<const Row*> out;
  for (const Row& row : rows) {
    auto [found, is_new] = place.emplace(id(row), out.size());
    if (is_new) {
      out.push_back(&row);
    } else {
      out[found->second] = &row;
    }
  }
  return out;
}

}  // namespace

std::string_view metadata_tables() { return kTables; }

std::string dags_json(const MetadataBatch& batch) {
  JsonRows json;
  for (const port::DagRow* r : last_of_each(batch.dags, [](const port::DagRow& r) { return std::string_view(r.dag_id); })) {
    json.row().add("dag_id", std::string_view(r->dag_id)).add("paused", r->paused);
    json.add("spec_hash", std::string_view(r->spec_hash)).add("created_at", r->created_at);
    json.add("last_interval_end", r->last_interval_end);
  }
  return std::move(json).finish();
}

std::string runs_json(const MetadataBatch& batch) {
  JsonRows json;
  auto id = [](const port::RunRow& r) { return std::make_tuple(std::string_view(r.dag_id), std::string_view(r.run_id)); };
  for (const port::RunRow* r : last_of_each(batch.runs, id)) {
    json.row().add("dag_id", std::string_view(r->dag_id)).add("run_id", std::string_view(r->run_id));
    json.add("run_type", std::string_view(r->run_type)).add("state", std::string_view(r->state));
    json.add("logical_date", r->logical_date).add("data_interval_start", r->data_interval_start);
    json.add("data_interval_end", r->data_interval_end).add("run_after", r->run_after).add("queued_at", r->queued_at);
    json.add("start_date", r->start_date).add("end_date", r->end_date);
    json.add("conf", std::string_view(r->conf)).add("message", std::string_view(r->message));
  }
  return std::move(json).finish();
}

std::string tasks_json(const MetadataBatch& batch) {
  JsonRows json;
  auto id = [](const port::TaskRow& r) {
    return std::make_tuple(std::string_view(r.dag_id), std::string_view(r.run_id), std::string_view(r.task_id));
  };
  for (const port::TaskRow* r : last_of_each(batch.tasks, id)) {
    json.row().add("dag_id", std::string_view(r->dag_id)).add("run_id", std::string_view(r->run_id));
    json.add("task_id", std::string_view(r->task_id)).add("position", r->position).add("state", std::string_view(r->state));
    json.add("try_number", r->try_number).add("max_tries", r->max_tries).add("start_date", r->start_date);
    json.add("end_date", r->end_date).add("retry_at", r->retry_at).add("message", std::string_view(r->message));
  }
  return std::move(json).finish();
}

std::string tries_json(const MetadataBatch& batch) {
  JsonRows json;
  auto id = [](const port::TryRow& r) {
    return std::make_tuple(std::string_view(r.dag_id), std::string_view(r.run_id), std::string_view(r.task_id), r.try_number);
  };
  for (const port::TryRow* r : last_of_each(batch.tries, id)) {
    json.row().add("dag_id", std::string_view(r->dag_id)).add("run_id", std::string_view(r->run_id));
    json.add("task_id", std::string_view(r->task_id)).add("try_number", r->try_number).add("state", std::string_view(r->state));
    json.add("start_date", r->start_date).add("end_date", r->end_date).add("exit_code", r->exit_code);
    json.add("message", std::string_view(r->message));
  }
  return std::move(json).finish();
}

}  // namespace millrace::connect::postgres
