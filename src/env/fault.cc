#include "env/fault.h"

#include <fmt/format.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <charconv>
#include <chrono>
#include <cstdlib>
#include <optional>
#include <thread>
#include <vector>

#include "base/check.h"
#include "base/log.h"
#include "base/mutex.h"
#include "env/power_loss.h"
#include "env/random.h"

namespace millrace::env {
namespace {

constexpr FaultPoint kPoints[] = {
    {"file.open", "before a file is opened"},
    {"file.read", "before bytes are read from a file"},
    {"file.write", "before bytes are written to a file"},
    {"file.sync", "before a file is synced"},
    {"file.truncate", "before a file is cut"},
    {"file.remove", "before a file or directory is removed"},
    {"file.rename", "before a file is renamed"},
    {"file.sync_directory", "before a directory is synced"},
    {"log.after_append", "a batch is written to its segment, and not synced"},
    {"log.before_sync", "waiting appends are about to be synced"},
    {"log.after_sync", "appends are on disk, and nobody has been told"},
    {"log.roll", "a partition goes on to a new segment"},
    {"log.segment_full", "no place but a condition: an append finds its segment full, whatever the action"},
    {"log.recovery", "a partition is opened, before its torn tail is cut"},
    {"log.after_cut", "the end of a partition is cut off by recovery, and that is not synced"},
    {"log.retention", "a segment is about to be deleted by retention"},
    {"stream.decode", "a record is about to be decoded"},
    {"stream.before_commit", "an epoch is computed, and not committed"},
    {"stream.after_commit", "an epoch is committed, and the next has not begun"},
    {"stream.after_intent", "an epoch is announced, and its transaction in another system has not begun"},
    {"stream.between_output_and_commit", "an epoch's output is in its topic, and its input is not committed"},
    {"file_sink.before_commit", "rows are in an output file and synced, and their epoch is not committed"},
    {"file_sink.before_rename", "the epoch that completes an output file is committed, and the file has not got its name"},
    {"file_sink.before_remove", "an output file has become Parquet, and its lines are there"},
    {"store.before_commit", "before a batch is written to the store"},
    {"store.before_ingest", "sorted files are written, and not part of the store"},
    {"store.after_ingest", "sorted files have become part of the store"},
    {"store.open", "the store is recovered, and nothing else"},
    {"store.after_flush", "a write buffer has become a file of the store"},
    {"store.after_compaction", "files of the store are merged, and the old ones are there"},
    {"dag.before_record", "a run's transition is decided, and not recorded"},
    {"dag.after_record", "a run's transition is recorded, and not carried out"},
    {"serve.before_answer", "a request is carried out, and not answered"},
};

struct ActionName {
  std::string_view name;
  FaultAction action;
};
constexpr ActionName kActions[] = {
    {"exit", FaultAction::kExit},   {"eio", FaultAction::kEio},     {"enospc", FaultAction::kEnospc},
    {"short", FaultAction::kShort}, {"delay", FaultAction::kDelay}, {"drop_unsynced", FaultAction::kDropUnsynced},
    {"abort", FaultAction::kAbort},
};

constexpr uint64_t kDelayMaxMs = 600'000;
constexpr int kExitStatus = 137;  // what a shell reports for kill -9

struct Rule {
  std::string_view point;  // into kPoints
  FaultAction action = FaultAction::kNone;
  uint64_t after = 0;
  uint64_t delay_ms = 100;
  std::string path;  // only files whose path holds it
  double odds = 1;
  uint64_t passes = 0;
  std::optional<uint64_t> seed;
  SeededRandom random{0};
};

const FaultPoint* find_point(std::string_view name) {
  const auto* found = std::ranges::find(kPoints, name, &FaultPoint::name);
  return found == std::end(kPoints) ? nullptr : found;
}

/// Cuts `text` at the first `separator` and returns the piece before it.
std::string_view take_until(std::string_view& text, char separator) {
  size_t end = text.find(separator);
  std::string_view piece = text.substr(0, end);
  text = end == std::string_view::npos ? std::string_view() : text.substr(end + 1);
  return piece;
}

tl::unexpected<Error> bad_spec(std::string_view what, std::string_view rule) {
  return fail(Errc::kInvalidArgument, fmt::format("fault \"{}\": {}", rule, what),
              "the form is name=action[,after=N][,odds=P][,seed=S][,ms=N][,path=TEXT];… and `millrace doctor` lists the names");
}

template <class T>
bool parse_number(std::string_view text, T& out) {
  auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), out);
  return error == std::errc() && end == text.data() + text.size();
}

Status parse_option(std::string_view option, std::string_view text, Rule& rule) {
  std::string_view value = option;
  std::string_view key = take_until(value, '=');
  uint64_t seed = 0;
  if (key == "after" && parse_number(value, rule.after)) return {};
  if (key == "ms" && parse_number(value, rule.delay_ms) && rule.delay_ms <= kDelayMaxMs) return {};
  if (key == "path" && !value.empty()) {
    rule.path = value;
    return {};
  }
  if (key == "odds" && parse_number(value, rule.odds) && rule.odds >= 0 && rule.odds <= 1) return {};
  if (key == "seed" && parse_number(value, seed)) {
    rule.seed = seed;
    rule.random = SeededRandom(seed);
    return {};
  }
  return bad_spec(fmt::format("\"{}\" is no option", option), text);
}

Result<Rule> parse_rule(std::string_view text) {
  std::string_view rest = text;
  std::string_view name = take_until(rest, '=');
  std::string_view action_name = take_until(rest, ',');
  const FaultPoint* point = find_point(name);
  if (point == nullptr) return bad_spec(fmt::format("there is no fault point \"{}\"", name), text);
  const auto* action = std::ranges::find(kActions, action_name, &ActionName::name);
  if (action == std::end(kActions)) return bad_spec(fmt::format("there is no action \"{}\"", action_name), text);
  Rule rule;
  rule.point = point->name;
  rule.action = action->action;
  while (!rest.empty()) TRY_DO(parse_option(take_until(rest, ','), text, rule));
  return rule;
}

Result<std::vector<Rule>> parse_spec(std::string_view spec) {
  std::vector<Rule> rules;
  while (!spec.empty()) {
    std::string_view text = take_until(spec, ';');
    if (text.empty()) continue;
    TRY(Rule rule, parse_rule(text));
    rules.push_back(std::move(rule));
  }
  return rules;
}

enum class State { kUnread, kOff, kOn };
std::atomic<State> state{State::kUnread};
Mutex mutex;
std::vector<Rule> active_rules GUARDED_BY(mutex);

void install(std::vector<Rule> rules) REQUIRES(mutex) {
  active_rules = std::move(rules);
  state.store(active_rules.empty() ? State::kOff : State::kOn, std::memory_order_relaxed);
}

TakenFault draw(std::string_view name, std::string_view path) {
  MutexLock lock(mutex);
  for (Rule& rule : active_rules) {
    if (rule.point != name || path.find(rule.path) == std::string_view::npos || ++rule.passes <= rule.after) continue;
    double chance = static_cast<double>(rule.random.next() >> 11) * 0x1p-53;  // in [0, 1)
    if (chance < rule.odds) return {rule.action, std::chrono::milliseconds(rule.delay_ms), rule.seed};
  }
  return {};
}

}  // namespace

std::span<const FaultPoint> fault_points() { return kPoints; }

Status faults_from_environment() {
  MutexLock lock(mutex);
  if (state.load(std::memory_order_relaxed) != State::kUnread) return {};
  const char* spec = std::getenv("MILLRACE_FAULTS");
  auto rules = parse_spec(spec == nullptr ? "" : spec);
  install(rules ? std::move(*rules) : std::vector<Rule>());
  if (!rules) return fail(at("MILLRACE_FAULTS", std::move(rules.error())));
  return {};
}

Status set_faults(std::string_view spec) {
  TRY(auto rules, parse_spec(spec));
  MutexLock lock(mutex);
  install(std::move(rules));
  return {};
}

bool faults_are_on() {
  if (state.load(std::memory_order_relaxed) == State::kUnread) {
    if (auto read = faults_from_environment(); !read) log_error("env", read.error().message);
  }
  return state.load(std::memory_order_relaxed) == State::kOn;
}

TakenFault take_fault(std::string_view name, std::string_view path) {
  State now = state.load(std::memory_order_relaxed);
#ifndef NDEBUG
  CHECK(find_point(name) != nullptr, name);
#endif
  if (now == State::kOff) return {};
  CHECK(find_point(name) != nullptr, name);
  return faults_are_on() ? draw(name, path) : TakenFault();
}

Status fault(std::string_view name, std::string_view path) { return act_on_fault(take_fault(name, path), name); }

Status act_on_fault(const TakenFault& taken, std::string_view name) {
  switch (taken.action) {
    case FaultAction::kNone: return {};
    case FaultAction::kExit: _exit(kExitStatus);
    case FaultAction::kAbort: std::abort();
    case FaultAction::kDropUnsynced: lose_power(taken.seed); _exit(kExitStatus);
    case FaultAction::kDelay: std::this_thread::sleep_for(taken.delay); return {};
    case FaultAction::kEio:
    case FaultAction::kShort: return fail(Errc::kIo, fmt::format("fault point {}: input/output error", name));
    case FaultAction::kEnospc: return fail(Errc::kDiskFull, fmt::format("fault point {}: no space left on device", name));
  }
  return {};
}

}  // namespace millrace::env
