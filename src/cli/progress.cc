#include "cli/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include "env/clock.h"

namespace millrace::cli {
namespace {

constexpr Duration kTerminalEvery = std::chrono::milliseconds(200);
constexpr Duration kLineEvery = std::chrono::seconds(5);

}  // namespace

ProgressLine::ProgressLine(std::string what)
    : what_(std::move(what)),
      terminal_(isatty(STDERR_FILENO) != 0),
      next_(env::real_clock().monotonic() + (terminal_ ? kTerminalEvery : kLineEvery)) {}

ProgressLine::~ProgressLine() {
  if (drawn_ && terminal_) fmt::print(stderr, "\r\x1b[K");
}

void ProgressLine::show(uint64_t bytes_done, uint64_t bytes_total) {
  Duration now = env::real_clock().monotonic();
  if (now < next_) return;
  next_ = now + (terminal_ ? kTerminalEvery : kLineEvery);
  uint64_t percent = bytes_total == 0 ? 0 : bytes_done * 100 / bytes_total;
  fmt::print(stderr, "{}millrace: {}: {} of {} MiB ({} %){}", terminal_ ? "\r\x1b[K" : "", what_, bytes_done >> 20,
             bytes_total >> 20, percent, terminal_ ? "" : "\n");
  drawn_ = true;
}

}  // namespace millrace::cli
