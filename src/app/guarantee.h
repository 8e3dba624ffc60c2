#pragma once

#include <string>

#include "app/compile.h"
#include "project/project.h"

namespace millrace::app {

/// What a pipeline promises from its topic to its rows, with the reason, and the links that weaken it on the way there. From
/// what each connector declares (port::SinkKind); asks nobody.
///   `effectively-once from the topic on: …; weakest link: …`
std::string guarantee_of(const project::Project& project, const CompiledQuery& query);

}  // namespace millrace::app
