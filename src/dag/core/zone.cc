#include "dag/core/zone.h"

#include <date/tz.h>
#include <fmt/format.h>

#include <limits>

namespace millrace::dag {

Result<Zone> Zone::find(std::string_view name) {
  if (name == "UTC" || name == "Etc/UTC") return Zone();
  try {
    Zone zone;
    zone.zone_ = date::locate_zone(std::string(name));
    return zone;
  } catch (const std::exception&) {
    return fail(Errc::kInvalidArgument, fmt::format("there is no time zone '{}'", name.substr(0, 100)),
                "write a name such as Europe/Zurich or UTC; the system's tzdata must be installed");
  }
}

ZoneSegment Zone::segment_at(int64_t utc_seconds) const {
  constexpr int64_t kMin = std::numeric_limits<int64_t>::min() / 4;
  constexpr int64_t kMax = std::numeric_limits<int64_t>::max() / 4;
  if (zone_ == nullptr) return {kMin, kMax, 0, 0};
  date::sys_info info = zone_->get_info(date::sys_seconds(std::chrono::seconds(utc_seconds)));
  ZoneSegment segment{info.begin.time_since_epoch().count(), info.end.time_since_epoch().count(), info.offset.count(),
                      info.offset.count()};
  // The database's stretches of far past and future are bounded by the limits of its calendar.
  constexpr int64_t kFar = 300'000'000'000;
  if (segment.end > kFar) segment.end = kMax;
  if (segment.begin < -kFar) {
    segment.begin = kMin;
  } else {
    segment.offset_before = zone_->get_info(info.begin - std::chrono::seconds(1)).offset.count();
  }
  return segment;
}

std::string Zone::name() const { return zone_ == nullptr ? "UTC" : zone_->name(); }

}  // namespace millrace::dag
