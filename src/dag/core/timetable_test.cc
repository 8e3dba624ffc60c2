#include "dag/core/timetable.h"

#include <gtest/gtest.h>

namespace millrace::dag {
namespace {

Instant at(std::string_view text) { return parse_instant(text).value(); }
Timetable table(std::string_view schedule, std::string_view start, bool catchup = false) {
  return {parse_schedule(schedule).value(), Zone(), at(start), std::nullopt, catchup};
}
std::string show(const std::optional<DueRun>& due) {
  if (!due) return "none";
  return format_instant(due->interval.start) + " " + format_instant(due->interval.end) + " " + format_instant(due->run_after);
}

TEST(Schedule, presets_and_forms) {
  const std::pair<const char*, const char*> cases[] = {
      {"@hourly", "0 * * * *"},
      {"@daily", "0 0 * * *"},
      {"@weekly", "0 0 * * 0"},
      {"@monthly", "0 0 1 * *"},
      {"@quarterly", "0 0 1 */3 *"},
      {"@yearly", "0 0 1 1 *"},
      {"@once", "@once"},
      {"null", "null"},
      {"", "null"},
      {"every 5m", "every 5m"},
      {" every  90s ", "every 1m30s"},
      {"0 12 * * 1-5", "0 12 * * 1-5"},
  };
  for (auto [text, meaning] : cases) EXPECT_EQ(schedule_text(parse_schedule(text).value()), meaning) << text;
}

TEST(Schedule, what_is_refused) {
  EXPECT_EQ(parse_schedule("@continuous").error().code, Errc::kUnimplemented);
  for (const char* text :
       {"@fortnightly", "every", "every 0s", "every 1us", "every -5m", "every 9999w", "every five minutes", "5m"}) {
    auto parsed = parse_schedule(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().code, Errc::kInvalidArgument) << text;
  }
}

TEST(Timetable, enabled_mid_day_without_catchup_runs_once_for_the_day_that_ended) {
  Timetable t = table("@daily", "2023-09-03T10:00:00Z");
  Instant now = at("2026-11-21T15:30:00Z");
  auto first = next_run(t, std::nullopt, now);
  EXPECT_EQ(show(first), "2026-11-20T00:00:00Z 2026-11-21T00:00:00Z 2026-11-21T00:00:00Z");
  EXPECT_EQ(first->logical_date, at("2026-11-20"));
  EXPECT_EQ(show(next_run(t, first->interval.end, now)), "2026-11-21T00:00:00Z 2026-11-22T00:00:00Z 2026-11-22T00:00:00Z");
}

TEST(Timetable, exactly_on_a_tick_the_interval_that_ends_now_is_due) {
  EXPECT_EQ(show(next_run(table("@daily", "2020-01-01"), std::nullopt, at("2026-11-21T00:00:00Z"))),
            "2026-11-20T00:00:00Z 2026-11-21T00:00:00Z 2026-11-21T00:00:00Z");
}

TEST(Timetable, catchup_gives_every_interval_in_order_and_aligns_the_start) {
  Timetable t = table("@daily", "2026-11-17T10:00:00Z", true);
  Instant now = at("2026-11-20T12:00:00Z");
  std::optional<Instant> last;
  std::vector<std::string> due;
  while (true) {
    auto run = next_run(t, last, now);
    ASSERT_TRUE(run);
    if (run->run_after > now) break;
    due.push_back(format_instant(run->logical_date));
    last = run->interval.end;
  }
  EXPECT_EQ(due, (std::vector<std::string>{"2026-11-18T00:00:00Z", "2026-11-19T00:00:00Z"}));
}

TEST(Timetable, without_catchup_missed_intervals_are_left_out_but_the_newest) {
  Timetable t = table("@hourly", "2026-01-01");
  EXPECT_EQ(show(next_run(t, at("2026-11-20T03:00:00Z"), at("2026-11-20T12:20:00Z"))),
            "2026-11-20T11:00:00Z 2026-11-20T12:00:00Z 2026-11-20T12:00:00Z");
}

TEST(Timetable, a_start_date_to_come_is_waited_for) {
  EXPECT_EQ(show(next_run(table("@daily", "2026-12-01T10:00:00Z"), std::nullopt, at("2026-11-20T12:00:00Z"))),
            "2026-12-02T00:00:00Z 2026-12-03T00:00:00Z 2026-12-03T00:00:00Z");
}

TEST(Timetable, the_end_date_bounds_logical_dates) {
  Timetable t = table("@daily", "2026-11-01", true);
  t.end_date = at("2026-11-02");
  Instant now = at("2026-12-01");
  EXPECT_EQ(show(next_run(t, at("2026-11-02"), now)), "2026-11-02T00:00:00Z 2026-11-03T00:00:00Z 2026-11-03T00:00:00Z");
  EXPECT_EQ(show(next_run(t, at("2026-11-03"), now)), "none");
  t.catchup = false;
  EXPECT_EQ(show(next_run(t, std::nullopt, now)), "none");
}

TEST(Timetable, intervals_count_from_the_start_date) {
  Timetable t = table("every 10m", "2026-11-20T00:03:00Z");
  EXPECT_EQ(show(next_run(t, std::nullopt, at("2026-11-20T00:25:00Z"))),
            "2026-11-20T00:13:00Z 2026-11-20T00:23:00Z 2026-11-20T00:23:00Z");
  EXPECT_EQ(show(next_run(t, std::nullopt, at("2026-11-20T00:04:00Z"))),
            "2026-11-20T00:03:00Z 2026-11-20T00:13:00Z 2026-11-20T00:13:00Z");
  t.catchup = true;
  EXPECT_EQ(show(next_run(t, std::nullopt, at("2026-11-20T00:25:00Z"))),
            "2026-11-20T00:03:00Z 2026-11-20T00:13:00Z 2026-11-20T00:13:00Z");
}

TEST(Timetable, once_is_once_and_never_is_never) {
  Timetable t = table("@once", "2026-11-20");
  EXPECT_EQ(show(next_run(t, std::nullopt, at("2026-11-25"))), "2026-11-20T00:00:00Z 2026-11-20T00:00:00Z 2026-11-20T00:00:00Z");
  EXPECT_EQ(show(next_run(t, at("2026-11-20"), at("2026-11-25"))), "none");
  EXPECT_EQ(show(next_run(table("null", "2026-11-20"), std::nullopt, at("2026-11-25"))), "none");
}

TEST(Timetable, a_day_in_a_zone_follows_its_clocks) {
  Timetable t = table("@daily", "2026-01-01");
  t.zone = Zone::find("Europe/Zurich").value();
  EXPECT_EQ(show(next_run(t, std::nullopt, at("2026-10-26T00:00:00Z"))),
            "2026-10-24T22:00:00Z 2026-10-25T23:00:00Z 2026-10-25T23:00:00Z");
}

TEST(Timetable, a_manual_run_covers_the_last_complete_interval) {
  Timetable daily = table("@daily", "2026-01-01");
  EXPECT_EQ(manual_interval(daily, at("2026-11-21T01:57:45Z")), (DataInterval{at("2026-11-20"), at("2026-11-21")}));
  EXPECT_EQ(manual_interval(daily, at("2026-11-21")), (DataInterval{at("2026-11-20"), at("2026-11-21")}));
  Timetable never = table("null", "2026-01-01");
  EXPECT_EQ(manual_interval(never, at("2026-11-21T01:00:00Z")),
            (DataInterval{at("2026-11-21T01:00:00Z"), at("2026-11-21T01:00:00Z")}));
}

TEST(IsoTime, is_pythons) {
  EXPECT_EQ(iso_time(at("2026-11-21T00:00:00Z")), "2026-11-21T00:00:00+00:00");
  EXPECT_EQ(iso_time(at("2026-11-21T01:57:45.533Z")), "2026-11-21T01:57:45.533000+00:00");
}

}  // namespace
}  // namespace millrace::dag
