#include "dag/core/state.h"

#include <array>

namespace millrace::dag {
namespace {

constexpr std::array<std::string_view, 11> kTaskStates = {"none",         "scheduled",  "queued",  "running",
                                                          "success",      "failed",     "skipped", "upstream_failed",
                                                          "up_for_retry", "restarting", "removed"};
constexpr std::array<std::string_view, 4> kRunStates = {"queued", "running", "success", "failed"};
constexpr std::array<std::string_view, 2> kRunTypes = {"scheduled", "manual"};

template <class T, size_t N>
std::optional<T> find(const std::array<std::string_view, N>& names, std::string_view name) {
  for (size_t i = 0; i < N; ++i) {
    if (names[i] == name) return static_cast<T>(i);
  }
  return std::nullopt;
}

}  // namespace

std::string_view state_name(TaskState state) { return kTaskStates[static_cast<size_t>(state)]; }
std::string_view state_name(RunState state) { return kRunStates[static_cast<size_t>(state)]; }
std::string_view run_type_name(RunType type) { return kRunTypes[static_cast<size_t>(type)]; }
std::optional<TaskState> task_state_from(std::string_view name) { return find<TaskState>(kTaskStates, name); }
std::optional<RunState> run_state_from(std::string_view name) { return find<RunState>(kRunStates, name); }
std::optional<RunType> run_type_from(std::string_view name) { return find<RunType>(kRunTypes, name); }

bool is_finished(TaskState state) {
  switch (state) {
    case TaskState::kSuccess:
    case TaskState::kFailed:
    case TaskState::kSkipped:
    case TaskState::kUpstreamFailed:
    case TaskState::kRemoved: return true;
    case TaskState::kNone:
    case TaskState::kScheduled:
    case TaskState::kQueued:
    case TaskState::kRunning:
    case TaskState::kUpForRetry:
    case TaskState::kRestarting: return false;
  }
  return false;
}

}  // namespace millrace::dag
