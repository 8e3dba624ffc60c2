#pragma once

#include <string>

#include "project/interpolate.h"
#include "project/keys.h"
#include "project/node.h"

namespace millrace::project {

/// Finds the profile in `root`, puts the values of its `set` in place, and replaces ${…} in all that it runs with. Other profiles
/// and the connections are only looked at: what they lack is no fault here. Returns the profile's node; null when the file has
/// none.
const Node* select_profile(const std::string& file, Node& root, const std::string& profile, const Surroundings& surroundings,
                           FaultList& faults);

}  // namespace millrace::project
