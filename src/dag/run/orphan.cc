#include "dag/run/orphan.h"

#include <fmt/format.h>
#include <signal.h>

#include <charconv>
#include <vector>

namespace millrace::dag {
namespace {

/// procfs files say that they are empty, so they are read to their end and not by their size.
std::string read_proc(env::FileSystem& files, const std::string& path) {
  auto file = files.open(path, env::OpenMode::kRead);
  if (!file) return {};
  std::string text(4096, '\0');
  auto n = (*file)->read_at(0, text.data(), text.size());
  text.resize(n ? *n : 0);
  return text;
}

/// Field 22 of proc(5)'s stat: clock ticks from boot to the start of the process. The name in field 2 may hold anything, even
/// ')'.
std::string start_time(env::FileSystem& files, pid_t pid) {
  std::string stat = read_proc(files, fmt::format("/proc/{}/stat", pid));
  size_t at = stat.rfind(')');
  for (int field = 2; field < 22 && at != std::string::npos; ++field) at = stat.find(' ', at + 1);
  if (at == std::string::npos) return {};
  return stat.substr(at + 1, stat.find(' ', at + 1) - at - 1);
}

std::string boot_id(env::FileSystem& files) {
  std::string id = read_proc(files, "/proc/sys/kernel/random/boot_id");
  return id.substr(0, id.find('\n'));
}

}  // namespace

Status note_process(env::FileSystem& files, const std::string& path, pid_t pid) {
  static const std::string boot = boot_id(files);
  TRY(auto file, files.open(path, env::OpenMode::kWrite));
  return file->write_at(0, fmt::format("{} {} {}\n", pid, start_time(files, pid), boot));
}

void forget_process(env::FileSystem& files, const std::string& path) { (void)files.remove(path); }

Result<bool> kill_orphan(env::FileSystem& files, const std::string& path) {
  TRY(bool noted, files.exists(path));
  if (!noted) return false;
  TRY(std::string note, env::read_file(files, path, 4096));
  pid_t pid = 0;
  auto [end, error] = std::from_chars(note.data(), note.data() + note.size(), pid);
  bool ours = error == std::errc() && pid > 1 && note == fmt::format("{} {} {}\n", pid, start_time(files, pid), boot_id(files)) &&
              !start_time(files, pid).empty();
  if (ours) ::kill(-pid, SIGKILL);
  TRY_DO(files.remove(path));
  return ours;
}

}  // namespace millrace::dag
