#pragma once

#include <span>
#include <string_view>

#include "base/result.h"

namespace millrace::env {

/// A named place in the program where a test can make things go wrong; they exist in every build and cost one load when off.
///   MILLRACE_FAULTS="log.before_sync=exit,after=3;file.write=enospc,odds=0.01,seed=7"
/// Actions: exit (ends the process at once, as kill -9 would), eio, enospc, short, delay, drop_unsynced.
struct FaultPoint {
  std::string_view name;
  std::string_view where;
};

/// Every fault point there is; `millrace doctor` lists them. A name that is not here cannot be passed to `fault`.
std::span<const FaultPoint> fault_points();

/// Does what MILLRACE_FAULTS says for this point: nothing, or ends the process, waits, or returns the error (kIo, kResourceExhausted).
Status fault(std::string_view name);

/// Replaces what MILLRACE_FAULTS says; for tests. kInvalidArgument names the unknown point or action.
Status set_faults(std::string_view spec);

}  // namespace millrace::env
