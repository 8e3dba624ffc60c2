#pragma once

namespace millrace::env {

/// Cuts every file that this process has open for writing back to its size at the last sync: what is left after a power loss in
/// the worst case, for files that only grow. Only for a process that is about to end.
void drop_unsynced_bytes();

}  // namespace millrace::env
