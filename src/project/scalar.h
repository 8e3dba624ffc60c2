#pragma once

#include "base/result.h"
#include "base/time.h"
#include "project/node.h"

namespace millrace::project {

/// Typed readings of a scalar. Numbers and booleans are read from plain scalars and from those a ${…} was replaced in.
/// Errors: kInvalidArgument with the fault's message and hint; a secret's value is never in them.
Result<int64_t> read_integer(const Node& scalar);
Result<bool> read_boolean(const Node& scalar);
Result<Duration> read_duration(const Node& scalar);
/// As parse_size (base/size.h).
Result<int64_t> read_size(const Node& scalar);
Result<WrittenTime> read_time(const Node& scalar);

}  // namespace millrace::project
