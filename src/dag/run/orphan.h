#pragma once

#include <sys/types.h>

#include <string>

#include "base/result.h"
#include "env/file.h"
#include "env/random.h"

namespace millrace::dag {

/// A note beside an attempt's log, `<try>.pid`, by which the next server finds a program that outlived this one: pid, start time
/// and the machine's boot id, so a stranger that was given the same pid later is left alone. It is not synced: a machine that
/// lost it has lost its processes too. `mark` is the value of kMarkVariable that the program was started with.
Status note_process(env::FileSystem& files, const std::string& path, pid_t pid, const std::string& mark);
void forget_process(env::FileSystem& files, const std::string& path);

/// The variable in the environment of a task's programs by which those are found that have left the process group (setsid). A
/// program that shall outlive its task is started without it.
inline constexpr std::string_view kMarkVariable = "MILLRACE_ATTEMPT";
/// A value for it that nobody else has.
std::string make_mark(env::Random& random);
/// Kills every process of this machine that carries the mark, and what it starts meanwhile. Returns how many there were.
size_t kill_marked(env::FileSystem& files, const std::string& mark);

/// Kills the process group of the note if its leader still runs, and whoever carries its mark, and removes the note. True when
/// there was something to kill.
Result<bool> kill_orphan(env::FileSystem& files, const std::string& path);

}  // namespace millrace::dag
