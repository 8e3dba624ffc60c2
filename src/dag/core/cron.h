#pragma once

#include <bitset>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "dag/core/zone.h"

namespace millrace::dag {

/// A cron expression in croniter's grammar: `minute hour day month weekday [second]`, with names, ranges (also across the end:
/// `fri-mon`), steps, lists, 7 = Sunday, `L` (last day of the month), `L5` or `5L` (last Friday), `mon#1` (first Monday). When
/// both day fields are restricted, either is enough.
///
/// Ticks are instants in a zone. An expression whose hour field is a wildcard follows elapsed time: it ticks in both halves of a
/// repeated hour, and times that the clocks jump over are counted on from before the jump. Any other expression names fixed
/// times: one that is jumped over ticks at the first instant after the jump, one in a repeated hour ticks in its first half only.
class Cron {
 public:
  /// kInvalidArgument with the position of the fault; also for dates that never come (`0 0 30 2 *`).
  static Result<Cron> parse(std::string_view text);

  /// The first tick after `t`; none beyond the year 9999.
  std::optional<Instant> next(Instant t, const Zone& zone) const;
  /// The last tick before `t`; none before the year 1.
  std::optional<Instant> previous(Instant t, const Zone& zone) const;

  const std::string& text() const { return text_; }

 private:
  friend class CronParser;
  bool day_matches(int year, unsigned month, unsigned day) const;
  std::optional<LocalSeconds> at_or_after(LocalSeconds from) const;
  std::optional<LocalSeconds> before(LocalSeconds until) const;
  std::optional<int64_t> first_in(const ZoneSegment& segment, int64_t from) const;
  std::optional<int64_t> last_in(const ZoneSegment& segment, int64_t until) const;

  std::string text_;
  std::bitset<60> seconds_;
  std::bitset<60> minutes_;
  std::bitset<24> hours_;
  std::bitset<32> days_;     // 1 to 31
  std::bitset<13> months_;   // 1 to 12
  std::bitset<7> weekdays_;  // 0 is Sunday
  std::bitset<7> nth_[6];    // nth_[n]: the n-th such weekday of the month, n from 1 to 5
  std::bitset<7> last_weekdays_;
  bool last_day_ = false;
  bool any_day_ = false;
  bool any_weekday_ = false;
  bool hourly_ = false;  // the hour field is a wildcard
};

}  // namespace millrace::dag
