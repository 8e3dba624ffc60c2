#include "net/http/wait.h"

#include <condition_variable>
#include <mutex>

namespace millrace::net::http {

Wait real_wait() {
  return [](Duration delay, std::stop_token stop) {
    std::mutex mutex;
    std::condition_variable_any changed;
    std::unique_lock lock(mutex);
    changed.wait_for(lock, stop, delay, [] { return false; });
    return !stop.stop_requested();
  };
}

}  // namespace millrace::net::http
