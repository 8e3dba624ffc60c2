#pragma once

#include <algorithm>
#include <map>
#include <set>
#include <tuple>

#include "base/mutex.h"
#include "port/metadata_store.h"

namespace millrace::dag {

/// A MetadataStore that lasts as long as the object: for tests, where it also plays the store that fails. Threading: safe from
/// any.
class MemoryMetadataStore final : public port::MetadataStore {
 public:
  Status apply(const port::MetadataBatch& batch) override {
    MutexLock lock(mutex_);
    if (failure_) return fail(*failure_);
    std::set<RunId> known;
    for (const auto& [id, row] : runs_) known.insert(id);
    for (const auto& row : batch.runs) known.emplace(row.dag_id, row.run_id);
    auto has_run = [&](const auto& row) { return known.contains({row.dag_id, row.run_id}); };
    if (!std::ranges::all_of(batch.tasks, has_run) || !std::ranges::all_of(batch.tries, has_run)) {
      return fail(Errc::kFailedPrecondition, "a task's run is unknown");
    }
    for (const auto& row : batch.runs) {
      order_.try_emplace({row.dag_id, row.run_id}, order_.size());
      runs_[{row.dag_id, row.run_id}] = row;
    }
    for (const auto& row : batch.dags) dags_[row.dag_id] = row;
    for (const auto& row : batch.tasks) tasks_[{row.dag_id, row.run_id}][row.task_id] = row;
    for (const auto& row : batch.tries) tries_[{row.dag_id, row.run_id, row.task_id}][row.try_number] = row;
    ++batches_;
    return {};
  }
  Result<std::vector<port::DagRow>> dags() override {
    MutexLock lock(mutex_);
    std::vector<port::DagRow> out;
    for (const auto& [id, row] : dags_) out.push_back(row);
    return out;
  }
  Result<std::vector<port::StoredRun>> unfinished_runs() override {
    MutexLock lock(mutex_);
    std::vector<port::StoredRun> out;
    for (const auto& [id, row] : runs_) {
      if (row.state == "queued" || row.state == "running") out.push_back({row, tasks_of(id)});
    }
    std::ranges::sort(out, {}, [](const auto& stored) { return std::pair(stored.run.logical_date, stored.run.run_id); });
    return out;
  }
  Result<std::vector<port::RunRow>> runs(std::string_view dag_id, size_t limit) override {
    MutexLock lock(mutex_);
    std::vector<port::RunRow> out;
    for (const auto& [id, row] : runs_) {
      if (id.first == dag_id) out.push_back(row);
    }
    std::ranges::sort(out, std::greater(), [&](const auto& row) NO_THREAD_SAFETY_ANALYSIS {
      return std::pair(row.logical_date, order_.at({row.dag_id, row.run_id}));
    });
    if (out.size() > limit) out.resize(limit);
    return out;
  }
  Result<port::StoredRun> run(std::string_view dag_id, std::string_view run_id) override {
    MutexLock lock(mutex_);
    RunId id(dag_id, run_id);
    if (!runs_.contains(id)) return fail(Errc::kNotFound, "there is no such run");
    return port::StoredRun{runs_[id], tasks_of(id)};
  }
  Result<std::vector<port::TryRow>> tries(std::string_view dag_id, std::string_view run_id, std::string_view task_id) override {
    MutexLock lock(mutex_);
    if (!runs_.contains(RunId(dag_id, run_id))) return fail(Errc::kNotFound, "there is no such run");
    std::vector<port::TryRow> out;
    for (const auto& [number, row] : tries_[{std::string(dag_id), std::string(run_id), std::string(task_id)}]) out.push_back(row);
    return out;
  }

  /// From now on apply() fails with this.
  void break_down(Error error) {
    MutexLock lock(mutex_);
    failure_ = std::move(error);
  }
  size_t batches() {
    MutexLock lock(mutex_);
    return batches_;
  }

 private:
  using RunId = std::pair<std::string, std::string>;
  std::vector<port::TaskRow> tasks_of(const RunId& id) REQUIRES(mutex_) {
    std::vector<port::TaskRow> out;
    for (const auto& [task_id, row] : tasks_[id]) out.push_back(row);
    std::ranges::sort(out, {}, &port::TaskRow::position);
    return out;
  }

  Mutex mutex_;
  std::map<std::string, port::DagRow> dags_ GUARDED_BY(mutex_);
  std::map<RunId, port::RunRow> runs_ GUARDED_BY(mutex_);
  std::map<RunId, size_t> order_ GUARDED_BY(mutex_);
  std::map<RunId, std::map<std::string, port::TaskRow>> tasks_ GUARDED_BY(mutex_);
  std::map<std::tuple<std::string, std::string, std::string>, std::map<int, port::TryRow>> tries_ GUARDED_BY(mutex_);
  std::optional<Error> failure_ GUARDED_BY(mutex_);
  size_t batches_ GUARDED_BY(mutex_) = 0;
};

}  // namespace millrace::dag
