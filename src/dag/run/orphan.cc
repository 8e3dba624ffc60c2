#include "dag/run/orphan.h"

#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include <charconv>
#include <set>
#include <vector>

namespace millrace::dag {
namespace {

/// procfs files say that they are empty, so they are read to their end and not by their size.
std::string read_proc(env::FileSystem& files, const std::string& path, size_t bytes_max = 4096) {
  auto file = files.open(path, env::OpenMode::kRead);
  if (!file) return {};
  std::string text(bytes_max, '\0');
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

/// Kills those that run at this moment, and adds them to `killed`. False when there was none.
bool kill_marked_now(env::FileSystem& files, const std::string& entry, std::set<pid_t>& killed) {
  constexpr size_t kEnvironBytesMax = 256 << 10;
  auto names = files.list("/proc");
  if (!names) return false;
  bool any = false;
  for (const std::string& name : *names) {
    pid_t pid = 0;
    auto [end, error] = std::from_chars(name.data(), name.data() + name.size(), pid);
    if (error != std::errc() || *end != '\0' || pid <= 1 || pid == ::getpid()) continue;
    // Entries end with a zero byte, the one before ours as well.
    std::string environ = '\0' + read_proc(files, "/proc/" + name + "/environ", kEnvironBytesMax);
    if (environ.find(entry) == std::string::npos || ::kill(pid, SIGKILL) != 0) continue;
    killed.insert(pid);
    any = true;
  }
  return any;
}

}  // namespace

Status note_process(env::FileSystem& files, const std::string& path, pid_t pid, const std::string& mark) {
  static const std::string boot = boot_id(files);
  TRY(auto file, files.open(path, env::OpenMode::kWrite));
  return file->write_at(0, fmt::format("{} {} {}\n{}\n", pid, start_time(files, pid), boot, mark));
}

std::string make_mark(env::Random& random) { return fmt::format("{:016x}{:016x}", random.next(), random.next()); }

size_t kill_marked(env::FileSystem& files, const std::string& mark) {
  constexpr int kRoundsMax = 20;  // one that forks as fast as it is killed is not waited for
  std::string entry = fmt::format("{0}{1}={2}{0}", '\0', kMarkVariable, mark);
  std::set<pid_t> killed;
  for (int round = 0; round < kRoundsMax && kill_marked_now(files, entry, killed); ++round) {
  }
  return killed.size();
}

void forget_process(env::FileSystem& files, const std::string& path) { (void)files.remove(path); }

Result<bool> kill_orphan(env::FileSystem& files, const std::string& path) {
  TRY(bool noted, files.exists(path));
  if (!noted) return false;
  TRY(std::string note, env::read_file(files, path, 4096));
  pid_t pid = 0;
  auto [end, error] = std::from_chars(note.data(), note.data() + note.size(), pid);
  size_t line = note.find('\n');
  std::string mark = line == std::string::npos ? "" : note.substr(line + 1, note.find('\n', line + 1) - line - 1);
  std::string started = start_time(files, pid);
  bool ours = error == std::errc() && pid > 1 && !started.empty() &&
              note.substr(0, line) == fmt::format("{} {} {}", pid, started, boot_id(files));
  if (ours) ::kill(-pid, SIGKILL);
  if (!mark.empty()) ours = kill_marked(files, mark) > 0 || ours;
  TRY_DO(files.remove(path));
  return ours;
}

}  // namespace millrace::dag
