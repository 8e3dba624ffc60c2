#include "dag/core/timetable.h"

#include <date/date.h>
#include <fmt/format.h>

#include <algorithm>
#include <array>

namespace millrace::dag {
namespace {

struct Preset {
  std::string_view name;
  std::string_view cron;
};
constexpr std::array kPresets = {
    Preset{"@hourly", "0 * * * *"}, Preset{"@daily", "0 0 * * *"},    Preset{"@midnight", "0 0 * * *"},
    Preset{"@weekly", "0 0 * * 0"}, Preset{"@monthly", "0 0 1 * *"},  Preset{"@quarterly", "0 0 1 */3 *"},
    Preset{"@yearly", "0 0 1 1 *"}, Preset{"@annually", "0 0 1 1 *"},
};
constexpr Duration kPeriodMin = std::chrono::milliseconds(100);
constexpr Duration kPeriodMax = std::chrono::hours(24 * 366 * 10);

std::string_view trim(std::string_view text) {
  while (!text.empty() && (text.front() == ' ' || text.front() == '\t' || text.front() == '\n')) text.remove_prefix(1);
  while (!text.empty() && (text.back() == ' ' || text.back() == '\t' || text.back() == '\n')) text.remove_suffix(1);
  return text;
}

DueRun over(DataInterval interval) { return {interval, interval.start, interval.end}; }

/// How schedules with intervals are walked. `begin_at_or_after` is the first tick that is not before t.
struct CronTicks {
  const Cron& cron;
  const Zone& zone;
  std::optional<Instant> next(Instant t) const { return cron.next(t, zone); }
  std::optional<Instant> previous(Instant t) const { return cron.previous(t, zone); }
};
struct PeriodTicks {
  Instant origin;
  Duration period;
  Instant at_or_before(Instant t) const {
    int64_t n = (t - origin).count() / period.count();
    if (origin + n * period > t) --n;
    return origin + n * period;
  }
  std::optional<Instant> next(Instant t) const { return at_or_before(t) + period; }
  std::optional<Instant> previous(Instant t) const { return at_or_before(t - Duration(1)); }
};

template <class Ticks>
std::optional<Instant> at_or_after(const Ticks& ticks, Instant t) {
  return ticks.next(t - Duration(1));
}
template <class Ticks>
std::optional<Instant> at_or_before(const Ticks& ticks, Instant t) {
  return ticks.previous(t + Duration(1));
}

template <class Ticks>
std::optional<DueRun> next_interval(const Timetable& timetable, const Ticks& ticks, std::optional<Instant> last_end,
                                    Instant now) {
  std::optional<Instant> start = at_or_after(ticks, timetable.start_date);
  if (!start) return std::nullopt;
  if (!timetable.catchup) {
    auto newest_end = at_or_before(ticks, now);
    auto newest_start = newest_end ? ticks.previous(*newest_end) : std::nullopt;
    if (newest_start) start = std::max(*start, *newest_start);
  }
  if (last_end) {
    // The schedule may have changed since: go on from the new schedule's tick.
    if (auto aligned = at_or_before(ticks, *last_end)) start = std::max(*start, *aligned);
  }
  if (timetable.end_date && *start > *timetable.end_date) return std::nullopt;
  auto end = ticks.next(*start);
  if (!end) return std::nullopt;
  return over({*start, *end});
}

template <class Ticks>
DataInterval last_complete(const Ticks& ticks, Instant t) {
  auto end = at_or_before(ticks, t);
  auto start = end ? ticks.previous(*end) : std::nullopt;
  return start ? DataInterval{*start, *end} : DataInterval{t, t};
}

}  // namespace

Result<Schedule> parse_schedule(std::string_view text) {
  text = trim(text);
  if (text.empty() || text == "null" || text == "none" || text == "None" || text == "~") return Schedule(NeverSchedule{});
  if (text == "@once") return Schedule(OnceSchedule{});
  if (text == "@continuous") {
    return fail(Errc::kUnimplemented, "the schedule @continuous is not supported", "write a short interval, such as `every 1s`");
  }
  for (const Preset& preset : kPresets) {
    if (text != preset.name) continue;
    TRY(Cron cron, Cron::parse(preset.cron));
    return Schedule(std::move(cron));
  }
  if (text[0] == '@') {
    return fail(Errc::kInvalidArgument, fmt::format("there is no schedule preset '{}'", text.substr(0, 40)),
                "presets are @once @hourly @daily @weekly @monthly @quarterly @yearly");
  }
  if (text.starts_with("every ")) {
    TRY(Duration period, parse_duration(trim(text.substr(6))));
    if (period < kPeriodMin || period > kPeriodMax) {
      return fail(Errc::kInvalidArgument, fmt::format("an interval is 100ms to 3660d, not {}", format_duration(period)));
    }
    return Schedule(EverySchedule{period});
  }
  TRY(Cron cron, Cron::parse(text));
  return Schedule(std::move(cron));
}

std::string schedule_text(const Schedule& schedule) {
  if (std::holds_alternative<NeverSchedule>(schedule)) return "null";
  if (std::holds_alternative<OnceSchedule>(schedule)) return "@once";
  if (auto* every = std::get_if<EverySchedule>(&schedule)) return "every " + format_duration(every->period);
  return std::get<Cron>(schedule).text();
}

std::optional<DueRun> next_run(const Timetable& timetable, std::optional<Instant> last_end, Instant now) {
  if (auto* cron = std::get_if<Cron>(&timetable.schedule)) {
    return next_interval(timetable, CronTicks{*cron, timetable.zone}, last_end, now);
  }
  if (auto* every = std::get_if<EverySchedule>(&timetable.schedule)) {
    return next_interval(timetable, PeriodTicks{timetable.start_date, every->period}, last_end, now);
  }
  if (std::holds_alternative<OnceSchedule>(timetable.schedule) && !last_end) {
    if (timetable.end_date && timetable.start_date > *timetable.end_date) return std::nullopt;
    return over({timetable.start_date, timetable.start_date});
  }
  return std::nullopt;
}

DataInterval manual_interval(const Timetable& timetable, Instant logical_date) {
  if (auto* cron = std::get_if<Cron>(&timetable.schedule)) return last_complete(CronTicks{*cron, timetable.zone}, logical_date);
  if (auto* every = std::get_if<EverySchedule>(&timetable.schedule)) {
    return last_complete(PeriodTicks{timetable.start_date, every->period}, logical_date);
  }
  return {logical_date, logical_date};
}

std::string iso_time(Instant t) {
  auto day = date::floor<date::days>(t);
  date::year_month_day ymd{day};
  date::hh_mm_ss<Duration> time{t - day};
  std::string out =
      fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", static_cast<int>(ymd.year()), static_cast<unsigned>(ymd.month()),
                  static_cast<unsigned>(ymd.day()), time.hours().count(), time.minutes().count(), time.seconds().count());
  if (time.subseconds().count() != 0) out += fmt::format(".{:06}", time.subseconds().count());
  return out + "+00:00";
}

}  // namespace millrace::dag
