#include "dag/core/template.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

namespace millrace::dag {
namespace {

constexpr std::string_view kConf = "dag_run.conf.";
constexpr size_t kRenderedBytesMax = 1 << 20;

std::string digits_only(std::string text, bool keep_t) {
  std::erase_if(text, [&](char c) { return (c < '0' || c > '9') && !(keep_t && c == 'T'); });
  return text;
}
std::string day_of(const TemplateValues& v) { return iso_time(v.logical_date).substr(0, 10); }
std::string second_of(const TemplateValues& v) { return iso_time(v.logical_date).substr(0, 19); }

struct Name {
  std::string_view name;
  std::string (*value)(const TemplateValues&);
};
constexpr Name kNames[] = {
    {"ds", day_of},
    {"ds_nodash", [](const TemplateValues& v) { return digits_only(day_of(v), false); }},
    {"ts", [](const TemplateValues& v) { return iso_time(v.logical_date); }},
    {"ts_nodash", [](const TemplateValues& v) { return digits_only(second_of(v), true); }},
    {"logical_date", [](const TemplateValues& v) { return iso_time(v.logical_date); }},
    {"data_interval_start", [](const TemplateValues& v) { return iso_time(v.interval.start); }},
    {"data_interval_end", [](const TemplateValues& v) { return iso_time(v.interval.end); }},
    {"dag_id", [](const TemplateValues& v) { return v.dag_id; }},
    {"dag.dag_id", [](const TemplateValues& v) { return v.dag_id; }},
    {"run_id", [](const TemplateValues& v) { return v.run_id; }},
    {"dag_run.run_id", [](const TemplateValues& v) { return v.run_id; }},
    {"task_id", [](const TemplateValues& v) { return v.task_id; }},
    {"task.task_id", [](const TemplateValues& v) { return v.task_id; }},
    {"try_number", [](const TemplateValues& v) { return std::to_string(v.try_number); }},
    {"ti.try_number", [](const TemplateValues& v) { return std::to_string(v.try_number); }},
};

std::string_view trim(std::string_view text) {
  while (!text.empty() && text.front() == ' ') text.remove_prefix(1);
  while (!text.empty() && text.back() == ' ') text.remove_suffix(1);
  return text;
}

/// Calls `plain` with the text between the braces and `named` with the name within them, from left to right.
template <class Plain, class Named>
Status walk(std::string_view text, const Plain& plain, const Named& named) {
  while (true) {
    size_t open = text.find("{{");
    plain(text.substr(0, open));
    if (open == std::string_view::npos) return {};
    text.remove_prefix(open + 2);
    size_t close = text.find("}}");
    if (close == std::string_view::npos) {
      return fail(Errc::kInvalidArgument, fmt::format("'{{{{{}' has no closing '}}}}'", text.substr(0, 40)));
    }
    TRY_DO(named(trim(text.substr(0, close))));
    text.remove_prefix(close + 2);
  }
}

auto unknown(std::string_view name) {
  return fail(
      Errc::kInvalidArgument, fmt::format("there is no template name '{}'", name.substr(0, 80)),
      "names are ds, ds_nodash, ts, ts_nodash, logical_date, data_interval_start, data_interval_end, dag_id, run_id, task_id, "
      "try_number, dag_run.conf.<name>");
}

const Name* find(std::string_view name) {
  for (const Name& candidate : kNames) {
    if (candidate.name == name) return &candidate;
  }
  return nullptr;
}

}  // namespace

Status check_template(std::string_view text) {
  return walk(
      text, [](std::string_view) {},
      [](std::string_view name) -> Status {
        if (find(name) != nullptr) return {};
        if (name.starts_with(kConf) && name.size() > kConf.size()) return {};
        return unknown(name);
      });
}

Result<std::string> render_template(std::string_view text, const TemplateValues& values) {
  std::string out;
  auto named = [&](std::string_view name) -> Status {
    if (const Name* known = find(name)) {
      out += known->value(values);
    } else if (name.starts_with(kConf)) {
      auto found = values.conf.find(std::string(name.substr(kConf.size())));
      if (found == values.conf.end()) {
        return fail(Errc::kInvalidArgument, fmt::format("the run's conf has no '{}'", name.substr(kConf.size())),
                    "trigger the dag with a conf that has it");
      }
      out += found->second;
    } else {
      return unknown(name);
    }
    if (out.size() > kRenderedBytesMax) return fail(Errc::kResourceExhausted, "a rendered template is longer than 1 MiB");
    return {};
  };
  TRY_DO(walk(text, [&](std::string_view plain) { out += plain; }, named));
  return out;
}

}  // namespace millrace::dag
