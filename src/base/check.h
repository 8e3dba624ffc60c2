#pragma once

#include <string_view>

namespace millrace {
[[noreturn]] void check_failed(const char* file, int line, const char* condition, std::string_view why);
}

/// Ends the process when `condition` does not hold, in every build. For bugs of ours only: bad input is an Error.
#define CHECK(condition, why) \
  (static_cast<bool>(condition) ? void(0) : ::millrace::check_failed(__FILE__, __LINE__, #condition, why))
