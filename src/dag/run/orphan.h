#pragma once

#include <sys/types.h>

#include <string>

#include "base/result.h"
#include "env/file.h"

namespace millrace::dag {

/// A note beside an attempt's log, `<try>.pid`, by which the next server finds a program that outlived this one: pid, start time
/// and the machine's boot id, so a stranger that was given the same pid later is left alone. It is not synced: a machine that
/// lost it has lost its processes too.
Status note_process(env::FileSystem& files, const std::string& path, pid_t pid);
void forget_process(env::FileSystem& files, const std::string& path);

/// Kills the process group of the note if its leader still runs, and removes the note. True when there was something to kill.
Result<bool> kill_orphan(env::FileSystem& files, const std::string& path);

}  // namespace millrace::dag
