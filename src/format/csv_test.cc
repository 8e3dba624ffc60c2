#include "format/csv.h"

#include <gtest/gtest.h>

#include <memory>

#include "format/json_write.h"

namespace millrace::format {
namespace {

using model::TypeId;

std::shared_ptr<const model::Schema> countries() {
  return std::make_shared<model::Schema>(model::Schema{
      {{"country", {.id = TypeId::kText}}, {"region", {.id = TypeId::kText}}, {"people", {.id = TypeId::kBigint}}}});
}

std::string rows(std::string_view text, const CsvLimits& limits = {}) {
  auto schema = countries();
  model::BatchBuilder builder(schema);
  auto count = read_csv(text, "c.csv", *schema, builder, limits);
  size_t built = builder.rows();
  if (!count) {
    EXPECT_EQ(built, 0u);
    return "! " + count.error().message;
  }
  EXPECT_EQ(*count, built);
  model::ColumnBatch batch = std::move(builder).finish();
  std::string out;
  for (size_t row = 0; row < batch.rows; ++row) append_row_json(out, batch, row);
  return out;
}

TEST(Csv, ReadsRows) {
  struct {
    std::string_view text, expected;
  } cases[] = {
      {"country,region,people\nAT,Europe,9\n", R"({"country":"AT","region":"Europe","people":9})"},
      {"People,COUNTRY\r\n9,AT\r\n8,CH", R"({"country":"AT","region":null,"people":9}{"country":"CH","region":null,"people":8})"},
      {"\xef\xbb\xbf"
       "country\nAT\n",
       R"({"country":"AT","region":null,"people":null})"},
      {"country,region\n\"a,b\",\"say \"\"hi\"\"\"\n", R"({"country":"a,b","region":"say \"hi\"","people":null})"},
      {"country,region\n\"two\r\nlines\",x\n", R"({"country":"two\r\nlines","region":"x","people":null})"},
      {"country,region\n,\"\"\n", R"({"country":null,"region":"","people":null})"},
      {"country,region\n\n\r\nA,B\n\n", R"({"country":"A","region":"B","people":null})"},
      {"country,region\n a , b \n", R"({"country":" a ","region":" b ","people":null})"},
      {"country\n", ""},
      {"\"country\"", ""},
  };
  for (const auto& c : cases) EXPECT_EQ(rows(c.text), c.expected) << c.text;
}

TEST(Csv, SaysWhereItIsWrong) {
  EXPECT_EQ(rows(""), "! c.csv:1: the header line is missing");
  EXPECT_EQ(rows("country,town\n"), "! c.csv:1: column 'town' does not exist");
  EXPECT_EQ(rows("country,Country\n"), "! c.csv:1: column 'Country' stands twice in the header");
  EXPECT_EQ(rows("country,people\nA,1\n\"B\nB\",1\nC,x\n"), "! c.csv:5: column 'people': expected bigint, got \"x\"");
  EXPECT_EQ(rows("country,people\nA\n"), "! c.csv:2: 1 fields, but the header has 2");
  EXPECT_EQ(rows("country\nA,B\n"), "! c.csv:2: 2 fields, but the header has 1");
  EXPECT_EQ(rows("country\n\n\"open\n"), "! c.csv:3: a quote is not closed");
  EXPECT_EQ(rows("country\n\"a\"b\n"), "! c.csv:2: a comma or the end of the line is expected behind a quoted field");
  EXPECT_EQ(rows("country\na\"b\n"), "! c.csv:2: a quote inside a field without quotes");
  EXPECT_EQ(rows("country\na\rb\n"), "! c.csv:2: a carriage return without a line feed");
  EXPECT_EQ(rows("country\n\xff\n"), "! c.csv: the file is not UTF-8");
}

TEST(Csv, KeepsItsLimits) {
  EXPECT_EQ(rows("country\nabcd\n", {.field_bytes_max = 3}), "! c.csv:1: a field of more than 3 bytes");
  EXPECT_EQ(rows("country\nabcd\n", {.field_bytes_max = 7}), R"({"country":"abcd","region":null,"people":null})");
  EXPECT_EQ(rows("country\n\"a\"\"bcdefg\"\n", {.field_bytes_max = 7}), "! c.csv:2: a field of more than 7 bytes");
  EXPECT_EQ(rows("country,region\n", {.columns_max = 1}), "! c.csv:1: more than 1 fields");
  EXPECT_EQ(rows("country\na\nb\n", {.rows_max = 1}), "! c.csv:3: more than 1 rows");
}

TEST(Csv, KeepsTheRowsThatWereThere) {
  auto schema = countries();
  model::BatchBuilder builder(schema);
  ASSERT_TRUE(read_csv("country\nA\n", "a.csv", *schema, builder));
  ASSERT_FALSE(read_csv("country,people\nB,1\nC,x\n", "b.csv", *schema, builder));
  EXPECT_EQ(builder.rows(), 1u);
  for (size_t i = 0; i < builder.column_count(); ++i) EXPECT_EQ(builder.column(i).size(), 1u);
}

}  // namespace
}  // namespace millrace::format
