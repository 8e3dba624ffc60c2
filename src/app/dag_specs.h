#pragma once

#include <vector>

#include "dag/core/dag_spec.h"
#include "project/project.h"

namespace millrace::app {

/// The project's dags as the scheduler runs them. What only the scheduler's rules can judge (schedules, time zones, templates)
/// becomes a fault, and that dag is left out.
std::vector<dag::DagSpec> dag_specs(const project::Project& project, project::FaultList& faults);

}  // namespace millrace::app
