#include "format/infer.h"

#include <gtest/gtest.h>

#include <vector>

namespace millrace::format {
namespace {

std::string infer(std::vector<std::string_view> samples, const InferLimits& limits = {}) {
  auto schema = infer_schema(samples, limits);
  return schema ? model::to_sql(*schema) : "! " + schema.error().message;
}

TEST(Infer, FindsTheTypeThatAllSamplesFit) {
  struct {
    std::vector<std::string_view> samples;
    std::string_view expected;
  } cases[] = {
      {{}, ""},
      {{R"({"i":1,"d":1.5,"b":true,"t":"x"})"}, R"("i" BIGINT, "d" DOUBLE, "b" BOOLEAN, "t" VARCHAR)"},
      {{R"({"n":1})", R"({"n":2.5})"}, R"("n" DOUBLE)"},
      {{R"({"n":1})", R"({"n":9223372036854775808})"}, R"("n" HUGEINT)"},
      {{R"({"n":123456789012345678901234567890})"}, R"("n" VARCHAR)"},
      {{R"({"n":1.5})", R"({"n":9007199254740993})"}, R"("n" VARCHAR)"},
      {{R"({"n":1.5})", R"({"n":9007199254740991})"}, R"("n" DOUBLE)"},
      {{R"({"n":1})", R"({"n":"1"})"}, R"("n" VARCHAR)"},
      {{R"({"n":true})", R"({"n":1})"}, R"("n" VARCHAR)"},
      {{R"({"n":{"a":1}})", R"({"n":"x"})"}, R"("n" VARCHAR)"},
      {{R"({"n":null})"}, R"("n" VARCHAR)"},
      {{R"({"n":null})", R"({"n":1})"}, R"("n" BIGINT)"},
      {{R"({"b":1})", R"({"a":1,"b":2})"}, R"("b" BIGINT, "a" BIGINT)"},
      {{R"({"u":"550e8400-e29b-41d4-a716-446655440000"})"}, R"("u" UUID)"},
      {{R"({"u":"550e8400-e29b-41d4-a716-446655440000"})", R"({"u":null})", R"({"u":"x"})"}, R"("u" VARCHAR)"},
      {{R"({"t":"2020-01-31T08:00:00Z"})", R"({"t":"2020-01-31T08:00:00.5+02:00"})"}, R"("t" TIMESTAMP WITH TIME ZONE)"},
      {{R"({"t":"2020-01-31T08:00:00"})"}, R"("t" TIMESTAMP)"},
      {{R"({"t":"2020-01-31T08:00:00"})", R"({"t":"2020-01-31T08:00:00Z"})"}, R"("t" VARCHAR)"},
      {{R"({"t":"2020-01-31"})"}, R"("t" DATE)"},
      {{R"({"t":"2020-01-31"})", R"({"t":"2020-02-31"})"}, R"("t" VARCHAR)"},
      {{R"({"s":{"x":1}})", R"({"s":{"y":"a"}})", R"({"s":null})"}, R"("s" STRUCT("x" BIGINT, "y" VARCHAR))"},
      {{R"({"s":{}})"}, R"("s" VARCHAR)"},
      {{R"({"l":[1,2.5]})", R"({"l":[]})"}, R"("l" DOUBLE[])"},
      {{R"({"l":[]})"}, R"("l" VARCHAR[])"},
      {{R"({"l":[{"a":1},{"b":[true]}]})"}, R"("l" STRUCT("a" BIGINT, "b" BOOLEAN[])[])"},
      {{R"({"a":1,"A":"x","":2})"}, R"("a" BIGINT)"},
  };
  for (const auto& c : cases) EXPECT_EQ(infer(c.samples), c.expected) << (c.samples.empty() ? "" : c.samples[0]);
}

TEST(Infer, SaysWhichSampleIsNoRecord) {
  EXPECT_EQ(infer({"{}", "[1]"}), "! sample 2: the JSON is not an object");
  EXPECT_EQ(infer({"{"}), "! sample 1: the text is not JSON, near byte 1");
}

TEST(Infer, KeepsItsLimits) {
  EXPECT_EQ(infer({R"({"a":1,"b":{"c":2}})"}, {.fields_max = 2}), "! more than 2 fields");
  EXPECT_EQ(infer({R"({"a":{"b":{"c":1}}})"}, {.depth_max = 2}), R"("a" STRUCT("b" VARCHAR))");
}

}  // namespace
}  // namespace millrace::format
