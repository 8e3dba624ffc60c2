#include "dag/core/cron.h"

#include <gtest/gtest.h>

#include <vector>

namespace millrace::dag {
namespace {

Instant at(std::string_view text) { return parse_instant(text).value(); }
Cron cron(std::string_view text) {
  auto parsed = Cron::parse(text);
  EXPECT_TRUE(parsed) << parsed.error().message;
  return std::move(*parsed);
}
Zone zone(std::string_view name) { return Zone::find(name).value(); }

std::vector<std::string> ticks(std::string_view text, const Zone& zone, std::string_view from, size_t count) {
  Cron c = cron(text);
  std::vector<std::string> out;
  std::optional<Instant> t = at(from);
  while (out.size() < count && (t = c.next(*t, zone))) out.push_back(format_instant(*t));
  return out;
}
using Times = std::vector<std::string>;

struct Case {
  const char* cron;
  const char* after;
  const char* next;
};

TEST(Cron, the_next_tick_in_utc) {
  const Case cases[] = {
      {"* * * * *", "2026-01-01T00:00:00Z", "2026-01-01T00:01:00Z"},
      {"* * * * *", "2026-01-01T00:00:59.999999Z", "2026-01-01T00:01:00Z"},
      {"* * * * * */15", "2026-01-01T00:00:31Z", "2026-01-01T00:00:45Z"},
      {"*/15 9-17 * * mon-fri", "2026-01-02T17:45:00Z", "2026-01-05T09:00:00Z"},
      {"0 0 * * 7", "2026-01-01T00:00:00Z", "2026-01-04T00:00:00Z"},
      {"0 0 * * 0", "2026-01-01T00:00:00Z", "2026-01-04T00:00:00Z"},
      {"0 0 * * 5-7", "2026-01-03T00:00:00Z", "2026-01-04T00:00:00Z"},
      {"0 0 * * fri-mon", "2026-01-05T00:00:00Z", "2026-01-09T00:00:00Z"},
      {"0 22-2 * * *", "2026-01-01T02:00:00Z", "2026-01-01T22:00:00Z"},
      {"0 0 L * *", "2028-02-01T00:00:00Z", "2028-02-29T00:00:00Z"},
      {"0 0 15,L * *", "2026-02-15T00:00:00Z", "2026-02-28T00:00:00Z"},
      {"0 0 * * MON#1", "2026-01-01T00:00:00Z", "2026-01-05T00:00:00Z"},
      {"0 0 * * 1#5", "2026-01-01T00:00:00Z", "2026-03-30T00:00:00Z"},
      {"0 0 * * L5", "2026-01-01T00:00:00Z", "2026-01-30T00:00:00Z"},
      {"0 0 * * friL", "2026-01-01T00:00:00Z", "2026-01-30T00:00:00Z"},
      {"0 0 13 * 5", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"},  // either day field is enough
      {"0 0 13 * *", "2026-01-01T00:00:00Z", "2026-01-13T00:00:00Z"},
      {"0 0 1-31 * 1", "2026-01-01T00:00:00Z", "2026-01-05T00:00:00Z"},  // all days are no restriction
      {"0 0 29 2 *", "2026-01-01T00:00:00Z", "2028-02-29T00:00:00Z"},
      {"0 0 29 2 *", "2096-03-01T00:00:00Z", "2104-02-29T00:00:00Z"},
      {"0 0 31 * *", "2026-01-31T00:00:00Z", "2026-03-31T00:00:00Z"},
      {"0 0 1 */3 *", "2026-01-01T00:00:00Z", "2026-04-01T00:00:00Z"},
      {"0 0 1 JAN,jul *", "2026-01-01T00:00:00Z", "2026-07-01T00:00:00Z"},
      {"5/20 0 * * *", "2026-01-01T00:25:00Z", "2026-01-01T00:45:00Z"},
      {"0 0 ? * ?", "2026-01-01T00:00:00Z", "2026-01-02T00:00:00Z"},
      {"  0\t0  * * *  ", "2026-12-31T23:59:59Z", "2027-01-01T00:00:00Z"},
      {"0 0 1 1 *", "1969-06-01T00:00:00Z", "1970-01-01T00:00:00Z"},
  };
  for (const Case& c : cases) {
    auto next = cron(c.cron).next(at(c.after), Zone());
    ASSERT_TRUE(next) << c.cron;
    EXPECT_EQ(format_instant(*next), c.next) << c.cron << " after " << c.after;
  }
}

TEST(Cron, what_is_refused_names_the_position) {
  const std::pair<const char*, const char*> cases[] = {
      {"", "5 or 6 fields"},
      {"* * * *", "5 or 6 fields"},
      {"* * * * * * *", "position 13"},
      {"60 * * * *", "0 to 59, at position 1"},
      {"* 24 * * *", "position 3"},
      {"* * 0 * *", "1 to 31, at position 5"},
      {"* * * 13 *", "position 7"},
      {"* * * * 8", "position 9"},
      {"*/0 * * * *", "above 0, at position 3"},
      {"*/ * * * *", "step"},
      {"1,,2 * * * *", "position 3"},
      {"1- * * * *", "missing"},
      {"-1 * * * *", "missing"},
      {"a * * * *", "position 1"},
      {"* * * foo *", "position 7"},
      {"* * * * mon#0", "1 to 5"},
      {"* * * * mon#6", "1 to 5"},
      {"* * * * #1", "missing"},
      {"* * 15W * *", "position 5"},
      {"H * * * *", "position 1"},
      {"99999999999 * * * *", "0 to 59"},
      {"0 0 30 2 *", "never comes"},
      {"0 0 31 4,6,9,11 *", "never comes"},
  };
  for (auto [text, why] : cases) {
    auto parsed = Cron::parse(text);
    ASSERT_FALSE(parsed) << text;
    EXPECT_EQ(parsed.error().code, Errc::kInvalidArgument);
    EXPECT_NE(parsed.error().message.find(why), std::string::npos) << text << ": " << parsed.error().message;
  }
  EXPECT_FALSE(Cron::parse(std::string(10'000, '*')));
  std::string many = "0";
  for (int i = 0; i < 100; ++i) many += ",0";
  EXPECT_FALSE(Cron::parse(many + " * * * *"));
}

TEST(Cron, an_end_of_the_calendar_is_an_end) {
  EXPECT_FALSE(cron("0 0 1 1 *").next(at("9999-06-01"), Zone()));
  EXPECT_FALSE(cron("0 0 1 1 *").previous(at("0001-01-01"), Zone()));
  EXPECT_FALSE(cron("* * * * *").next(Instant::max() - std::chrono::hours(1), Zone()));
  EXPECT_FALSE(cron("* * * * *").previous(Instant::min() + std::chrono::hours(1), Zone()));
}

TEST(Cron, fixed_times_in_a_gap_move_to_its_end) {
  // Zurich: 2026-03-29 02:00 -> 03:00 is 01:00Z.
  EXPECT_EQ(ticks("30 2 * * *", zone("Europe/Zurich"), "2026-03-27T12:00:00Z", 3),
            (Times{"2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z", "2026-03-30T00:30:00Z"}));
  EXPECT_EQ(ticks("*/15 2 * * *", zone("Europe/Zurich"), "2026-03-29T00:00:00Z", 2),
            (Times{"2026-03-29T01:00:00Z", "2026-03-30T00:00:00Z"}));
  // New York: 2026-03-08 02:00 -> 03:00 is 07:00Z.
  EXPECT_EQ(ticks("30 2 * * *", zone("America/New_York"), "2026-03-08T00:00:00Z", 2),
            (Times{"2026-03-08T07:00:00Z", "2026-03-09T06:30:00Z"}));
  // Sydney: 2026-10-04 02:00 -> 03:00 is 16:00Z the day before.
  EXPECT_EQ(ticks("30 2 * * *", zone("Australia/Sydney"), "2026-10-03T00:00:00Z", 2),
            (Times{"2026-10-03T16:00:00Z", "2026-10-04T15:30:00Z"}));
  // Lord Howe moves by half an hour: 2026-10-04 02:00 -> 02:30 is 15:30Z the day before.
  EXPECT_EQ(ticks("15 2 * * *", zone("Australia/Lord_Howe"), "2026-10-03T00:00:00Z", 2),
            (Times{"2026-10-03T15:30:00Z", "2026-10-04T15:15:00Z"}));
  // A midnight that does not exist: Santiago 2026-09-06 00:00 -> 01:00.
  EXPECT_EQ(ticks("0 0 * * *", zone("America/Santiago"), "2026-09-05T12:00:00Z", 2),
            (Times{"2026-09-06T04:00:00Z", "2026-09-07T03:00:00Z"}));
}

TEST(Cron, fixed_times_in_a_repeated_hour_tick_once) {
  // Zurich: 2026-10-25 03:00 -> 02:00 is 01:00Z; the first 02:30 is 00:30Z.
  EXPECT_EQ(ticks("30 2 * * *", zone("Europe/Zurich"), "2026-10-24T12:00:00Z", 2),
            (Times{"2026-10-25T00:30:00Z", "2026-10-26T01:30:00Z"}));
  // New York: 2026-11-01 02:00 -> 01:00 is 06:00Z.
  EXPECT_EQ(ticks("*/30 1 * * *", zone("America/New_York"), "2026-11-01T00:00:00Z", 3),
            (Times{"2026-11-01T05:00:00Z", "2026-11-01T05:30:00Z", "2026-11-02T06:00:00Z"}));
  EXPECT_EQ(ticks("30 2 * * *", zone("Australia/Sydney"), "2026-04-04T12:00:00Z", 2),
            (Times{"2026-04-04T15:30:00Z", "2026-04-05T16:30:00Z"}));
  EXPECT_EQ(ticks("45 1 * * *", zone("Australia/Lord_Howe"), "2026-04-04T12:00:00Z", 2),
            (Times{"2026-04-04T14:45:00Z", "2026-04-05T15:15:00Z"}));
  // From within the second half, the next one is tomorrow's.
  EXPECT_EQ(ticks("30 2 * * *", zone("Europe/Zurich"), "2026-10-25T01:10:00Z", 1), (Times{"2026-10-26T01:30:00Z"}));
}

TEST(Cron, interval_like_entries_follow_elapsed_time) {
  for (const char* name : {"Europe/Zurich", "America/New_York", "Australia/Sydney", "Australia/Lord_Howe"}) {
    Zone z = zone(name);
    Cron half_hourly = cron("*/30 * * * *");
    for (Instant t = at("2026-01-01T00:00:00Z"); t < at("2027-01-01T00:00:00Z");) {
      Instant next = half_hourly.next(t, z).value();
      ASSERT_EQ(next - t, std::chrono::minutes(30)) << name << " at " << format_instant(t);
      t = next;
    }
  }
  EXPECT_EQ(ticks("0 */2 * * *", zone("Europe/Zurich"), "2026-03-28T23:00:00Z", 2),
            (Times{"2026-03-29T01:00:00Z", "2026-03-29T02:00:00Z"}));
  EXPECT_EQ(ticks("30 * * * *", zone("Europe/Zurich"), "2026-03-29T00:30:00Z", 1), (Times{"2026-03-29T01:30:00Z"}));
  EXPECT_EQ(ticks("0 * * * *", zone("Europe/Zurich"), "2026-10-24T23:30:00Z", 3),
            (Times{"2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z", "2026-10-25T02:00:00Z"}));
}

TEST(Cron, previous_is_the_inverse_of_next) {
  const char* expressions[] = {"30 2 * * *", "*/15 2 * * *", "*/30 * * * *",  "0 */2 * * *", "15 * * * *",
                               "0 0 * * *",  "0 0 L * *",    "0 3 * * MON#1", "0 0 29 2 *",  "7,40 1-3 * * *"};
  for (const char* name :
       {"UTC", "Europe/Zurich", "America/New_York", "Australia/Sydney", "Australia/Lord_Howe", "America/Santiago"}) {
    Zone z = zone(name);
    for (const char* text : expressions) {
      Cron c = cron(text);
      Instant t = at("2026-03-01T00:00:00Z");
      for (int i = 0; i < 400 && t < at("2040-01-01"); ++i) {
        Instant next = c.next(t, z).value();
        ASSERT_GT(next, t);
        auto back = c.previous(next + Duration(1), z);
        ASSERT_TRUE(back);
        ASSERT_EQ(*back, next) << text << " in " << name << " at " << format_instant(t);
        if (i > 0) {
          ASSERT_EQ(c.previous(next, z).value(), t) << text << " in " << name << " at " << format_instant(next);
        }
        ASSERT_EQ(c.next(next - Duration(1), z).value(), next);
        t = next;
      }
    }
  }
}

TEST(Zone, an_unknown_name_is_refused) {
  EXPECT_EQ(Zone::find("Europe/Atlantis").error().code, Errc::kInvalidArgument);
  EXPECT_EQ(Zone::find("").error().code, Errc::kInvalidArgument);
  EXPECT_EQ(zone("Europe/Zurich").name(), "Europe/Zurich");
  EXPECT_EQ(Zone().name(), "UTC");
}

}  // namespace
}  // namespace millrace::dag
