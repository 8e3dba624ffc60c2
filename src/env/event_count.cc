#include "env/event_count.h"

#include <linux/futex.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <climits>

namespace millrace::env {

// futex(2): the kernel compares and puts to sleep in one step, so a raise in between is not missed.
void EventCount::wait(uint32_t seen) const { syscall(SYS_futex, &count_, FUTEX_WAIT_PRIVATE, seen, nullptr, nullptr, 0); }

void EventCount::raise() {
  ++count_;
  syscall(SYS_futex, &count_, FUTEX_WAKE_PRIVATE, INT_MAX, nullptr, nullptr, 0);
}

}  // namespace millrace::env
