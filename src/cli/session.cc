#include "cli/session.h"

#include <fmt/format.h>
#include <unistd.h>

#include <CLI/App.hpp>
#include <CLI/Config.hpp>
#include <CLI/Formatter.hpp>
#include <algorithm>

#include "base/bytes.h"
#include "base/printable.h"

namespace millrace::cli {
namespace {

using format::Json;

/// Columns on a terminal: code points, which is right for everything but wide and combining characters.
size_t width_of(std::string_view text) {
  return static_cast<size_t>(
      std::count_if(text.begin(), text.end(), [](char c) { return (static_cast<uint8_t>(c) & 0xC0) != 0x80; }));
}

std::string cell(const Json* value) {
  if (value == nullptr || value->is_null()) return "";
  if (const std::string* text = value->as_string()) return printable(*text);
  return printable(to_json(*value));
}

void print_table(const std::vector<std::string>& headings, const std::vector<std::vector<std::string>>& rows) {
  std::vector<size_t> widths;
  for (const std::string& heading : headings) widths.push_back(width_of(heading));
  for (const auto& row : rows) {
    for (size_t i = 0; i < row.size(); ++i) widths[i] = std::max(widths[i], width_of(row[i]));
  }
  auto print = [&](const std::vector<std::string>& row) {
    std::string line;
    for (size_t i = 0; i < row.size(); ++i) {
      line += row[i];
      if (i + 1 < row.size()) line.append(widths[i] - width_of(row[i]) + 2, ' ');
    }
    line += '\n';
    std::fwrite(line.data(), 1, line.size(), stdout);
  };
  print(headings);
  for (const auto& row : rows) print(row);
}

/// A message may have several lines, and may quote what somebody sent.
void print_words(std::string_view before, std::string_view text) {
  while (!text.empty()) {
    size_t end = std::min(text.find('\n'), text.size());
    say(fmt::format("{}{}\n", before, printable(text.substr(0, end))));
    text.remove_prefix(std::min(end + 1, text.size()));
    before = "";
  }
}

void print_members(const Json& object, int indent) {
  for (const Json::Member& member : *object.as_object()) {
    fmt::print("{:{}}{}:", "", indent, printable(member.name));
    if (member.value.as_object() != nullptr && !member.value.as_object()->empty()) {
      fmt::print("\n");
      print_members(member.value, indent + 2);
    } else if (const Json::Array* items = member.value.as_array();
               items != nullptr && !items->empty() && items->front().as_object() != nullptr) {
      fmt::print("\n");
      for (const Json& item : *items) {
        fmt::print("{:{}}-\n", "", indent + 2);
        print_members(item, indent + 4);
      }
    } else {
      fmt::print(" {}\n", cell(&member.value));
    }
  }
}

}  // namespace

void say(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stderr); }

void Session::fail(const Error& error) {
  print_words("millrace: ", error.message);
  if (!error.hint.empty()) print_words("  ", error.hint);
  if (exit_code == kDone) exit_code = error.code == Errc::kUnavailable ? kNoServer : kFailed;
}

bool Session::check(const Status& done) {
  if (!done) fail(done.error());
  return done.has_value();
}

void add_data_option(CLI::App& command, Session& session) {
  command.add_option("--data", session.data, "data directory (default: $MILLRACE_DATA, else ./.millrace)")
      ->check([](const std::string& path) { return path.empty() ? std::string("the directory's name is empty") : std::string(); })
      ->type_name("DIR");
}

void add_output_option(CLI::App& command, Session& session) {
  command.add_option("-o,--output", session.output, "text or json")->check(CLI::IsMember({"text", "json"}))->type_name("FORMAT");
}

void print_list(const Session& session, const Json& rows, const std::vector<ListColumn>& columns) {
  if (session.json()) {
    fmt::print("{}\n", to_json(rows));
    return;
  }
  std::vector<std::string> headings;
  for (const ListColumn& column : columns) headings.emplace_back(column.heading);
  std::vector<std::vector<std::string>> cells;
  if (const Json::Array* items = rows.as_array()) {
    for (const Json& item : *items) {
      auto& row = cells.emplace_back();
      for (const ListColumn& column : columns) row.push_back(cell(item.find(column.member)));
    }
  }
  print_table(headings, cells);
}

void print_rows(const Json& rows) {
  const Json::Array* items = rows.as_array();
  if (items == nullptr || items->empty()) {
    fmt::print("(no rows)\n");
    return;
  }
  std::vector<std::string> headings;
  for (const Json::Member& member : *items->front().as_object()) headings.push_back(printable(member.name));
  std::vector<std::vector<std::string>> cells;
  for (const Json& item : *items) {
    auto& row = cells.emplace_back();
    for (const Json::Member& member : *item.as_object()) row.push_back(member.value.is_null() ? "NULL" : cell(&member.value));
  }
  print_table(headings, cells);
  fmt::print("({} row{})\n", items->size(), items->size() == 1 ? "" : "s");
}

void print_object(const Session& session, const Json& object) {
  if (session.json() || object.as_object() == nullptr) {
    fmt::print("{}\n", to_json(object));
  } else {
    print_members(object, 0);
  }
}

}  // namespace millrace::cli
