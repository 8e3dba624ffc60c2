#include "dag/core/cron.h"

#include <date/date.h>

#include <algorithm>

namespace millrace::dag {
namespace {

constexpr int64_t kDay = 86'400;
constexpr int kYearMin = 1;
constexpr int kYearMax = 9999;
// A leap day on a given weekday is up to 40 years away, where a century's leap day is left out.
constexpr int kYearsSearched = 41;

struct LocalDate {
  int year;
  unsigned month;
  unsigned day;
};

int64_t day_number(int year, unsigned month, unsigned day) {
  return date::sys_days(date::year(year) / static_cast<int>(month) / static_cast<int>(day)).time_since_epoch().count();
}
unsigned days_in(int year, unsigned month) {
  return static_cast<unsigned>((date::year(year) / static_cast<int>(month) / date::last).day());
}
unsigned weekday_of(int year, unsigned month, unsigned day) {
  int64_t weekday = (day_number(year, month, day) + 4) % 7;  // 1970-01-01 was a Thursday
  return static_cast<unsigned>(weekday < 0 ? weekday + 7 : weekday);
}
LocalDate date_of(int64_t days) {
  date::year_month_day ymd{date::sys_days(date::days(days))};
  return {static_cast<int>(ymd.year()), static_cast<unsigned>(ymd.month()), static_cast<unsigned>(ymd.day())};
}
int64_t floor_div(int64_t a, int64_t b) { return a / b - (a % b < 0 ? 1 : 0); }

template <size_t N>
int first_from(const std::bitset<N>& set, int from) {
  for (int i = from; i < static_cast<int>(N); ++i) {
    if (set[static_cast<size_t>(i)]) return i;
  }
  return -1;
}
template <size_t N>
int last_to(const std::bitset<N>& set, int to) {
  for (int i = to; i >= 0; --i) {
    if (set[static_cast<size_t>(i)]) return i;
  }
  return -1;
}

}  // namespace

bool Cron::day_matches(int year, unsigned month, unsigned day) const {
  unsigned last = days_in(year, month);
  unsigned weekday = weekday_of(year, month, day);
  bool by_day = days_[day] || (last_day_ && day == last);
  bool by_weekday = weekdays_[weekday] || nth_[(day + 6) / 7][weekday] || (last_weekdays_[weekday] && day + 7 > last);
  if (any_day_ && any_weekday_) return true;
  if (any_day_) return by_weekday;
  if (any_weekday_) return by_day;
  return by_day || by_weekday;
}

std::optional<LocalSeconds> Cron::at_or_after(LocalSeconds from) const {
  int64_t days = floor_div(from, kDay);
  int of_day = static_cast<int>(from - days * kDay);
  if (days < day_number(kYearMin, 1, 1)) return std::nullopt;
  if (days > day_number(kYearMax, 12, 31)) return std::nullopt;
  LocalDate start = date_of(days);
  int year_end = std::min(start.year + kYearsSearched, kYearMax);

  auto in_day = [&](int second_min) {
    for (int h = first_from(hours_, second_min / 3600); h >= 0; h = first_from(hours_, h + 1)) {
      int minute_from = std::max(0, second_min - h * 3600) / 60;
      for (int m = first_from(minutes_, minute_from); m >= 0; m = first_from(minutes_, m + 1)) {
        int s = first_from(seconds_, std::max(0, second_min - h * 3600 - m * 60));
        if (s >= 0) return h * 3600 + m * 60 + s;
      }
    }
    return -1;
  };

  for (int year = start.year; year <= year_end; ++year) {
    unsigned month = year == start.year ? start.month : 1;
    for (; month <= 12; ++month) {
      if (!months_[month]) continue;
      bool first_month = year == start.year && month == start.month;
      unsigned last = days_in(year, month);
      for (unsigned day = first_month ? start.day : 1; day <= last; ++day) {
        if (!day_matches(year, month, day)) continue;
        bool first_day = first_month && day == start.day;
        if (int second = in_day(first_day ? of_day : 0); second >= 0) return day_number(year, month, day) * kDay + second;
      }
    }
  }
  return std::nullopt;
}

std::optional<LocalSeconds> Cron::before(LocalSeconds until) const {
  LocalSeconds to = until - 1;
  int64_t days = floor_div(to, kDay);
  int of_day = static_cast<int>(to - days * kDay);
  if (days < day_number(kYearMin, 1, 1)) return std::nullopt;
  if (days > day_number(kYearMax, 12, 31)) return std::nullopt;
  LocalDate start = date_of(days);
  int year_end = std::max(start.year - kYearsSearched, kYearMin);

  auto in_day = [&](int second_max) {
    for (int h = last_to(hours_, second_max / 3600); h >= 0; h = last_to(hours_, h - 1)) {
      int minute_to = std::min(3599, second_max - h * 3600) / 60;
      for (int m = last_to(minutes_, minute_to); m >= 0; m = last_to(minutes_, m - 1)) {
        int s = last_to(seconds_, std::min(59, second_max - h * 3600 - m * 60));
        if (s >= 0) return h * 3600 + m * 60 + s;
      }
    }
    return -1;
  };

  for (int year = start.year; year >= year_end; --year) {
    unsigned month = year == start.year ? start.month : 12;
    for (; month >= 1; --month) {
      if (!months_[month]) continue;
      bool first_month = year == start.year && month == start.month;
      for (unsigned day = first_month ? start.day : days_in(year, month); day >= 1; --day) {
        if (!day_matches(year, month, day)) continue;
        bool first_day = first_month && day == start.day;
        if (int second = in_day(first_day ? of_day : static_cast<int>(kDay) - 1); second >= 0) {
          return day_number(year, month, day) * kDay + second;
        }
      }
    }
  }
  return std::nullopt;
}

// A segment's ticks are the matching times that its clocks show, and what becomes of matching times that were jumped over at its
// begin.

std::optional<int64_t> Cron::first_in(const ZoneSegment& segment, int64_t from) const {
  LocalSeconds local_min = from + segment.offset;
  if (!hourly_) local_min = std::max(local_min, segment.begin + segment.offset_before);
  std::optional<int64_t> best;
  if (auto local = at_or_after(local_min); local && *local - segment.offset < segment.end) best = *local - segment.offset;
  if (segment.offset_before < segment.offset) {
    LocalSeconds gap_begin = segment.begin + segment.offset_before;
    LocalSeconds gap_end = segment.begin + segment.offset;
    LocalSeconds gap_from = hourly_ ? std::max(gap_begin, from + segment.offset_before) : gap_begin;
    if ((hourly_ || from <= segment.begin) && gap_from < gap_end) {
      if (auto local = at_or_after(gap_from); local && *local < gap_end) {
        int64_t tick = hourly_ ? *local - segment.offset_before : segment.begin;
        if (tick < segment.end && (!best || tick < *best)) best = tick;
      }
    }
  }
  return best;
}

std::optional<int64_t> Cron::last_in(const ZoneSegment& segment, int64_t until) const {
  LocalSeconds local_min = segment.begin + (hourly_ ? segment.offset : std::max(segment.offset, segment.offset_before));
  std::optional<int64_t> best;
  if (auto local = before(until + segment.offset); local && *local >= local_min) best = *local - segment.offset;
  if (segment.offset_before < segment.offset) {
    LocalSeconds gap_begin = segment.begin + segment.offset_before;
    LocalSeconds gap_end = segment.begin + segment.offset;
    LocalSeconds gap_until = hourly_ ? std::min(gap_end, until + segment.offset_before) : gap_end;
    if (segment.begin < until) {
      if (auto local = before(gap_until); local && *local >= gap_begin) {
        int64_t tick = hourly_ ? *local - segment.offset_before : segment.begin;
        if (!best || tick > *best) best = tick;
      }
    }
  }
  return best;
}

std::optional<Instant> Cron::next(Instant t, const Zone& zone) const {
  int64_t from = floor_div(to_micros(t), 1'000'000) + 1;
  // Every pass leaves a segment behind, and jumps to the day before the next local match when that is further away.
  while (true) {
    ZoneSegment segment = zone.segment_at(from);
    if (auto tick = first_in(segment, from)) return instant_from_micros(*tick * 1'000'000);
    auto local = at_or_after(std::max(from, segment.end) - 2 * kDay);
    if (!local) return std::nullopt;
    from = std::max(segment.end, *local - 2 * kDay);
  }
}

std::optional<Instant> Cron::previous(Instant t, const Zone& zone) const {
  int64_t until = floor_div(to_micros(t) - 1, 1'000'000) + 1;
  while (true) {
    ZoneSegment segment = zone.segment_at(until - 1);
    if (auto tick = last_in(segment, until)) return instant_from_micros(*tick * 1'000'000);
    auto local = before(std::min(until, segment.begin) + 2 * kDay);
    if (!local) return std::nullopt;
    until = std::min(segment.begin, *local + 2 * kDay);
  }
}

}  // namespace millrace::dag
