#pragma once

#include "project/keys.h"
#include "project/node.h"

namespace millrace::project {

/// Holds a tree against the table of keys: unknown and missing keys, types, ranges, choices. `owner` is where a missing key is
/// reported.
void validate(const std::string& file, const Node& node, const KeyTree& keys, const Location& owner, FaultList& faults);

}  // namespace millrace::project
