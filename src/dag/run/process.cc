#include "dag/run/process.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <optional>

namespace millrace::dag {
namespace {

class Fd {
 public:
  explicit Fd(int fd = -1) : fd_(fd) {}
  ~Fd() { close(); }
  Fd(const Fd&) = delete;
  Fd& operator=(const Fd&) = delete;
  int get() const { return fd_; }
  void set(int fd) {
    close();
    fd_ = fd;
  }
  void close() {
    if (fd_ >= 0) ::close(fd_);
    fd_ = -1;
  }

 private:
  int fd_;
};

std::vector<char*> pointers(const std::vector<std::string>& texts) {
  std::vector<char*> out;
  out.reserve(texts.size() + 1);
  for (const std::string& text : texts) out.push_back(const_cast<char*>(text.c_str()));
  out.push_back(nullptr);
  return out;
}

auto system_error(std::string_view what, int error) {
  Errc code = error == ENOENT ? Errc::kNotFound : error == EACCES ? Errc::kPermissionDenied : Errc::kIo;
  return fail(code, fmt::format("{}: {}", what, std::strerror(error)));
}

/// The attributes and file actions of one spawn.
class SpawnSettings {
 public:
  SpawnSettings(const ProcessSpec& spec, int output) {
    posix_spawn_file_actions_init(&actions_);
    posix_spawn_file_actions_addopen(&actions_, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions_, output, STDOUT_FILENO);
    posix_spawn_file_actions_adddup2(&actions_, output, STDERR_FILENO);
    posix_spawn_file_actions_addclosefrom_np(&actions_, STDERR_FILENO + 1);
    if (!spec.directory.empty()) posix_spawn_file_actions_addchdir_np(&actions_, spec.directory.c_str());

    posix_spawnattr_init(&attributes_);
    sigset_t none;
    sigset_t all;
    sigemptyset(&none);
    sigfillset(&all);
    sigdelset(&all, SIGKILL);
    sigdelset(&all, SIGSTOP);
    posix_spawnattr_setsigmask(&attributes_, &none);
    posix_spawnattr_setsigdefault(&attributes_, &all);
    posix_spawnattr_setflags(&attributes_, POSIX_SPAWN_SETSID | POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF);
  }
  ~SpawnSettings() {
    posix_spawn_file_actions_destroy(&actions_);
    posix_spawnattr_destroy(&attributes_);
  }
  SpawnSettings(const SpawnSettings&) = delete;
  SpawnSettings& operator=(const SpawnSettings&) = delete;

  posix_spawn_file_actions_t actions_;
  posix_spawnattr_t attributes_;
};

/// The parent's side of a program that runs.
class Child {
 public:
  Child(pid_t pid, int output) : pid_(pid), output_(output), pidfd_(static_cast<int>(::syscall(SYS_pidfd_open, pid, 0))) {}

  bool has_exited() const {
    siginfo_t info{};
    // WNOWAIT leaves a zombie behind, so that neither the pid nor the group's id can become a stranger's before the group is
    // killed.
    return ::waitid(P_PID, static_cast<id_t>(pid_), &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == pid_;
  }
  void signal_group(int signal) const { ::kill(-pid_, signal); }

  /// Waits for output, the end, or `wakeup`, at most until the time is over (none: for ever).
  void wait(int wakeup, std::optional<Duration> at_most) const {
    // poll skips negative descriptors: a closed pipe, a kernel without pidfd. The latter is looked at from time to time.
    constexpr int kLookAgainMs = 10;
    std::array<pollfd, 3> fds = {pollfd{output_.get(), POLLIN, 0}, pollfd{pidfd_.get(), POLLIN, 0}, pollfd{wakeup, POLLIN, 0}};
    int timeout_ms = -1;
    if (at_most)
      timeout_ms = static_cast<int>(std::chrono::ceil<std::chrono::milliseconds>(std::max(*at_most, Duration(0))).count());
    if (pidfd_.get() < 0) timeout_ms = timeout_ms < 0 ? kLookAgainMs : std::min(timeout_ms, kLookAgainMs);
    ::poll(fds.data(), fds.size(), timeout_ms);
  }

  /// Takes what is in the pipe, up to `bytes_max`.
  void drain(const std::function<void(std::string_view)>& output, size_t bytes_max) {
    std::array<char, 16 << 10> buffer;
    while (bytes_max > 0 && output_.get() >= 0) {
      ssize_t n = ::read(output_.get(), buffer.data(), std::min(buffer.size(), bytes_max));
      if (n < 0 && errno == EINTR) continue;
      if (n < 0 && errno == EAGAIN) return;
      if (n <= 0) return output_.close();
      output({buffer.data(), static_cast<size_t>(n)});
      bytes_max -= static_cast<size_t>(n);
    }
  }

  ProcessEnd reap() const {
    int status = 0;
    while (::waitpid(pid_, &status, 0) < 0 && errno == EINTR) {
    }
    if (WIFSIGNALED(status)) return {0, WTERMSIG(status)};
    return {WEXITSTATUS(status), 0};
  }

 private:
  const pid_t pid_;
  Fd output_;
  Fd pidfd_;
};

}  // namespace

Result<ProcessEnd> run_process(const ProcessSpec& spec, env::Clock& clock, std::stop_token stop,
                               const std::function<void(pid_t)>& started, const std::function<void(std::string_view)>& output) {
  int ends[2];
  if (::pipe2(ends, O_CLOEXEC) != 0) return system_error("pipe", errno);
  Fd write_end(ends[1]);
  Fd wakeup(::eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK));
  if (wakeup.get() < 0) {
    ::close(ends[0]);
    return system_error("eventfd", errno);
  }
  ::fcntl(ends[0], F_SETFL, O_NONBLOCK);

  auto argv = pointers(spec.argv);
  auto environment = pointers(spec.environment);
  pid_t pid = 0;
  int error = 0;
  {
    SpawnSettings settings(spec, write_end.get());
    error = ::posix_spawnp(&pid, argv[0], &settings.actions_, &settings.attributes_, argv.data(), environment.data());
  }
  write_end.close();
  if (error != 0) {
    ::close(ends[0]);
    return system_error(fmt::format("cannot start '{}'", spec.argv[0]), error);
  }
  Child child(pid, ends[0]);
  started(pid);

  constexpr size_t kDrainBytes = 256 << 10;    // between two looks at the stop token
  constexpr size_t kLastWordsBytes = 1 << 20;  // a pipe holds 64 KiB; a process that left the group may go on writing
  std::stop_callback on_stop(stop, [&] { ::eventfd_write(wakeup.get(), 1); });
  std::optional<Duration> kill_at;
  bool killed = false;
  while (!child.has_exited()) {
    std::optional<Duration> at_most;
    if (stop.stop_requested() && !kill_at) {
      child.signal_group(SIGTERM);
      kill_at = clock.monotonic() + spec.grace;
    }
    if (kill_at && !killed) {
      at_most = *kill_at - clock.monotonic();
      if (*at_most <= Duration(0)) {
        child.signal_group(SIGKILL);
        killed = true;
        at_most.reset();
      }
    }
    child.wait(kill_at ? -1 : wakeup.get(), at_most);
    child.drain(output, kDrainBytes);
  }
  child.signal_group(SIGKILL);
  child.drain(output, kLastWordsBytes);
  return child.reap();
}

}  // namespace millrace::dag
