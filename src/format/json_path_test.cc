#include "format/json_path.h"

#include <gtest/gtest.h>

namespace millrace::format {
namespace {

std::string matches(std::string_view path, std::string_view document) {
  auto parsed = JsonPath::parse(path);
  if (!parsed) return "! " + parsed.error().message;
  std::string out;
  auto status = select(document, *parsed, [&](std::string_view raw) -> Status {
    out += std::string(raw) + ";";
    return {};
  });
  return status ? out : "! " + status.error().message;
}

TEST(JsonPath, KnowsWhetherThePathFits) {
  auto fits = [](std::string_view path, std::string_view document) {
    return *select(document, *JsonPath::parse(path), [](std::string_view) { return Status(); });
  };
  for (std::string_view good : {R"({"a":[]})", R"({"a":[1]})", R"({"a":null})", "null", R"({"a":[{},{"b":1}]})"})
    EXPECT_TRUE(fits("$.a[*]", good)) << good;
  for (std::string_view bad : {"{}", "[]", "5", R"({"A":[]})", R"({"a":{}})", R"({"a":"x"})"})
    EXPECT_FALSE(fits("$.a[*]", bad)) << bad;
  EXPECT_TRUE(fits("$.a[*].b", R"({"a":[{}]})"));
  EXPECT_FALSE(fits("$.a[1]", R"({"a":[1]})"));
  EXPECT_TRUE(fits("$.a[1]", R"({"a":[1,null]})"));
}

TEST(JsonPath, SelectsTheSourceText) {
  struct {
    std::string_view path, document, expected;
  } cases[] = {
      {"$", " {\"a\": 1} ", "{\"a\": 1};"},
      {"$", "5", "5;"},
      {"$.a", R"({"a": 1.50 , "b":2})", "1.50;"},
      {"$.a.b", R"({"x":{"b":1},"a":{"c":[],"b":{"z":[1, 2]}}})", "{\"z\":[1, 2]};"},
      {"$.a", R"({"a":1,"a":2})", "2;"},
      {"$.a", R"({"\u0061":"x\"y"})", R"("x\"y";)"},
      {"$.A", R"({"a":1})", ""},
      {"$.a.b", R"({"a":[1]})", ""},
      {"$['a b'][\"c\"]", R"({"a b":{"c":true}})", "true;"},
      {R"($['it\'s'])", R"({"it's":1})", "1;"},
      {"$[0]", "[7,8]", "7;"},
      {"$[1]", "[7,8]", "8;"},
      {"$[2]", "[7,8]", ""},
      {"$[0]", "[]", ""},
      {"$[0]", "{}", ""},
      {"$.a", "{}", ""},
      {"$[*]", "[1,[2,3],{\"a\":[]}]", "1;[2,3];{\"a\":[]};"},
      {"$[*]", "[]", ""},
      {"$[*]", "{\"a\":1}", ""},
      {"$.results[*]", R"({"info":{"results":[9]},"results":[{"n":1},{"n":2}]})", R"({"n":1};{"n":2};)"},
      {"$.results[*].n", R"({"results":[{"n":1},{},{"n":2}]})", "1;2;"},
      {"$[1][*][0]", "[0,[[1,2],[],[3]]]", "1;3;"},
      {"$.a-b.$c", R"({"a-b":{"$c":1}})", "1;"},
  };
  for (const auto& c : cases) EXPECT_EQ(matches(c.path, c.document), c.expected) << c.path << " of " << c.document;
}

TEST(JsonPath, ChecksTheWholeDocument) {
  EXPECT_EQ(matches("$.a", R"({"a":1,"b":})"), "! the text is not JSON");
  EXPECT_EQ(matches("$.a", R"({"a":1} 2)"), "! the text is not JSON");
  EXPECT_EQ(matches("$.a", ""), "! the text is empty");
  EXPECT_EQ(matches("$", std::string(200, '[') + std::string(200, ']')), "! the JSON nests deeper than 128 levels");
}

TEST(JsonPath, SaysWhereAPathIsWrong) {
  EXPECT_EQ(matches("", "1"), "! JSON path '', column 1: `$` is expected");
  EXPECT_EQ(matches("a", "1"), "! JSON path 'a', column 1: `$` is expected");
  EXPECT_EQ(matches("$a", "1"), "! JSON path '$a', column 2: `.` or `[` is expected");
  EXPECT_EQ(matches("$.", "1"), "! JSON path '$.', column 3: a name is expected; write names with other characters as ['name']");
  EXPECT_EQ(matches("$..a", "1"),
            "! JSON path '$..a', column 3: a name is expected; write names with other characters as ['name']");
  EXPECT_EQ(matches("$.a[", "1"), "! JSON path '$.a[', column 5: a number, a quoted name or `*` is expected");
  EXPECT_EQ(matches("$[-1]", "1"), "! JSON path '$[-1]', column 3: a number, a quoted name or `*` is expected");
  EXPECT_EQ(matches("$[99999999999999999999]", "1"),
            "! JSON path '$[99999999999999999999]', column 3: a number, a quoted name or `*` is expected");
  EXPECT_EQ(matches("$['a", "1"), "! JSON path '$['a', column 5: the quote is not closed");
  EXPECT_EQ(matches("$[0", "1"), "! JSON path '$[0', column 4: `]` is expected");
  EXPECT_EQ(matches("$[*][*]", "1"), "! JSON path '$[*][*]', column 8: only one [*] is possible");
}

TEST(JsonPath, StopsAtTheFirstErrorOfTheCaller) {
  int calls = 0;
  auto status = select("[1,2,3]", *JsonPath::parse("$[*]"), [&](std::string_view) -> Status {
    ++calls;
    return fail(Errc::kCancelled, "enough");
  });
  EXPECT_EQ(status.error().code, Errc::kCancelled);
  EXPECT_EQ(calls, 1);
}

TEST(JsonPath, GivesTextForKeys) {
  auto text = [](std::string_view path, std::string_view document) { return *select_text(document, *JsonPath::parse(path)); };
  EXPECT_EQ(text("$.login.uuid", R"({"login":{"uuid":"a-b"}})"), "a-b");
  EXPECT_EQ(text("$.a", R"({"a":"\u00e4\n"})"), "\xc3\xa4\n");
  EXPECT_EQ(text("$.a", R"({"a":12345678901234567890.10})"), "12345678901234567890.10");
  EXPECT_EQ(text("$.a", R"({"a":{"b" : 1}})"), "{\"b\" : 1}");
  EXPECT_EQ(text("$.a", R"({"a":null})"), std::nullopt);
  EXPECT_EQ(text("$.a", R"({"b":1})"), std::nullopt);
  EXPECT_EQ(text("$.a", R"({"a":""})"), "");
  EXPECT_EQ(text("$[*]", R"(["x","y"])"), "x");
  EXPECT_FALSE(select_text("{", *JsonPath::parse("$.a")));
}

}  // namespace
}  // namespace millrace::format
