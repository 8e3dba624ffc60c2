#include "project/fault.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "base/printable.h"

namespace millrace::project {
namespace {

constexpr Severity kError = Severity::kError;
constexpr Severity kWarning = Severity::kWarning;

constexpr FaultCode kCodes[] = {
    {"bad-choice", kError, "the value is none of the words that may stand there"},
    {"bad-columns", kError, "a SQL column list cannot be read"},
    {"bad-cron", kError, "a schedule is no cron expression, preset or interval"},
    {"bad-duration", kError, "a duration cannot be read"},
    {"bad-encoding", kError, "the file is not UTF-8, or holds a control character"},
    {"bad-interpolation", kError, "a ${…} is not one of the four forms"},
    {"bad-json-path", kError, "a JSON path cannot be read"},
    {"bad-name", kError, "a name has characters that it may not have"},
    {"bad-size", kError, "a size in bytes cannot be read"},
    {"bad-sql", kError, "a SQL text is refused by the planner or the engine"},
    {"bad-time", kError, "a time is not ISO 8601"},
    {"bad-timezone", kError, "a time zone is not known"},
    {"bad-url", kError, "a URL has no scheme that may stand there"},
    {"bad-yaml", kError, "the text is not YAML"},
    {"column-mismatch", kError, "a query's columns do not fit the table or topic that it writes"},
    {"column-mismatch", kError, "a query's columns do not fit what it writes into"},
    {"cycle", kError, "tasks wait for each other"},
    {"duplicate-key", kError, "a key stands twice in one map"},
    {"duplicate-name", kError, "two things have one name (SQL does not tell case)"},
    {"folded-sql", kError, "SQL stands in a folded block (`>`), so lines could not be reported"},
    {"inferred-schema", kWarning, "a topic has no schema: it is inferred from the first records"},
    {"key-across-partitions", kWarning, "one table key can come from several partitions"},
    {"lost-zone", kWarning, "a cast to TIMESTAMP drops the offset of a zoned timestamp"},
    {"merge-key", kError, "`<<` is not supported"},
    {"misplaced-key", kError, "a key has no meaning beside another one"},
    {"missing-key", kError, "a key that must be there is not"},
    {"never-polled", kWarning, "a source with `run: dag` stands in no ingest task"},
    {"not-yet", kError, "this version cannot do it"},
    {"one-of", kError, "exactly one of several keys must be given"},
    {"out-of-range", kError, "a number is too small or too big"},
    {"several-documents", kError, "the file holds more than one YAML document"},
    {"tab-indent", kError, "a tab stands in the indentation"},
    {"too-big", kError, "the file, or what it expands to, is over a limit"},
    {"too-deep", kError, "the file nests deeper than 64 levels"},
    {"two-writers", kError, "a topic that a query writes has another writer"},
    {"unfilled-column", kWarning, "a declared column is not filled by the query: it is NULL in every row"},
    {"unfilled-column", kWarning, "a declared column is given by no query: it stays NULL"},
    {"unknown-key", kError, "a key is not known"},
    {"unknown-profile", kError, "the profile is not in the file"},
    {"unknown-reference", kError, "a name stands for nothing in this file"},
    {"unreadable-file", kError, "a file cannot be read"},
    {"unset-variable", kError, "an environment variable is not set"},
    {"wrong-type", kError, "a value has another type than the key wants"},
    {"yaml-alias", kError, "an alias (`*name`) has no anchor that stands complete before it"},
    {"yaml-tag", kError, "tags (`!name`) are not supported"},
};

/// Levenshtein distance, letters without case.
size_t distance(std::string_view a, std::string_view b) {
  auto lower = [](char c) { return c >= 'A' && c <= 'Z' ? static_cast<char>(c + 32) : c; };
  std::vector<size_t> row(b.size() + 1);
  for (size_t j = 0; j <= b.size(); ++j) row[j] = j;
  for (size_t i = 1; i <= a.size(); ++i) {
    size_t diagonal = row[0];
    row[0] = i;
    for (size_t j = 1; j <= b.size(); ++j) {
      size_t change = diagonal + (lower(a[i - 1]) == lower(b[j - 1]) ? 0 : 1);
      diagonal = row[j];
      row[j] = std::min({change, row[j] + 1, row[j - 1] + 1});
    }
  }
  return row[b.size()];
}

constexpr size_t kNameMax = 64;    // longer ones are not compared
constexpr size_t kListedMax = 12;  // names listed in a hint

}  // namespace

std::string to_string(const Location& at) {
  if (at.line == 0) return at.file;
  return fmt::format("{}:{}:{}", at.file, at.line, at.column);
}

std::string_view severity_name(Severity severity) { return severity == Severity::kError ? "error" : "warning"; }

std::span<const FaultCode> fault_codes() { return kCodes; }

void FaultList::add(const Location& at, std::string_view code, std::string message, std::string hint) {
  auto known = std::find_if(std::begin(kCodes), std::end(kCodes), [&](const FaultCode& c) { return c.code == code; });
  CHECK(known != std::end(kCodes), "every fault code stands in kCodes");
  if (full()) return;
  faults_.push_back(
      {at.file, at.line, at.column, known->severity, std::string(code), showable(std::move(message)), showable(std::move(hint))});
}

void FaultList::hide(std::string secret) {
  // A shorter one would blot out words that have nothing to do with it.
  constexpr size_t kSecretMin = 4;
  if (secret.size() >= kSecretMin) secrets_.insert(std::move(secret));
}

std::string FaultList::showable(std::string text) const {
  for (const std::string& secret : secrets_) {
    for (size_t at = text.find(secret); at != std::string::npos; at = text.find(secret, at))
      text.replace(at, secret.size(), "***");
  }
  constexpr size_t kShownMax = 400;
  if (text.size() <= kShownMax) return text;
  size_t end = kShownMax;
  while ((static_cast<unsigned char>(text[end]) & 0xc0) == 0x80) --end;
  return text.substr(0, end) + "…";
}

bool FaultList::has_errors() const {
  return std::any_of(faults_.begin(), faults_.end(), [](const Fault& f) { return f.severity == Severity::kError; });
}

std::vector<Fault> FaultList::take() && {
  std::sort(faults_.begin(), faults_.end());
  faults_.erase(std::unique(faults_.begin(), faults_.end()), faults_.end());
  return std::move(faults_);
}

std::string to_string(const Fault& fault) {
  std::string out = fmt::format("{}: {}: {} [{}]", printable(to_string(fault.at())), severity_name(fault.severity),
                                printable(fault.message), fault.code);
  if (!fault.hint.empty()) out += "\n  hint: " + printable(fault.hint);
  return out;
}

std::string_view nearest(std::string_view name, std::span<const std::string_view> known) {
  std::string_view best;
  size_t best_distance = std::min<size_t>(3, name.size() / 3 + 1) + 1;
  if (name.size() > kNameMax) return best;
  for (std::string_view candidate : known) {
    if (candidate.size() > kNameMax) continue;
    if (size_t d = distance(name, candidate); d < best_distance && d < candidate.size()) {
      best = candidate;
      best_distance = d;
    }
  }
  return best;
}

std::string suggestion(std::string_view name, std::span<const std::string_view> known) {
  if (std::string_view near = nearest(name, known); !near.empty()) return fmt::format("did you mean '{}'?", near);
  if (known.empty() || known.size() > kListedMax) return {};
  return fmt::format("known: {}", fmt::join(known, ", "));
}

}  // namespace millrace::project
