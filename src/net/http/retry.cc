#include "net/http/retry.h"

#include <algorithm>
#include <array>
#include <charconv>

namespace millrace::net::http {
namespace {

constexpr std::array<std::string_view, 12> kMonths = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                                      "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

/// Reads a date from front to back; after a mismatch everything else fails too.
class DateReader {
 public:
  explicit DateReader(std::string_view rest) : rest_(rest) {}

  void literal(std::string_view text) {
    ok_ = ok_ && rest_.starts_with(text);
    if (ok_) rest_.remove_prefix(text.size());
  }
  int digits(size_t count) {
    int value = 0;
    ok_ = ok_ && rest_.size() >= count;
    for (size_t i = 0; ok_ && i < count; ++i) {
      ok_ = rest_[i] >= '0' && rest_[i] <= '9';
      value = value * 10 + (rest_[i] - '0');
    }
    if (ok_) rest_.remove_prefix(count);
    return value;
  }
  unsigned month() {
    auto found = std::find(kMonths.begin(), kMonths.end(), rest_.substr(0, 3));
    ok_ = ok_ && found != kMonths.end();
    if (ok_) rest_.remove_prefix(3);
    return static_cast<unsigned>(found - kMonths.begin()) + 1;
  }
  Duration time() {
    int h = digits(2);
    literal(":");
    int m = digits(2);
    literal(":");
    int s = digits(2);
    ok_ = ok_ && h < 24 && m < 60 && s <= 60;
    return std::chrono::hours(h) + std::chrono::minutes(m) + std::chrono::seconds(s);
  }
  char peek() const { return rest_.empty() ? '\0' : rest_[0]; }
  bool done() const { return ok_ && rest_.empty(); }

 private:
  std::string_view rest_;
  bool ok_ = true;
};

std::optional<Instant> moment(bool ok, int year, unsigned month, int day, Duration time) {
  using namespace std::chrono;
  year_month_day date{std::chrono::year(year), std::chrono::month(month), std::chrono::day(static_cast<unsigned>(day))};
  if (!ok || !date.ok()) return std::nullopt;
  return Instant(sys_days(date)) + time;
}

std::optional<Instant> parse_fixed(std::string_view value) {  // 06 Nov 1994 08:49:37 GMT
  DateReader in(value);
  int day = in.digits(2);
  in.literal(" ");
  unsigned month = in.month();
  in.literal(" ");
  int year = in.digits(4);
  in.literal(" ");
  Duration time = in.time();
  in.literal(" GMT");
  return moment(in.done(), year, month, day, time);
}

std::optional<Instant> parse_rfc850(std::string_view value,
                                    Instant now) {  // 06-Nov-94 08:49:37 GMT
  DateReader in(value);
  int day = in.digits(2);
  in.literal("-");
  unsigned month = in.month();
  in.literal("-");
  int short_year = in.digits(2);
  in.literal(" ");
  Duration time = in.time();
  in.literal(" GMT");
  std::chrono::year_month_day today(std::chrono::floor<std::chrono::days>(now));
  int this_year = static_cast<int>(today.year());
  int year = this_year / 100 * 100 + short_year;
  if (year > this_year + 50) year -= 100;  // RFC 9110: more than 50 years ahead means the past
  return moment(in.done(), year, month, day, time);
}

std::optional<Instant> parse_asctime(std::string_view value) {  // Nov  6 08:49:37 1994
  DateReader in(value);
  unsigned month = in.month();
  in.literal(" ");
  bool one_digit = in.peek() == ' ';
  if (one_digit) in.literal(" ");
  int day = in.digits(one_digit ? 1 : 2);
  in.literal(" ");
  Duration time = in.time();
  in.literal(" ");
  int year = in.digits(4);
  return moment(in.done(), year, month, day, time);
}

}  // namespace

std::string_view outcome_name(Outcome outcome) {
  switch (outcome) {
    case Outcome::kOk: return "ok";
    case Outcome::kServerError: return "server_error";
    case Outcome::kTooManyRequests: return "too_many_requests";
    case Outcome::kTimeout: return "timeout";
    case Outcome::kNoConnection: return "no_connection";
    case Outcome::kMalformed: return "malformed";
    case Outcome::kRejected: return "rejected";
    case Outcome::kTooLarge: return "too_large";
    case Outcome::kCancelled: return "cancelled";
    case Outcome::kBroken: return "broken";
  }
  return "unknown";
}

Outcome outcome_of_status(int status) {
  if (status >= 200 && status < 300) return Outcome::kOk;
  if (status == 429) return Outcome::kTooManyRequests;
  if (status == 408) return Outcome::kTimeout;
  if (status >= 500 && status != 501 && status != 505) return Outcome::kServerError;
  return Outcome::kRejected;
}

Outcome outcome_of_error(Errc code) {
  if (code == Errc::kDeadlineExceeded) return Outcome::kTimeout;
  if (code == Errc::kUnavailable) return Outcome::kNoConnection;
  if (code == Errc::kResourceExhausted) return Outcome::kTooLarge;
  if (code == Errc::kCancelled) return Outcome::kCancelled;
  return Outcome::kBroken;
}

bool may_pass(Outcome outcome) {
  return outcome == Outcome::kServerError || outcome == Outcome::kTooManyRequests || outcome == Outcome::kTimeout ||
         outcome == Outcome::kNoConnection || outcome == Outcome::kMalformed;
}

RetryStep after_attempt(const RetryOptions& options, Outcome outcome, int attempts, std::optional<Duration> retry_after,
                        uint64_t chance) {
  if (!may_pass(outcome) || attempts >= options.max_attempts) return {};
  if (retry_after) return *retry_after <= options.max_delay ? RetryStep{true, *retry_after} : RetryStep{};
  Duration ceiling = options.base_delay;
  for (int i = 1; i < attempts && ceiling < options.max_delay; ++i) ceiling *= 2;
  ceiling = std::min(ceiling, options.max_delay);
  return {true, Duration(static_cast<int64_t>(chance % (static_cast<uint64_t>(ceiling.count()) + 1)))};
}

std::optional<Duration> parse_retry_after(std::string_view value, Instant now) {
  if (!value.empty() && value.find_first_not_of("0123456789") == std::string_view::npos) {
    constexpr int64_t kSecondsMax = 10LL * 365 * 86400;
    int64_t seconds = 0;
    auto [end, error] = std::from_chars(value.data(), value.data() + value.size(), seconds);
    return std::chrono::seconds(error == std::errc() ? std::min(seconds, kSecondsMax) : kSecondsMax);
  }
  auto date = parse_http_date(value, now);
  if (!date) return std::nullopt;
  return std::max(*date - now, Duration(0));
}

std::optional<Instant> parse_http_date(std::string_view value, Instant now) {
  size_t space = value.find(' ');
  if (space == std::string_view::npos || space < 3 || value.size() > 64) return std::nullopt;
  std::string_view rest = value.substr(space + 1);
  if (value[space - 1] != ',') return parse_asctime(rest);
  return rest.size() > 2 && rest[2] == '-' ? parse_rfc850(rest, now) : parse_fixed(rest);
}

}  // namespace millrace::net::http
