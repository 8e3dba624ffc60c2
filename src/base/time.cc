#include "base/time.h"

#include <date/date.h>
#include <fmt/format.h>

#include <array>
#include <charconv>
#include <limits>

namespace millrace {
namespace {

/// Cuts exactly `digits` digits off the front of `text`, or nothing and false.
bool take_digits(std::string_view& text, size_t digits, int& out) {
  if (text.size() < digits) return false;
  auto [end, error] = std::from_chars(text.data(), text.data() + digits, out);
  if (error != std::errc() || end != text.data() + digits || text[0] == '-') return false;
  text.remove_prefix(digits);
  return true;
}

bool take(std::string_view& text, char c) {
  if (text.empty() || text[0] != c) return false;
  text.remove_prefix(1);
  return true;
}

struct Unit {
  std::string_view name;
  int64_t micros;
};
constexpr std::array kUnits = {
    Unit{"w", 604'800'000'000},
    Unit{"d", 86'400'000'000},
    Unit{"h", 3'600'000'000},
    Unit{"m", 60'000'000},
    Unit{"s", 1'000'000},
    Unit{"ms", 1'000},
    Unit{"us", 1},
};

}  // namespace

std::string format_instant(Instant t) {
  auto day = date::floor<date::days>(t);
  date::year_month_day ymd{day};
  date::hh_mm_ss<Duration> time{t - day};
  std::string out =
      fmt::format("{:04}-{:02}-{:02}T{:02}:{:02}:{:02}", static_cast<int>(ymd.year()), static_cast<unsigned>(ymd.month()),
                  static_cast<unsigned>(ymd.day()), time.hours().count(), time.minutes().count(), time.seconds().count());
  int64_t fraction = time.subseconds().count();
  if (fraction % 1000 != 0) {
    out += fmt::format(".{:06}", fraction);
  } else if (fraction != 0) {
    out += fmt::format(".{:03}", fraction / 1000);
  }
  return out + "Z";
}

Result<Instant> parse_instant(std::string_view text) {
  std::string_view rest = text;
  auto bad = [&] {
    return fail(Errc::kInvalidArgument, fmt::format("'{}' is not an ISO 8601 time", text), "write 2026-01-31T08:00:00Z");
  };
  int year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0;
  if (!take_digits(rest, 4, year) || !take(rest, '-') || !take_digits(rest, 2, month) || !take(rest, '-') ||
      !take_digits(rest, 2, day))
    return bad();
  date::year_month_day ymd{date::year{year}, date::month{static_cast<unsigned>(month)}, date::day{static_cast<unsigned>(day)}};
  if (!ymd.ok()) return bad();
  Duration of_day{0};
  if (!rest.empty() && (rest[0] == 'T' || rest[0] == 't' || rest[0] == ' ')) {
    rest.remove_prefix(1);
    if (!take_digits(rest, 2, hour) || !take(rest, ':') || !take_digits(rest, 2, minute)) return bad();
    if (take(rest, ':') && !take_digits(rest, 2, second)) return bad();
    if (hour > 23 || minute > 59 || second > 59) return bad();
    of_day = std::chrono::hours(hour) + std::chrono::minutes(minute) + std::chrono::seconds(second);
    if (take(rest, '.')) {
      int64_t scale = 100'000;
      size_t digits = 0;
      for (; !rest.empty() && rest[0] >= '0' && rest[0] <= '9'; rest.remove_prefix(1), ++digits, scale /= 10) {
        of_day += Duration((rest[0] - '0') * scale);
      }
      if (digits == 0) return bad();
    }
    if (take(rest, 'Z') || take(rest, 'z')) {
      // UTC
    } else if (!rest.empty() && (rest[0] == '+' || rest[0] == '-')) {
      bool east = rest[0] == '+';
      rest.remove_prefix(1);
      int zone_hours = 0, zone_minutes = 0;
      if (!take_digits(rest, 2, zone_hours)) return bad();
      take(rest, ':');
      if (!rest.empty() && !take_digits(rest, 2, zone_minutes)) return bad();
      if (zone_hours > 18 || zone_minutes > 59) return bad();
      Duration zone = std::chrono::hours(zone_hours) + std::chrono::minutes(zone_minutes);
      of_day -= east ? zone : -zone;
    }
  }
  if (!rest.empty()) return bad();
  return Instant(date::sys_days(ymd).time_since_epoch() + of_day);
}

Result<Duration> parse_duration(std::string_view text) {
  auto bad = [&](std::string_view why) {
    return fail(Errc::kInvalidArgument, fmt::format("'{}' is not a duration: {}", text, why), "write 250ms, 5s, 10m, 1h30m, 30d");
  };
  if (text.empty()) return bad("it is empty");
  int64_t total = 0;
  std::string_view rest = text;
  while (!rest.empty()) {
    int64_t number = 0;
    auto [end, error] = std::from_chars(rest.data(), rest.data() + rest.size(), number);
    if (error != std::errc() || number < 0) return bad("a whole number is expected");
    rest.remove_prefix(static_cast<size_t>(end - rest.data()));
    size_t letters = 0;
    while (letters < rest.size() && rest[letters] >= 'a' && rest[letters] <= 'z') ++letters;
    int64_t micros = 0;
    for (const Unit& unit : kUnits) {
      if (unit.name == rest.substr(0, letters)) micros = unit.micros;
    }
    if (micros == 0) return bad("the unit is one of us, ms, s, m, h, d, w");
    int64_t part = 0;
    if (__builtin_mul_overflow(number, micros, &part) || __builtin_add_overflow(total, part, &total))
      return bad("it is too long");
    rest.remove_prefix(letters);
  }
  return Duration(total);
}

std::string format_duration(Duration d) {
  int64_t left = d.count();
  if (left == 0) return "0s";
  std::string out;
  if (left < 0) {
    out = "-";
    left = -left;
  }
  for (const Unit& unit : kUnits) {
    if (unit.name == "w") continue;
    if (int64_t n = left / unit.micros; n > 0) {
      out += fmt::format("{}{}", n, unit.name);
      left %= unit.micros;
    }
  }
  return out;
}

}  // namespace millrace
