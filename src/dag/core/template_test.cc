#include "dag/core/template.h"

#include <gtest/gtest.h>

namespace millrace::dag {
namespace {

TemplateValues values() {
  Instant start = parse_instant("2026-11-20T06:30:00Z").value();
  return {"users", "manual__1", "load", 2, start, {start, start + std::chrono::hours(1)}, {{"country", "CH"}, {"a.b", "7"}}};
}

TEST(Template, every_name_has_its_value) {
  const std::pair<const char*, const char*> cases[] = {
      {"{{ ds }}", "2026-11-20"},
      {"{{ds_nodash}}", "20261120"},
      {"{{ ts }}", "2026-11-20T06:30:00+00:00"},
      {"{{ ts_nodash }}", "20261120T063000"},
      {"{{ data_interval_start }}/{{ data_interval_end }}", "2026-11-20T06:30:00+00:00/2026-11-20T07:30:00+00:00"},
      {"{{ dag_id }} {{ run_id }} {{ task_id }} {{ try_number }}", "users manual__1 load 2"},
      {"{{ dag_run.conf.country }}-{{ dag_run.conf.a.b }}", "CH-7"},
      {"no braces, { one }, }}", "no braces, { one }, }}"},
      {"", ""},
  };
  for (auto [text, expected] : cases) {
    EXPECT_TRUE(check_template(text)) << text;
    auto rendered = render_template(text, values());
    ASSERT_TRUE(rendered) << rendered.error().message;
    EXPECT_EQ(*rendered, expected);
  }
}

TEST(Template, unknown_names_and_open_braces_are_errors_at_load) {
  for (const char* text :
       {"{{ nope }}", "{{ }}", "{{ ds", "{{{{", "{{ ds | upper }}", "{{ dag_run.conf. }}", "{{ var.value.x }}"}) {
    EXPECT_FALSE(check_template(text)) << text;
    EXPECT_FALSE(render_template(text, values())) << text;
  }
}

TEST(Template, a_conf_value_that_is_missing_is_an_error_at_run_time) {
  EXPECT_TRUE(check_template("{{ dag_run.conf.other }}"));
  EXPECT_EQ(render_template("{{ dag_run.conf.other }}", values()).error().code, Errc::kInvalidArgument);
}

TEST(Template, values_are_not_rendered_again_and_the_result_is_bounded) {
  TemplateValues v = values();
  v.conf["x"] = "{{ ds }}";
  EXPECT_EQ(render_template("{{ dag_run.conf.x }}", v).value(), "{{ ds }}");
  v.conf["x"] = std::string(60'000, 'x');
  std::string text;
  for (int i = 0; i < 100; ++i) text += "{{ dag_run.conf.x }}";
  EXPECT_EQ(render_template(text, v).error().code, Errc::kResourceExhausted);
}

}  // namespace
}  // namespace millrace::dag
