#pragma once

#include <cstdint>
#include <optional>
#include <string_view>

namespace millrace::dag {

/// Airflow's task instance states.
enum class TaskState : uint8_t {
  kNone,
  kScheduled,  // may run, waits for a slot
  kQueued,     // has a slot, waits for a worker
  kRunning,
  kSuccess,
  kFailed,
  kSkipped,
  kUpstreamFailed,
  kUpForRetry,
  kRestarting,  // cleared while it ran: it is being stopped, and runs again
  kRemoved,     // no longer in the dag
};
enum class RunState : uint8_t { kQueued, kRunning, kSuccess, kFailed };
enum class RunType : uint8_t { kScheduled, kManual };

std::string_view state_name(TaskState state);
std::string_view state_name(RunState state);
std::string_view run_type_name(RunType type);
std::optional<TaskState> task_state_from(std::string_view name);
std::optional<RunState> run_state_from(std::string_view name);
std::optional<RunType> run_type_from(std::string_view name);

bool is_finished(TaskState state);
inline bool is_finished(RunState state) { return state == RunState::kSuccess || state == RunState::kFailed; }

}  // namespace millrace::dag
