#pragma once

#include <chrono>
#include <cstdint>
#include <optional>
#include <span>
#include <string_view>

#include "base/result.h"

namespace millrace::env {

/// A named place in the program where a test can make things go wrong; they exist in every build and cost one load when off.
///   MILLRACE_FAULTS="log.before_sync=exit,after=3;file.write=enospc,odds=0.01,seed=7"
/// Actions: exit (ends the process at once, as kill -9 would), abort (as a crash would), eio, enospc, short (a write stops
/// half-way, then eio), delay (100 ms, or `ms=N`), drop_unsynced (as if power was lost: files and directories lose what was not
/// synced, or with a seed a part of it, then exit; see power_loss.h). `after=3` lets the first 3 passes go by; `odds` (default 1)
/// and `seed` decide each pass after these. `path=TEXT` keeps a file.* point to the files whose path holds the text,
/// stream.decode to the record `topic/partition/offset/`, and stream.between_output_and_commit to the query.
struct FaultPoint {
  std::string_view name;
  std::string_view where;
};

/// Every fault point there is; `millrace doctor` lists them. A name that is not here cannot be passed to `fault`.
std::span<const FaultPoint> fault_points();

/// Does what MILLRACE_FAULTS says for this point: nothing, or ends the process, waits, or returns the error (kIo,
/// kDiskFull).
Status fault(std::string_view name, std::string_view path = {});

enum class FaultAction { kNone, kExit, kEio, kEnospc, kShort, kDelay, kDropUnsynced, kAbort };

struct TakenFault {
  FaultAction action = FaultAction::kNone;
  std::chrono::milliseconds delay{0};
  std::optional<uint64_t> seed;
};

/// The two halves of `fault`, for a place that does something of its own between them.
TakenFault take_fault(std::string_view name, std::string_view path = {});
Status act_on_fault(const TakenFault& taken, std::string_view name);

/// Whether any fault can happen. Who would have to keep books for that asks when it opens a file.
bool faults_are_on();

/// Reads MILLRACE_FAULTS if nothing has yet. kInvalidArgument when it is wrong: then no fault is active. A program asks at its
/// start; without that, the first point passed reads it and logs the error.
Status faults_from_environment();

/// Replaces what MILLRACE_FAULTS says; for tests. kInvalidArgument names the unknown point or action.
Status set_faults(std::string_view spec);

}  // namespace millrace::env
