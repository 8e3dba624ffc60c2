#pragma once

#include <functional>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "project/fault.h"
#include "project/node.h"

namespace millrace::project {

/// Where ${…} gets its values.
struct Surroundings {
  std::function<std::optional<std::string>(const std::string& name)> variable;
  /// The content of a file that ${file:PATH} names, one trailing newline stripped.
  std::function<Result<std::string>(const std::string& path)> file;
};

/// Replaces in a scalar: ${VAR}, ${VAR:-default}, ${VAR:?message}, ${file:PATH}, and $$ by a dollar sign; another $ is left
/// alone. Default and path may hold ${…} again. Unset and empty are the same for `:-` and `:?`. A scalar with a fault is marked
/// broken.
void interpolate(Node& scalar, const Surroundings& surroundings, FaultList& faults);

/// Every scalar in a tree (keys are left alone).
void interpolate_tree(Node& node, const Surroundings& surroundings, FaultList& faults);

/// Only looks at the forms: no variable is needed, no file read, nothing replaced.
void check_forms(const Node& node, FaultList& faults);

}  // namespace millrace::project
