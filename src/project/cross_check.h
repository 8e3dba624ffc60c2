#pragma once

#include "project/project.h"

namespace millrace::project {

/// What several keys must agree on: references, writers, cycles, names. Adds the topics that are only mentioned and marks what
/// each query writes.
void cross_check(Project& project, FaultList& faults);

}  // namespace millrace::project
