#include <fmt/format.h>

#include <array>
#include <charconv>
#include <span>
#include <vector>

#include "dag/core/cron.h"

namespace millrace::dag {
namespace {

constexpr size_t kTextBytesMax = 256;
constexpr size_t kEntriesMax = 64;

constexpr std::array<std::string_view, 12> kMonths = {"jan", "feb", "mar", "apr", "may", "jun",
                                                      "jul", "aug", "sep", "oct", "nov", "dec"};
constexpr std::array<std::string_view, 7> kWeekdays = {"sun", "mon", "tue", "wed", "thu", "fri", "sat"};

struct FieldKind {
  std::string_view name;
  int min;
  int max;
  std::span<const std::string_view> names;  // names[0] stands for min
};
constexpr FieldKind kMinute{"minute", 0, 59, {}};
constexpr FieldKind kHour{"hour", 0, 23, {}};
constexpr FieldKind kDayOfMonth{"day of month", 1, 31, {}};
constexpr FieldKind kMonth{"month", 1, 12, kMonths};
constexpr FieldKind kWeekday{"day of week", 0, 7, kWeekdays};
constexpr FieldKind kSecond{"second", 0, 59, {}};

bool same_letters(std::string_view text, std::string_view lower) {
  if (text.size() != lower.size()) return false;
  for (size_t i = 0; i < text.size(); ++i) {
    if ((static_cast<unsigned char>(text[i]) | 0x20) != static_cast<unsigned char>(lower[i])) return false;
  }
  return true;
}

}  // namespace

/// Reads the fields from left to right; `at_` is the byte that an error names.
class CronParser {
 public:
  explicit CronParser(std::string_view text) : text_(text) {}

  Result<Cron> parse() {
    if (text_.size() > kTextBytesMax)
      return fail(Errc::kInvalidArgument, fmt::format("the cron expression is longer than {} bytes", kTextBytesMax));
    TRY_DO(split());
    cron_.text_ = std::string(text_);
    TRY_DO(field(0, kMinute, [&](int v) { cron_.minutes_.set(static_cast<size_t>(v)); }));
    TRY_DO(field(1, kHour, [&](int v) { cron_.hours_.set(static_cast<size_t>(v)); }));
    cron_.hourly_ = fields_[1][0] == '*' || cron_.hours_.all();
    TRY_DO(days_of_month());
    TRY_DO(field(3, kMonth, [&](int v) { cron_.months_.set(static_cast<size_t>(v)); }));
    TRY_DO(days_of_week());
    if (fields_.size() == 6) {
      TRY_DO(field(5, kSecond, [&](int v) { cron_.seconds_.set(static_cast<size_t>(v)); }));
    } else {
      cron_.seconds_.set(0);
    }
    if (!cron_.at_or_after(0)) {
      return fail(Errc::kInvalidArgument, fmt::format("'{}' never comes: no month that it names has such a day", text_));
    }
    return std::move(cron_);
  }

 private:
  Status bad(std::string_view where, std::string_view why) const {
    size_t position = static_cast<size_t>(where.data() - text_.data()) + 1;
    return fail(Errc::kInvalidArgument, fmt::format("cron expression '{}': {} at position {}", printable(), why, position),
                "write five fields: minute hour day-of-month month day-of-week, and seconds as a sixth if needed");
  }

  std::string printable() const {
    std::string out;
    for (char c : text_) out += c >= ' ' && c < 0x7f ? c : '?';
    return out;
  }

  Status split() {
    size_t i = 0;
    while (i < text_.size()) {
      if (text_[i] == ' ' || text_[i] == '\t') {
        ++i;
        continue;
      }
      size_t end = i;
      while (end < text_.size() && text_[end] != ' ' && text_[end] != '\t') ++end;
      fields_.push_back(text_.substr(i, end - i));
      i = end;
    }
    if (fields_.size() == 5 || fields_.size() == 6) return {};
    std::string_view where = fields_.size() > 6 ? fields_[6] : text_.substr(text_.size());
    return bad(where, fmt::format("5 or 6 fields are expected, not {},", fields_.size()));
  }

  Result<int> number(std::string_view text, const FieldKind& kind) const {
    if (text.empty()) return fail(bad(text, fmt::format("a {} is missing", kind.name)).error());
    for (size_t i = 0; i < kind.names.size(); ++i) {
      if (same_letters(text, kind.names[i])) return kind.min + static_cast<int>(i);
    }
    int value = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
    bool whole = end == text.data() + text.size() && text[0] != '-';
    if (!whole || (error != std::errc() && error != std::errc::result_out_of_range)) {
      return fail(bad(text, fmt::format("this is not a {}", kind.name)).error());
    }
    if (error != std::errc() || value < kind.min || value > kind.max) {
      return fail(bad(text, fmt::format("a {} is {} to {},", kind.name, kind.min, kind.max)).error());
    }
    return value;
  }

  Result<int> step_of(std::string_view text, const FieldKind& kind) const {
    int step = 0;
    auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), step);
    if (text.empty() || error != std::errc() || end != text.data() + text.size() || step <= 0) {
      return fail(bad(text, fmt::format("the step of the {} is a whole number above 0,", kind.name)).error());
    }
    return step;
  }

  template <class Set>
  Status entry(std::string_view text, const FieldKind& kind, const Set& set) {
    int step = 1;
    std::string_view range = text;
    size_t slash = text.find('/');
    if (slash != std::string_view::npos) {
      TRY(step, step_of(text.substr(slash + 1), kind));
      range = text.substr(0, slash);
    }
    int cycle_max = &kind == &kWeekday ? 6 : kind.max;
    int low = kind.min;
    int high = cycle_max;
    if (range != "*") {
      size_t dash = range.find('-');
      TRY(low, number(range.substr(0, dash), kind));
      if (dash != std::string_view::npos) {
        TRY(high, number(range.substr(dash + 1), kind));
      } else if (slash == std::string_view::npos) {
        high = low;
      }
    }
    if (low > high && low > cycle_max) low -= 7;  // a range that begins with 7, Sunday
    int length = low <= high ? high - low : high - low + cycle_max - kind.min + 1;
    for (int i = 0; i <= length; i += step) {
      int value = low + i;
      if (low > high && value > cycle_max) value -= cycle_max - kind.min + 1;
      set(&kind == &kWeekday ? value % 7 : value);
      if (step > length) break;
    }
    return {};
  }

  Result<std::vector<std::string_view>> list(std::string_view text) const {
    std::vector<std::string_view> out;
    while (true) {
      size_t comma = text.find(',');
      out.push_back(text.substr(0, comma));
      if (out.size() > kEntriesMax) return fail(bad(text, fmt::format("a field has at most {} entries,", kEntriesMax)).error());
      if (comma == std::string_view::npos) return out;
      text.remove_prefix(comma + 1);
    }
  }

  template <class Set>
  Status field(size_t index, const FieldKind& kind, const Set& set) {
    TRY(auto entries, list(fields_[index]));
    for (std::string_view text : entries) TRY_DO(entry(text, kind, set));
    return {};
  }

  Status days_of_month() {
    TRY(auto entries, list(fields_[2]));
    for (std::string_view text : entries) {
      if (same_letters(text, "l")) {
        cron_.last_day_ = true;
      } else {
        TRY_DO(entry(text == "?" ? "*" : text, kDayOfMonth, [&](int v) { cron_.days_.set(static_cast<size_t>(v)); }));
      }
    }
    cron_.any_day_ = cron_.days_.count() == 31;
    return {};
  }

  Status days_of_week() {
    TRY(auto entries, list(fields_[4]));
    for (std::string_view text : entries) TRY_DO(day_of_week(text));
    cron_.any_weekday_ = cron_.weekdays_.all();
    return {};
  }

  Status day_of_week(std::string_view text) {
    size_t hash = text.find('#');
    if (hash != std::string_view::npos) {
      TRY(int day, number(text.substr(0, hash), kWeekday));
      std::string_view nth = text.substr(hash + 1);
      if (nth.size() != 1 || nth[0] < '1' || nth[0] > '5') return bad(nth, "after # comes 1 to 5,");
      cron_.nth_[nth[0] - '0'].set(static_cast<size_t>(day % 7));
      return {};
    }
    if (text.size() > 1 && (text.front() | 0x20) == 'l') return last_weekday(text.substr(1));
    if (text.size() > 1 && (text.back() | 0x20) == 'l') return last_weekday(text.substr(0, text.size() - 1));
    return entry(text == "?" ? "*" : text, kWeekday, [&](int v) { cron_.weekdays_.set(static_cast<size_t>(v)); });
  }

  Status last_weekday(std::string_view text) {
    TRY(int day, number(text, kWeekday));
    cron_.last_weekdays_.set(static_cast<size_t>(day % 7));
    return {};
  }

  const std::string_view text_;
  std::vector<std::string_view> fields_;
  Cron cron_;
};

Result<Cron> Cron::parse(std::string_view text) { return CronParser(text).parse(); }

}  // namespace millrace::dag
