#include "format/temporal.h"

#include <fmt/format.h>

#include <cstdlib>
#include <iterator>

#include "model/schema.h"

namespace millrace::format {
namespace {

constexpr int64_t kMicrosOfDay = 86'400'000'000;

/// Reads front to back; every `take` that fails leaves the text as it was.
struct Reader {
  std::string_view rest;

  bool take(char c) {
    if (rest.empty() || rest[0] != c) return false;
    rest.remove_prefix(1);
    return true;
  }
  bool digits(size_t least, size_t most, int64_t& out) {
    size_t n = 0;
    int64_t value = 0;
    for (; n < rest.size() && n < most && rest[n] >= '0' && rest[n] <= '9'; ++n) value = value * 10 + (rest[n] - '0');
    if (n < least) return false;
    rest.remove_prefix(n);
    out = value;
    return true;
  }
};

// Days from civil and back, in the proleptic Gregorian calendar: eras of 400 years that start on 1 March, after H. Hinnant,
// "chrono-Compatible Low-Level Date Algorithms".
constexpr int64_t days_from_civil(int64_t year, int64_t month, int64_t day) {
  year -= month <= 2;
  int64_t era = (year >= 0 ? year : year - 399) / 400;
  int64_t year_of_era = year - era * 400;
  int64_t day_of_year = (153 * (month + (month > 2 ? -3 : 9)) + 2) / 5 + day - 1;
  int64_t day_of_era = year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year;
  return era * 146097 + day_of_era - 719468;
}

struct Civil {
  int64_t year, month, day;
};
constexpr Civil civil_from_days(int64_t days) {
  days += 719468;
  int64_t era = (days >= 0 ? days : days - 146096) / 146097;
  int64_t day_of_era = days - era * 146097;
  int64_t year_of_era = (day_of_era - day_of_era / 1460 + day_of_era / 36524 - day_of_era / 146096) / 365;
  int64_t day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
  int64_t shifted = (5 * day_of_year + 2) / 153;
  int64_t month = shifted < 10 ? shifted + 3 : shifted - 9;
  return {year_of_era + era * 400 + (month <= 2), month, day_of_year - (153 * shifted + 2) / 5 + 1};
}
static_assert(days_from_civil(1970, 1, 1) == 0 && days_from_civil(2000, 3, 1) == 11017);
static_assert(civil_from_days(11016).day == 29);

bool is_leap(int64_t year) { return year % 4 == 0 && (year % 100 != 0 || year % 400 == 0); }

int64_t days_of_month(int64_t year, int64_t month) {
  if (month == 2) return is_leap(year) ? 29 : 28;
  return month == 4 || month == 6 || month == 9 || month == 11 ? 30 : 31;
}

bool take_date(Reader& in, int64_t& days) {
  bool negative = in.take('-');
  if (!negative) in.take('+');
  int64_t year = 0, month = 0, day = 0;
  if (!in.digits(4, 7, year)) return false;
  char separator = in.rest.empty() ? '\0' : in.rest[0];
  if (separator != '-' && separator != '/') return false;
  if (!in.take(separator) || !in.digits(1, 2, month) || !in.take(separator) || !in.digits(1, 2, day)) return false;
  if (negative) year = -year;
  if (month < 1 || month > 12 || day < 1 || day > days_of_month(year, month)) return false;
  days = days_from_civil(year, month, day);
  return true;
}

bool take_time(Reader& in, int64_t& micros) {
  int64_t hour = 0, minute = 0, second = 0;
  if (!in.digits(1, 2, hour) || !in.take(':') || !in.digits(1, 2, minute)) return false;
  if (in.take(':') && !in.digits(1, 2, second)) return false;
  int64_t fraction = 0;
  if (in.take('.')) {
    size_t n = 0;
    for (; !in.rest.empty() && in.rest[0] >= '0' && in.rest[0] <= '9'; in.rest.remove_prefix(1), ++n) {
      if (n < 6) fraction = fraction * 10 + (in.rest[0] - '0');
    }
    if (n == 0) return false;
    for (; n < 6; ++n) fraction *= 10;
  }
  if (minute > 59 || second > 59) return false;
  micros = ((hour * 60 + minute) * 60 + second) * 1'000'000 + fraction;
  return micros <= kMicrosOfDay;
}

/// `Z`, `+02`, `+02:00`, `+0200`, or `UTC`.
bool take_zone(Reader& in, int64_t& micros) {
  if (in.take('Z') || in.take('z')) return true;
  if (in.rest == "UTC") {
    in.rest = {};
    return true;
  }
  bool west = in.take('-');
  if (!west && !in.take('+')) return false;
  int64_t hours = 0, minutes = 0;
  if (!in.digits(2, 2, hours)) return false;
  if (in.take(':') ? !in.digits(2, 2, minutes) : !in.rest.empty() && !in.digits(2, 2, minutes)) return false;
  if (hours > 18 || minutes > 59) return false;
  micros = (hours * 60 + minutes) * 60'000'000 * (west ? -1 : 1);
  return true;
}

bool is_infinity(std::string_view text) { return model::same_name(text, "infinity") || model::same_name(text, "inf"); }

}  // namespace

bool read_timestamp(std::string_view text, bool apply_zone, int64_t& micros, bool* has_zone) {
  bool negative = !text.empty() && text[0] == '-';
  if (is_infinity(text.substr(negative ? 1 : 0))) {
    micros = negative ? -kTimestampInfinity : kTimestampInfinity;
    return true;
  }
  Reader in{text};
  int64_t days = 0, time = 0, zone = 0;
  if (has_zone) *has_zone = false;
  if (!take_date(in, days)) return false;
  if (in.take('T') || in.take('t') || in.take(' ')) {
    if (!take_time(in, time)) return false;
    in.take(' ');
    if (!in.rest.empty()) {
      if (!take_zone(in, zone)) return false;
      if (has_zone) *has_zone = true;
    }
  }
  if (!in.rest.empty()) return false;
  if (apply_zone) time -= zone;
  return !__builtin_mul_overflow(days, kMicrosOfDay, &micros) && !__builtin_add_overflow(micros, time, &micros) &&
         micros != kTimestampInfinity && micros > -kTimestampInfinity;
}

bool read_date(std::string_view text, int32_t& days) {
  bool negative = !text.empty() && text[0] == '-';
  if (is_infinity(text.substr(negative ? 1 : 0))) {
    days = negative ? -kDateInfinity : kDateInfinity;
    return true;
  }
  Reader in{text};
  int64_t wide = 0;
  if (!take_date(in, wide)) return false;
  if (!in.rest.empty()) {
    int64_t micros = 0;
    if (!read_timestamp(text, false, micros)) return false;
  }
  if (wide >= kDateInfinity || wide <= -kDateInfinity) return false;
  days = static_cast<int32_t>(wide);
  return true;
}

bool read_time(std::string_view text, int64_t& micros) {
  Reader in{text};
  return take_time(in, micros) && in.rest.empty();
}

void append_date(std::string& out, int32_t days) {
  if (days == kDateInfinity || days == -kDateInfinity) {
    out += days < 0 ? "-infinity" : "infinity";
    return;
  }
  Civil civil = civil_from_days(days);
  if (civil.year < 0 || civil.year > 9999) out += civil.year < 0 ? '-' : '+';
  fmt::format_to(std::back_inserter(out), "{:04}-{:02}-{:02}", std::abs(civil.year), civil.month, civil.day);
}

void append_time(std::string& out, int64_t micros) {
  int64_t seconds = micros / 1'000'000, fraction = micros % 1'000'000;
  fmt::format_to(std::back_inserter(out), "{:02}:{:02}:{:02}", seconds / 3600, seconds / 60 % 60, seconds % 60);
  if (fraction == 0) return;
  if (fraction % 1000 == 0) {
    fmt::format_to(std::back_inserter(out), ".{:03}", fraction / 1000);
  } else {
    fmt::format_to(std::back_inserter(out), ".{:06}", fraction);
  }
}

void append_timestamp(std::string& out, int64_t micros, char separator, std::string_view zone) {
  if (micros == kTimestampInfinity || micros == -kTimestampInfinity) {
    out += micros < 0 ? "-infinity" : "infinity";
    return;
  }
  int64_t days = micros / kMicrosOfDay - (micros % kMicrosOfDay < 0);
  // Within 64 bits: the earliest timestamp is the middle of a day, so its midnight would not be.
  int64_t of_day = micros % kMicrosOfDay;
  append_date(out, static_cast<int32_t>(days));
  out += separator;
  append_time(out, of_day < 0 ? of_day + kMicrosOfDay : of_day);
  out += zone;
}

void append_interval(std::string& out, int32_t months, int32_t days, int64_t micros) {
  size_t start = out.size();
  auto part = [&](int32_t n, std::string_view unit) {
    if (n == 0) return;
    fmt::format_to(std::back_inserter(out), "{}{} {}{}", out.size() > start ? " " : "", n, unit, n == 1 || n == -1 ? "" : "s");
  };
  part(months / 12, "year");
  part(months % 12, "month");
  part(days, "day");
  if (micros == 0 && out.size() > start) return;
  if (out.size() > start) out += ' ';
  if (micros < 0) out += '-';
  uint64_t magnitude = micros < 0 ? -static_cast<uint64_t>(micros) : static_cast<uint64_t>(micros);
  append_time(out, static_cast<int64_t>(magnitude & static_cast<uint64_t>(kTimestampInfinity)));
}

}  // namespace millrace::format
