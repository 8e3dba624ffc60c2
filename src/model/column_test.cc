#include <gtest/gtest.h>

#include "model/select.h"

namespace millrace::model {
namespace {

std::shared_ptr<const Schema> people() {
  Type list{TypeId::kList, 0, 0, {{"element", {TypeId::kText}}}};
  Type name{TypeId::kStruct, 0, 0, {{"first", {TypeId::kText}}, {"tags", list}}};
  return std::make_shared<Schema>(Schema{{{"id", {TypeId::kBigint}}, {"name", name}}});
}

void append_person(BatchBuilder& builder, int64_t id, std::string_view first, std::vector<std::string_view> tags) {
  builder.column(0).append(id);
  builder.column(1).child(0).append_text(first);
  for (std::string_view tag : tags) builder.column(1).child(1).child().append_text(tag);
  builder.column(1).child(1).finish_list(tags.size());
  builder.column(1).finish_struct();
}

TEST(ColumnBuilder, HoldsNestedRowsAndNulls) {
  BatchBuilder builder(people());
  append_person(builder, 1, "Ada", {"a", "a text longer than twelve bytes"});
  builder.column(0).append_null();
  builder.column(1).append_null();
  append_person(builder, 3, "a first name longer than twelve", {});
  ColumnBatch batch = std::move(builder).finish();

  ASSERT_EQ(batch.rows, 3u);
  EXPECT_EQ(batch.columns[0].at<int64_t>(0), 1);
  EXPECT_TRUE(batch.columns[0].is_null(1));
  EXPECT_TRUE(batch.columns[1].is_null(1));
  EXPECT_TRUE(batch.columns[1].children[0].is_null(1)) << "a NULL struct has NULL children";
  EXPECT_FALSE(batch.columns[1].is_null(2));
  EXPECT_EQ(batch.columns[1].children[0].text(2), "a first name longer than twelve");
  const Column& tags = batch.columns[1].children[1];
  EXPECT_EQ(tags.at<ListEntry>(0).length, 2u);
  EXPECT_EQ(tags.children[0].text(1), "a text longer than twelve bytes");
  EXPECT_EQ(tags.at<ListEntry>(2).length, 0u);
}

TEST(ColumnBuilder, TruncateDropsAHalfBuiltRow) {
  BatchBuilder builder(people());
  append_person(builder, 1, "Ada", {"x"});
  builder.column(0).append(int64_t{2});
  builder.column(1).child(0).append_text("Bob");
  builder.column(1).child(1).child().append_text("half");
  builder.truncate(1);
  append_person(builder, 3, "Cyd", {"y", "z"});
  ColumnBatch batch = std::move(builder).finish();

  ASSERT_EQ(batch.rows, 2u);
  EXPECT_EQ(batch.columns[1].children[0].text(1), "Cyd");
  const Column& tags = batch.columns[1].children[1];
  ListEntry entry = tags.at<ListEntry>(1);
  EXPECT_EQ(entry.length, 2u);
  EXPECT_EQ(tags.children[0].text(entry.offset), "y");
}

TEST(ColumnBuilder, NullMaskGrowsWithTheColumn) {
  Schema schema{{{"n", {TypeId::kInteger}}}};
  BatchBuilder builder(std::make_shared<Schema>(schema));
  for (int32_t i = 0; i < 1000; ++i) {
    if (i % 7 == 3) {
      builder.column(0).append_null();
    } else {
      builder.column(0).append(i);
    }
  }
  ColumnBatch batch = std::move(builder).finish();
  for (int32_t i = 0; i < 1000; ++i) {
    ASSERT_EQ(batch.columns[0].is_null(i), i % 7 == 3) << i;
    if (i % 7 != 3) {
      ASSERT_EQ(batch.columns[0].at<int32_t>(i), i);
    }
  }
}

TEST(SelectRows, KeepsOrderAndNesting) {
  BatchBuilder builder(people());
  append_person(builder, 1, "Ada", {"a"});
  append_person(builder, 2, "Bob", {});
  append_person(builder, 3, "Cyd", {"c", "cc"});
  ColumnBatch batch = std::move(builder).finish();
  std::vector<uint32_t> rows = {2, 0};
  ColumnBatch picked = select_rows(batch, rows);
  batch = {};

  ASSERT_EQ(picked.rows, 2u);
  EXPECT_EQ(picked.columns[0].at<int64_t>(0), 3);
  EXPECT_EQ(picked.columns[1].children[0].text(1), "Ada");
  ListEntry entry = picked.columns[1].children[1].at<ListEntry>(0);
  EXPECT_EQ(entry.length, 2u);
  EXPECT_EQ(picked.columns[1].children[1].children[0].text(entry.offset + 1), "cc");
}

TEST(Uuid, ElementsSortAsTheirText) {
  Uuid low = *parse_uuid("00000000-0000-4000-8000-000000000001");
  Uuid high = *parse_uuid("ffffffff-0000-4000-8000-000000000001");
  EXPECT_LT(from_int128(uuid_to_element(low)), from_int128(uuid_to_element(high)));
  EXPECT_EQ(uuid_from_element(uuid_to_element(high)), high);
}

TEST(SchemaCodec, RoundTripsAndRefusesRubbish) {
  Schema schema = *people();
  std::string bytes = encode_schema(schema);
  EXPECT_EQ(decode_schema(bytes), schema);
  for (size_t cut = 0; cut < bytes.size(); ++cut) EXPECT_FALSE(decode_schema(bytes.substr(0, cut))) << cut;
  EXPECT_FALSE(decode_schema(bytes + "x"));
}

}  // namespace
}  // namespace millrace::model
