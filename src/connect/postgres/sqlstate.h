#pragma once

#include <string_view>

#include "base/result.h"

namespace millrace::connect::postgres {

/// What an error code of the server (PostgreSQL documentation, appendix A) means here.
Errc code_of_sqlstate(std::string_view sqlstate);
/// The server refused a row for what it holds: a value of the wrong form or size, or a broken constraint.
bool is_data_fault(std::string_view sqlstate);
/// Another session was in the way: a serialization failure, a deadlock, a lock that did not come within lock_timeout.
bool is_conflict(std::string_view sqlstate);

}  // namespace millrace::connect::postgres
