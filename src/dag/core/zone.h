#pragma once

#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"

namespace date {
class time_zone;
}

namespace millrace::dag {

/// Wall-clock seconds since 1970-01-01T00:00:00 as the clocks of some zone show them.
using LocalSeconds = int64_t;

/// A stretch of time [begin, end), in seconds of UTC, in which a zone's clocks do not jump.
struct ZoneSegment {
  int64_t begin;
  int64_t end;
  int64_t offset;         // seconds east of UTC
  int64_t offset_before;  // of the segment that ends at `begin`
};

/// A time zone of the system's database. Cheap to copy; lives as long as the process.
class Zone {
 public:
  /// UTC.
  Zone() = default;
  /// An IANA name: `Europe/Zurich`. kInvalidArgument when the system's database does not have it.
  static Result<Zone> find(std::string_view name);

  ZoneSegment segment_at(int64_t utc_seconds) const;
  std::string name() const;

 private:
  const date::time_zone* zone_ = nullptr;
};

}  // namespace millrace::dag
