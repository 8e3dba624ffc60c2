#include "dag/run/scheduler.h"

#include <fmt/format.h>

#include <algorithm>

#include "dag/run/engine.h"

namespace millrace::dag {

Result<std::unique_ptr<Scheduler>> Scheduler::start(env::Env env, port::MetadataStore& store, TaskRunner& runner,
                                                    std::vector<DagSpec> dags, SchedulerOptions options) {
  auto impl = std::make_unique<Impl>(env, store, runner, std::move(options));
  TRY_DO(impl->load(std::move(dags)));
  impl->begin();
  return std::unique_ptr<Scheduler>(new Scheduler(std::move(impl)));
}

Scheduler::Scheduler(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Scheduler::~Scheduler() = default;

void Scheduler::stop() { impl_->stop(); }
Status Scheduler::health() { return impl_->health(); }
void Scheduler::wake() { impl_->wake(); }
std::vector<DagInfo> Scheduler::dags() { return impl_->dags(); }
Result<DagInfo> Scheduler::describe(std::string_view dag_id) { return impl_->describe(dag_id); }
Result<std::string> Scheduler::trigger(std::string_view dag_id, const TriggerRequest& request) {
  return impl_->trigger(dag_id, request);
}
Status Scheduler::pause(std::string_view dag_id) { return impl_->set_paused(dag_id, true); }
Status Scheduler::unpause(std::string_view dag_id) { return impl_->set_paused(dag_id, false); }
Result<std::vector<DueRun>> Scheduler::next(std::string_view dag_id, size_t count) { return impl_->next(dag_id, count); }
Status Scheduler::clear(std::string_view dag_id, std::string_view run_id, std::optional<std::string> task_id, bool downstream) {
  return impl_->clear(dag_id, run_id, task_id, downstream);
}
Result<std::vector<std::string>> Scheduler::why(std::string_view dag_id, std::string_view run_id,
                                                std::optional<std::string> task_id) {
  return impl_->why(dag_id, run_id, task_id);
}
bool Scheduler::wait_idle(Duration timeout) { return impl_->wait_idle(timeout); }

Result<std::vector<port::RunRow>> Scheduler::runs(std::string_view dag_id, size_t limit) {
  TRY_DO(impl_->describe(dag_id));
  return impl_->store().runs(dag_id, limit);
}

Result<std::vector<port::TaskRow>> Scheduler::tasks(std::string_view dag_id, std::string_view run_id) {
  TRY(auto stored, impl_->store().run(dag_id, run_id));
  return std::move(stored.tasks);
}

Result<std::vector<port::TryRow>> Scheduler::tries(std::string_view dag_id, std::string_view run_id, std::string_view task_id) {
  return impl_->store().tries(dag_id, run_id, task_id);
}

Result<std::string> Scheduler::log_path(std::string_view dag_id, std::string_view run_id, std::string_view task_id,
                                        int try_number) {
  TRY(auto attempts, impl_->store().tries(dag_id, run_id, task_id));
  if (try_number == 0 && !attempts.empty()) try_number = attempts.back().try_number;
  bool known = std::ranges::any_of(attempts, [&](const port::TryRow& row) { return row.try_number == try_number; });
  if (!known) return fail(Errc::kNotFound, fmt::format("task '{}' of run '{}' has no try {}", task_id, run_id, try_number));
  return attempt_path(impl_->options().data, dag_id, run_id, task_id, try_number, "log");
}

Result<std::string> Scheduler::log_tail(std::string_view dag_id, std::string_view run_id, std::string_view task_id,
                                        int try_number, uint64_t bytes_max) {
  TRY(std::string path, log_path(dag_id, run_id, task_id, try_number));
  env::FileSystem& files = impl_->env().files;
  TRY(bool exists, files.exists(path));
  if (!exists) return std::string();
  TRY(auto file, files.open(path, env::OpenMode::kRead));
  TRY(uint64_t size, file->size());
  uint64_t begin = size > bytes_max ? size - bytes_max : 0;
  std::string text(size - begin, '\0');
  TRY(size_t n, file->read_at(begin, text.data(), text.size()));
  text.resize(n);
  if (begin > 0) text.erase(0, text.find('\n') + 1);
  return text;
}

}  // namespace millrace::dag
