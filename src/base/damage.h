#pragma once

#include <cstdint>
#include <string>

namespace millrace {

/// A place on disk whose bytes are not what was written there, or that is gone.
struct Damage {
  std::string file;
  uint64_t position = 0;  // the first wrong byte as far as it is known, else 0
  std::string what;
};

}  // namespace millrace
