// P9: a chain of 40 programs of 10 ms, 200 parallel no-ops, the time from a trigger to the start of its task. Durable at every
// step.
#include <stdlib.h>

#include <algorithm>
#include <chrono>
#include <filesystem>

#include "bench/report.h"
#include "connect/sqlite/sqlite_metadata_store.h"
#include "dag/run/scheduler.h"

using namespace millrace;

namespace {

class NoRunner final : public dag::TaskRunner {
 public:
  dag::Outcome run(const dag::TaskContext&, dag::TaskLog&, std::stop_token) override { return {}; }
};

dag::TaskSpec program(std::string id, std::vector<std::string> argv, std::vector<std::string> after) {
  dag::TaskSpec task;
  task.id = std::move(id);
  task.kind = dag::ExecTask{std::move(argv), {}, ""};
  task.after = std::move(after);
  return task;
}

dag::DagSpec named(std::string id) {
  dag::DagSpec spec;
  spec.id = std::move(id);
  return spec;
}

/// From the trigger to the recorded end of the run.
double run_seconds(dag::Scheduler& scheduler, const char* dag_id) {
  auto begin = std::chrono::steady_clock::now();
  auto run = scheduler.trigger(dag_id, {});
  if (!run || !scheduler.wait_idle(std::chrono::minutes(5))) {
    std::fprintf(stderr, "%s did not run: %s\n", dag_id, run ? "time out" : run.error().message.c_str());
    exit(1);
  }
  double seconds = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  if (scheduler.runs(dag_id, 1)->front().state != "success") exit(1);
  return seconds;
}

double trigger_to_start_ms(dag::Scheduler& scheduler, env::Clock& clock) {
  Instant asked = clock.now();
  auto run = scheduler.trigger("one", {});
  if (!run || !scheduler.wait_idle(std::chrono::minutes(1))) exit(1);
  // The program's own word on when it ran would cost another process: the log's first line is written right before it is started.
  std::string log = scheduler.log_tail("one", *run, "t", 0).value();
  Instant started = parse_instant(log.substr(0, log.find(' '))).value();
  return std::chrono::duration<double, std::milli>(started - asked).count();
}

}  // namespace

int main(int argc, char** argv) {
  std::string folder = (std::filesystem::path(argc > 1 ? argv[1] : ".") / "dag_bench_XXXXXX").string();
  if (mkdtemp(folder.data()) == nullptr) return 1;
  dag::DagSpec chain = named("chain40");
  for (int i = 0; i < 40; ++i) {
    chain.tasks.push_back(program("t" + std::to_string(i), {"sleep", "0.01"},
                                  i == 0 ? std::vector<std::string>{} : std::vector{"t" + std::to_string(i - 1)}));
  }
  dag::DagSpec fan = named("fan200");
  for (int i = 0; i < 200; ++i) fan.tasks.push_back(program("t" + std::to_string(i), {"true"}, {}));
  dag::DagSpec one = named("one");
  one.tasks.push_back(program("t", {"true"}, {}));

  auto store = connect::sqlite::open_metadata_store(folder + "/meta.db");
  if (!store) return 1;
  NoRunner runner;
  env::Env env = env::real_env();
  dag::SchedulerOptions options;
  options.data = folder;
  auto scheduler = dag::Scheduler::start(env, **store, runner, {chain, fan, one}, options);
  if (!scheduler) return 1;

  run_seconds(**scheduler, "one");
  constexpr int kRounds = 5, kTriggers = 200;
  bench::Report report;
  auto in_seconds = [&](const char* name, const char* dag_id, int tasks) {
    std::vector<double> seconds;
    bench::Measure all;
    for (int i = 0; i < kRounds; ++i) seconds.push_back(run_seconds(**scheduler, dag_id));
    std::ranges::sort(seconds);
    double median = seconds[kRounds / 2];
    report.line(name, static_cast<uint64_t>(kRounds * tasks), all.stop(), fmt::format("median {:.3f} s a run", median),
                fmt::format("\"median_s\":{:.3f}", median));
  };
  in_seconds("P9 chain of 40 x 10 ms", "chain40", 40);
  in_seconds("P9 200 parallel no-ops", "fan200", 200);
  std::vector<double> starts;
  bench::Measure all;
  for (int i = 0; i < kTriggers; ++i) starts.push_back(trigger_to_start_ms(**scheduler, env.clock));
  std::ranges::sort(starts);
  double p50 = starts[kTriggers / 2], p99 = starts[kTriggers * 99 / 100];
  report.line("P9 trigger to start", kTriggers, all.stop(), fmt::format("p50 {:.2f} ms, p99 {:.2f} ms", p50, p99),
              fmt::format("\"p50_ms\":{:.3f},\"p99_ms\":{:.3f}", p50, p99));
  scheduler->reset();
  std::filesystem::remove_all(folder);
  return 0;
}
