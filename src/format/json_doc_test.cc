#include "format/json_doc.h"

#include <gtest/gtest.h>

namespace millrace::format {
namespace {

TEST(JsonDoc, ReadsAndWritesEveryKind) {
  for (std::string_view text :
       {"null", "true", "false", "0", "-9223372036854775808", "18446744073709551615", "1.5", "1e+300", R"("")",
        R"("a\"\\\n\u0001")", "[]", "{}", R"([1,[2,[]],{"a":{}}])", R"({"z":1,"a":[null],"z":2})"}) {
    auto json = parse_json(text);
    ASSERT_TRUE(json) << text;
    EXPECT_EQ(to_json(*json), text);
    EXPECT_EQ(*parse_json(to_json(*json, true)), *json);
  }
}

TEST(JsonDoc, KeepsIntegersExact) {
  EXPECT_EQ(*parse_json("9223372036854775807")->as_int(), INT64_MAX);
  EXPECT_EQ(*parse_json("9223372036854775808")->as_uint(), uint64_t{1} << 63);
  EXPECT_EQ(*parse_json("18446744073709551616")->as_double(), 18446744073709551616.0);
  EXPECT_EQ(*parse_json("1.0")->as_double(), 1.0);
  EXPECT_EQ(to_json(*parse_json("-1e999")), R"("-Infinity")");
}

TEST(JsonDoc, IsPretty) {
  EXPECT_EQ(to_json(*parse_json(R"({"a":[1,{}],"b":[]})"), true), "{\n  \"a\": [\n    1,\n    {}\n  ],\n  \"b\": []\n}");
}

TEST(JsonDoc, FindsMembers) {
  Json json = *parse_json(R"({"s":"x","i":7,"d":1.5,"b":true,"s":"last"})");
  EXPECT_EQ(json.string_or("s", "-"), "last");
  EXPECT_EQ(json.string_or("i", "-"), "-");
  EXPECT_EQ(json.int_or("i", 0), 7);
  EXPECT_EQ(json.int_or("d", 3), 3);
  EXPECT_EQ(json.number_or("i", 0), 7.0);
  EXPECT_EQ(json.number_or("d", 0), 1.5);
  EXPECT_TRUE(json.bool_or("b", false));
  EXPECT_EQ(json.find("none"), nullptr);
  EXPECT_EQ(Json(5).find("none"), nullptr);
}

TEST(JsonDoc, IsBuilt) {
  Json json;
  json.set("name", "x").set("n", 1).set("list", Json().push(1.5).push(nullptr).push(false)).set("n", 18446744073709551615u);
  EXPECT_EQ(to_json(json), R"({"name":"x","n":18446744073709551615,"list":[1.5,null,false]})");
}

TEST(JsonDoc, RefusesWhatIsNotJson) {
  for (std::string_view text :
       {"", " ", "{", "[1,]", "{\"a\":1,}", "nul", "1 2", "\"", "'a'", "[1}", "\"\\ud800\"", "\xff", "{\"a\":1]", "[,]", "--1"}) {
    auto json = parse_json(text);
    ASSERT_FALSE(json) << text;
    EXPECT_EQ(json.error().code, Errc::kInvalidArgument) << text;
  }
  EXPECT_EQ(parse_json("[1,x]").error().message, "the text is not JSON, near byte 4");
}

TEST(JsonDoc, KeepsItsLimits) {
  auto nested = [](int depth) {
    return std::string(static_cast<size_t>(depth), '[') + std::string(static_cast<size_t>(depth), ']');
  };
  EXPECT_TRUE(parse_json(nested(64)));
  EXPECT_EQ(parse_json(nested(65)).error().code, Errc::kResourceExhausted);
  auto deep = parse_json(nested(1000), {.depth_max = 1000});
  ASSERT_TRUE(deep);
  EXPECT_EQ(to_json(*deep), nested(1000));
  EXPECT_FALSE(parse_json(nested(kJsonDocDepthMax + 1), {.depth_max = 1'000'000}));
  EXPECT_EQ(parse_json("[1,2,3]", {.bytes_max = 3}).error().code, Errc::kResourceExhausted);
}

}  // namespace
}  // namespace millrace::format
