#include "env/crash_page.h"

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <mutex>

namespace millrace::env {
namespace {

[[maybe_unused]] constexpr size_t kStackBytes = 64 << 10;
[[maybe_unused]] constexpr int kSignals[] = {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGABRT};

constinit thread_local volatile char* note_of_thread = nullptr;

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer) || __has_feature(memory_sanitizer)
#define MILLRACE_FAULTS_ARE_CAUGHT 1
#endif
#endif

#ifndef MILLRACE_FAULTS_ARE_CAUGHT
// SA_RESETHAND: on return the instruction faults again, or abort() goes on, with the default action.
void note_crash(int) {
  if (note_of_thread != nullptr) *note_of_thread = 1;
}

void install_handlers() {
  struct sigaction action = {};
  action.sa_handler = note_crash;
  action.sa_flags = static_cast<int>(SA_ONSTACK | SA_RESETHAND);
  for (int signal : kSignals) sigaction(signal, &action, nullptr);
}
#endif

tl::unexpected<Error> failed(const std::string& path, const char* what) {
  return fail(errno == ENOSPC ? Errc::kDiskFull : Errc::kIo, fmt::format("{}: {}: {}", path, what, std::strerror(errno)));
}

}  // namespace

Result<std::unique_ptr<CrashPage>> CrashPage::open(const std::string& path) {
  int file = ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0600);
  if (file < 0) return failed(path, "cannot be opened");
  // Allocated, not only as long: a store into a hole of a full disk would be a fault.
  int refused = posix_fallocate(file, 0, kBytes);
  void* bytes = MAP_FAILED;
  if (refused == 0) bytes = mmap(nullptr, kBytes, PROT_READ | PROT_WRITE, MAP_SHARED, file, 0);
  if (refused != 0) errno = refused;
  if (bytes == MAP_FAILED) {
    auto error = failed(path, "cannot be mapped");
    close(file);
    return error;
  }
  close(file);
  return std::unique_ptr<CrashPage>(new CrashPage(static_cast<char*>(bytes)));
}

CrashPage::~CrashPage() { munmap(bytes_, kBytes); }

CrashNote::CrashNote(volatile char* note) {
#ifndef MILLRACE_FAULTS_ARE_CAUGHT
  static std::once_flag installed;
  std::call_once(installed, install_handlers);
  stack_ = std::make_unique<char[]>(kStackBytes);
  stack_t stack = {};
  stack.ss_sp = stack_.get();
  stack.ss_size = kStackBytes;
  sigaltstack(&stack, nullptr);
#endif
  note_of_thread = note;
}

CrashNote::~CrashNote() {
  note_of_thread = nullptr;
  if (stack_ == nullptr) return;
  stack_t none = {};
  none.ss_flags = SS_DISABLE;
  sigaltstack(&none, nullptr);
}

}  // namespace millrace::env
