#pragma once

#include <span>
#include <string_view>

#include "base/result.h"

namespace millrace::env {

/// A named place in the program where a test can make things go wrong; they exist in every build and cost one load when off.
///   MILLRACE_FAULTS="log.before_sync=exit,after=3;file.write=enospc,odds=0.01,seed=7"
/// Actions: exit (ends the process at once, as kill -9 would), eio, enospc, short (a write stops half-way, then eio), delay (100
/// ms), drop_unsynced (as if power was lost: files lose what was not synced, then exit). `after=3` lets the first 3 passes go by;
/// `odds` (default 1) and `seed` decide each pass after these.
struct FaultPoint {
  std::string_view name;
  std::string_view where;
};

/// Every fault point there is; `millrace doctor` lists them. A name that is not here cannot be passed to `fault`.
std::span<const FaultPoint> fault_points();

/// Does what MILLRACE_FAULTS says for this point: nothing, or ends the process, waits, or returns the error (kIo,
/// kResourceExhausted).
Status fault(std::string_view name);

enum class FaultAction { kNone, kExit, kEio, kEnospc, kShort, kDelay, kDropUnsynced };

/// The two halves of `fault`, for a place that does something of its own between them.
FaultAction take_fault(std::string_view name);
Status act_on_fault(FaultAction action, std::string_view name);

/// Reads MILLRACE_FAULTS if nothing has yet. kInvalidArgument when it is wrong: then no fault is active. A program asks at its
/// start; without that, the first point passed reads it and logs the error.
Status faults_from_environment();

/// Replaces what MILLRACE_FAULTS says; for tests. kInvalidArgument names the unknown point or action.
Status set_faults(std::string_view spec);

}  // namespace millrace::env
