#pragma once

#include <map>
#include <string>
#include <string_view>

#include "base/result.h"
#include "base/time.h"
#include "dag/core/timetable.h"

namespace millrace::dag {

/// What `{{ name }}` may stand for in a task's texts.
struct TemplateValues {
  std::string dag_id;
  std::string run_id;
  std::string task_id;
  int try_number = 1;
  Instant logical_date;
  DataInterval interval;
  std::map<std::string, std::string> conf;  // by dotted path: `x`, `x.y`
};

/// kInvalidArgument for a name that is not one of those below, or braces that do not close.
///   ds, ds_nodash                2026-11-21, 20261121 (the logical date)
///   ts, ts_nodash                2026-11-21T00:00:00+00:00, 20261121T000000
///   logical_date, data_interval_start, data_interval_end   as ts
///   dag_id, run_id, task_id, try_number; also dag.dag_id, dag_run.run_id, task.task_id, ti.try_number
///   dag_run.conf.PATH            a value of the run's conf
Status check_template(std::string_view text);

/// The text with each `{{ name }}` replaced. kInvalidArgument also for a conf value that the run does not have.
Result<std::string> render_template(std::string_view text, const TemplateValues& values);

}  // namespace millrace::dag
