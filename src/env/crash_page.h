#pragma once

#include <cstddef>
#include <memory>
#include <span>
#include <string>

#include "base/result.h"

namespace millrace::env {

/// A small file in memory: what is written into `bytes` is there for the next process however this one ends. A loss of power may
/// lose it. Writing costs nothing, so it is for notes about what is under way.
class CrashPage {
 public:
  static constexpr size_t kBytes = 64 << 10;
  /// Created with zeros when missing. Errors: kIo, kDiskFull.
  static Result<std::unique_ptr<CrashPage>> open(const std::string& path);
  ~CrashPage();
  CrashPage(const CrashPage&) = delete;
  std::span<char> bytes() { return {bytes_, kBytes}; }

 private:
  explicit CrashPage(char* bytes) : bytes_(bytes) {}
  char* const bytes_;
};

/// While it lives, a fault of this thread (SIGSEGV, SIGBUS, SIGFPE, SIGILL, abort) sets `*note` to 1 before the process ends as
/// it would have; also when the stack is used up. kill -9 sets nothing. One a thread; not in sanitizer builds, which catch faults
/// themselves.
class CrashNote {
 public:
  explicit CrashNote(volatile char* note);
  ~CrashNote();
  CrashNote(const CrashNote&) = delete;

 private:
  std::unique_ptr<char[]> stack_;
};

}  // namespace millrace::env
