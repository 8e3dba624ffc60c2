#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "dag/core/cron.h"

namespace millrace::dag {

/// What a run covers: [start, end).
struct DataInterval {
  Instant start;
  Instant end;
  friend bool operator==(const DataInterval&, const DataInterval&) = default;
};

struct NeverSchedule {};
struct OnceSchedule {};
struct EverySchedule {
  Duration period;
};
using Schedule = std::variant<NeverSchedule, OnceSchedule, EverySchedule, Cron>;

/// Reads a `schedule:` value: a cron expression, a preset (`@once @hourly @daily @midnight @weekly @monthly @quarterly @yearly
/// @annually`), `every 5m`, or nothing at all, `null` and `none` for dags that only run when they are triggered.
/// Errors: kInvalidArgument; kUnimplemented for `@continuous`.
Result<Schedule> parse_schedule(std::string_view text);
/// What `parse_schedule` would read again; `null` for NeverSchedule.
std::string schedule_text(const Schedule& schedule);

/// When the runs of a dag are due, by the rules of Airflow 2: a run covers the interval between two ticks, carries the interval's
/// start as its logical date, and may begin when the interval is over. `every` counts from the start date and is not aligned to
/// the clock.
struct Timetable {
  Schedule schedule;
  Zone zone;
  /// Bounds on logical dates, not on wall time.
  Instant start_date;
  std::optional<Instant> end_date;
  /// True: every finished interval since the start date, in order. False: only the newest finished one.
  bool catchup = false;
};

/// One run that the schedule asks for.
struct DueRun {
  DataInterval interval;
  Instant logical_date;
  Instant run_after;
  friend bool operator==(const DueRun&, const DueRun&) = default;
};

/// The run that follows the one whose interval ended at `last_end` (none: no run was scheduled yet), as decided at `now`. It is
/// due when `run_after <= now`; if it is later, ask again then. None when the schedule has come to its end.
std::optional<DueRun> next_run(const Timetable& timetable, std::optional<Instant> last_end, Instant now);

/// The interval of a manual run: the last one that was complete at `logical_date`; a point where the schedule has no intervals.
DataInterval manual_interval(const Timetable& timetable, Instant logical_date);

/// `2026-11-21T00:00:00+00:00`, with six digits of fraction where it is not zero: Python's isoformat, as in Airflow's run ids.
std::string iso_time(Instant t);

}  // namespace millrace::dag
