#include "connect/file/text_records.h"

#include <gtest/gtest.h>

namespace millrace::connect::file {
namespace {

TEST(TextRecords, LinesEndWithALineFeed) {
  EXPECT_EQ(record_size("a\nb", false), 2u);
  EXPECT_EQ(record_size("\n", false), 1u);
  EXPECT_EQ(record_size("\"a\n", false), 3u);
  EXPECT_FALSE(record_size("ab", false));
  EXPECT_EQ(without_line_end("a\r\n"), "a");
  EXPECT_EQ(without_line_end("a\n\n"), "a\n");
  EXPECT_EQ(without_line_end(""), "");
}

TEST(TextRecords, CsvRecordsHoldLineEndsInQuotes) {
  EXPECT_EQ(record_size("a,\"b\nc\",d\ne", true), 10u);
  EXPECT_EQ(record_size("\"a\"\"\n\"\"\"\nx", true), 9u);
  EXPECT_EQ(record_size("a\"b\nc", true), 4u);
  EXPECT_EQ(record_size("\"\"\nb", true), 3u);
  EXPECT_EQ(record_size(",,\n", true), 3u);
  for (const char* open : {"", "a,b", "\"a\n", "\"a\n\"\"", "a,\"", "\"a\"b"}) EXPECT_FALSE(record_size(open, true)) << open;
}

TEST(TextRecords, CsvFields) {
  using Fields = std::vector<std::optional<std::string>>;
  EXPECT_EQ(csv_fields("a,,\"\",\"x,\"\"y\"\"\n\""), (Fields{"a", std::nullopt, "", "x,\"y\"\n"}));
  EXPECT_EQ(csv_fields("\"\"\"\""), (Fields{"\""}));
  EXPECT_EQ(csv_fields("\"\"\"a\""), (Fields{"\"a"}));
  EXPECT_EQ(csv_fields(""), (Fields{std::nullopt}));
  EXPECT_EQ(csv_fields("a,"), (Fields{"a", std::nullopt}));
  for (const char* wrong : {"a\"b", "\"a", "\"a\"b", "\"a\"\"", "x,\""}) EXPECT_FALSE(csv_fields(wrong)) << wrong;
}

TEST(TextRecords, CsvRowsBecomeObjects) {
  EXPECT_EQ(csv_to_json({"a", "b\"c"}, "1,\"x\"\"\ny\""), "{\"a\":\"1\",\"b\\\"c\":\"x\\\"\\ny\"}");
  EXPECT_EQ(csv_to_json({"a", "b"}, ",\"\""), "{\"a\":null,\"b\":\"\"}");
  EXPECT_FALSE(csv_to_json({"a", "b"}, "1"));
  EXPECT_FALSE(csv_to_json({"a"}, "1,2"));
}

TEST(TextRecords, PatternsAreOfOneName) {
  const std::tuple<const char*, const char*, bool> cases[] = {
      {"*.jsonl", "a.jsonl", true}, {"*.jsonl", ".a.jsonl", false}, {"*.jsonl", "a.jsonl.part", false}, {"a?c*", "abc", true},
      {"a?c", "ac", false},         {"*a*b", "xaxxab", true},       {"*a*b", "xaxxa", false},           {"*", "", true},
      {".*", ".a", true},
  };
  for (auto [pattern, name, fits] : cases) EXPECT_EQ(matches_pattern(pattern, name), fits) << pattern << " " << name;
}

}  // namespace
}  // namespace millrace::connect::file
