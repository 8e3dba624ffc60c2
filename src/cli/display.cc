#include "cli/display.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>

#include "base/printable.h"
#include "cli/session.h"

namespace millrace::cli {
namespace {

constexpr Duration kPanelEvery = std::chrono::milliseconds(500);
constexpr Duration kLineEvery = std::chrono::seconds(5);
constexpr size_t kRowsShown = 5;

size_t terminal_width() {
  winsize size{};
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 20 ? size.ws_col : 100;
}

/// At most `width` characters (code points).
std::string cut(std::string text, size_t width) {
  size_t characters = 0;
  for (size_t i = 0; i < text.size(); ++i) {
    if ((static_cast<uint8_t>(text[i]) & 0xC0) == 0x80) continue;
    if (++characters > width) return text.substr(0, i);
  }
  return text;
}

}  // namespace

Display::Display(app::Instance& instance, bool quiet)
    : instance_(instance), quiet_(quiet), terminal_(isatty(STDERR_FILENO) != 0) {}

Display::~Display() {
  if (terminal_ && !quiet_) say("\n");
}

Duration Display::show() {
  if (quiet_) return std::chrono::hours(24);
  Duration now = instance_.env().clock.monotonic();
  double seconds = last_shown_ == Duration(0) ? 0 : static_cast<double>((now - last_shown_).count()) / 1e6;
  last_shown_ = now;
  // A job in the background must not draw over what is typed and answered in front of it.
  if (terminal_ && tcgetpgrp(STDERR_FILENO) == getpgrp()) {
    draw_panel(seconds);
    return kPanelEvery;
  }
  lines_drawn_ = 0;
  if (!terminal_) print_line(seconds);
  return terminal_ ? kPanelEvery : kLineEvery;
}

double Display::rate(const std::string& name, uint64_t count, double seconds) {
  uint64_t before = last_counts_.contains(name) ? last_counts_[name] : count;
  last_counts_[name] = count;
  return seconds > 0 ? static_cast<double>(count - std::min(before, count)) / seconds : 0;
}

std::vector<std::string> Display::last_rows(const app::QueryView& query) {
  std::vector<std::string> rows;
  // Tables are in key order, so what came last is found in the topic.
  auto topic = instance_.data().log().find(query.topic);
  if (topic == nullptr) return rows;
  for (int32_t p = 0; p < topic->partition_count(); ++p) {
    log::PartitionLog& partition = topic->partition(model::Partition(p));
    int64_t end = partition.end_offset().value;
    int64_t from = std::max(partition.start_offset().value, end - static_cast<int64_t>(kRowsShown));
    auto run = partition.read(model::Offset(from), 1 << 20, kRowsShown);
    if (!run) continue;
    for (const model::RecordView& record : run->records) {
      rows.push_back(fmt::format("{} {}-{}@{} {}", format_instant(instant_from_millis(record.timestamp_ms)), query.topic, p,
                                 record.offset.value, record.value.value_or("(null)")));
    }
  }
  std::sort(rows.rbegin(), rows.rend());
  if (rows.size() > kRowsShown) rows.resize(kRowsShown);
  return rows;
}

void Display::draw_panel(double seconds) {
  size_t width = terminal_width();
  std::vector<std::string> lines;
  for (const app::SourceView& source : instance_.sources()) {
    lines.push_back(fmt::format("source {:<24} {:>10} records {:>9.0f}/s  {} failed polls{}", source.name, source.counts.records,
                                rate("source/" + source.name, source.counts.records, seconds), source.counts.failed_polls,
                                source.counts.last_error.empty() ? "" : "  " + source.counts.last_error));
  }
  std::vector<app::QueryView> queries = instance_.queries();
  for (const app::QueryView& query : queries) {
    const stream::Balance& b = query.position.balance;
    lines.push_back(fmt::format("query  {:<24} {:>10} rows    {:>9.0f}/s  {} filtered, {} dead, {} in flight{}{}", query.name,
                                b.rows_written, rate("query/" + query.name, b.rows_written, seconds), b.filtered, b.dead,
                                query.in_flight, query.state == "running" ? "" : "  " + query.state,
                                query.reason.empty() ? "" : ": " + query.reason));
  }
  if (!queries.empty()) {
    lines.emplace_back("last records:");
    for (const std::string& row : last_rows(queries.front())) lines.push_back("  " + row);
  }
  std::string out;
  if (lines_drawn_ > 0) out += fmt::format("\x1b[{}A", lines_drawn_);
  for (const std::string& line : lines) out += "\r\x1b[2K" + cut(printable(line), width - 1) + "\n";
  // Lines of an earlier, longer panel are emptied.
  for (size_t i = lines.size(); i < lines_drawn_; ++i) out += "\r\x1b[2K\n";
  lines_drawn_ = std::max(lines_drawn_, lines.size());
  say(out);
}

void Display::print_line(double seconds) {
  std::string line;
  for (const app::QueryView& query : instance_.queries()) {
    const stream::Balance& b = query.position.balance;
    line += fmt::format("{}{}: {} rows, {:.0f}/s, {} dead, {} in flight{}", line.empty() ? "" : "; ", query.name, b.rows_written,
                        rate("query/" + query.name, b.rows_written, seconds), b.dead, query.in_flight,
                        query.state == "running" ? "" : ", " + query.state);
  }
  if (line.empty() || line == last_line_) return;
  last_line_ = line;
  say(fmt::format("millrace: {}\n", line));
}

}  // namespace millrace::cli
