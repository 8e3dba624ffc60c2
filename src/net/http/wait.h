#pragma once

#include <functional>
#include <stop_token>

#include "base/time.h"

namespace millrace::net::http {

/// Waits, and returns false when stop came first.
using Wait = std::function<bool(Duration, std::stop_token)>;
Wait real_wait();

}  // namespace millrace::net::http
