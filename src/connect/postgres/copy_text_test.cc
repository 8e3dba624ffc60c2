#include "connect/postgres/copy_text.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>

#include "base/uuid.h"
#include "format/text.h"
#include "model/column_builder.h"

namespace millrace::connect::postgres {
namespace {

using model::Type;
using model::TypeId;

/// What COPY gets for a value that is written as format/text.h reads it.
std::string copied(const Type& type, const std::string& text) {
  auto schema = std::make_shared<model::Schema>(model::Schema{{{"v", type}}});
  model::BatchBuilder builder(schema);
  Status read = format::append_text_as(builder.column(0), text);
  if (!read) return read.error().message;
  model::ColumnBatch batch = std::move(builder).finish();
  std::string out;
  append_copy_value(out, batch.columns[0], 0);
  return out;
}
template <class T>
std::string copied_element(TypeId id, T element) {
  auto schema = std::make_shared<model::Schema>(model::Schema{{{"v", {.id = id}}}});
  model::BatchBuilder builder(schema);
  builder.column(0).append(element);
  model::ColumnBatch batch = std::move(builder).finish();
  std::string out;
  append_copy_value(out, batch.columns[0], 0);
  return out;
}
Type list_of(Type element) { return {.id = TypeId::kList, .fields = {{"element", std::move(element)}}}; }

TEST(CopyText, numbers) {
  EXPECT_EQ(copied({.id = TypeId::kBoolean}, "true"), "t");
  EXPECT_EQ(copied({.id = TypeId::kTinyint}, "-128"), "-128");
  EXPECT_EQ(copied({.id = TypeId::kUtinyint}, "255"), "255");
  EXPECT_EQ(copied({.id = TypeId::kBigint}, "-9223372036854775808"), "-9223372036854775808");
  EXPECT_EQ(copied({.id = TypeId::kUbigint}, "18446744073709551615"), "18446744073709551615");
  EXPECT_EQ(copied({.id = TypeId::kHugeint}, "-170141183460469231731687303715884105728"),
            "-170141183460469231731687303715884105728");
  EXPECT_EQ(copied({.id = TypeId::kHugeint}, "0"), "0");
  EXPECT_EQ(copied({.id = TypeId::kDecimal, .width = 4, .scale = 2}, "-0.05"), "-0.05");
  EXPECT_EQ(copied({.id = TypeId::kDecimal, .width = 38, .scale = 0}, "-7"), "-7");
  EXPECT_EQ(copied({.id = TypeId::kDecimal, .width = 38, .scale = 38}, "0.1"), "0.10000000000000000000000000000000000000");
  EXPECT_EQ(copied({.id = TypeId::kDouble}, "1e308"), "1e+308");
  EXPECT_EQ(copied({.id = TypeId::kFloat}, "-inf"), "-Infinity");
  EXPECT_EQ(copied({.id = TypeId::kDouble}, "nan"), "NaN");
}

TEST(CopyText, times) {
  EXPECT_EQ(copied({.id = TypeId::kDate}, "2026-01-31"), "2026-01-31");
  EXPECT_EQ(copied({.id = TypeId::kDate}, "infinity"), "infinity");
  EXPECT_EQ(copied({.id = TypeId::kDate}, "-infinity"), "-infinity");
  EXPECT_EQ(copied_element<int32_t>(TypeId::kDate, -719529), "0002-12-31 BC");
  EXPECT_EQ(copied_element<int32_t>(TypeId::kDate, 2932897), "10000-01-01");
  EXPECT_EQ(copied({.id = TypeId::kTime}, "24:00:00"), "24:00:00");
  EXPECT_EQ(copied({.id = TypeId::kTimestamp}, "2026-01-31 08:00:00.000001"), "2026-01-31 08:00:00.000001");
  EXPECT_EQ(copied({.id = TypeId::kTimestampTz}, "2026-01-31T08:00:00+02:00"), "2026-01-31 06:00:00+00");
  EXPECT_EQ(copied({.id = TypeId::kTimestampTz}, "infinity"), "infinity");
  EXPECT_EQ(copied_element(TypeId::kTimestampTz, int64_t{-62167219200} * 1'000'000), "0001-01-01 00:00:00+00 BC");
  EXPECT_EQ(copied_element(TypeId::kInterval, model::IntervalElement{-14, 3, -3'723'000'004}),
            "-14 mons 3 days -01:02:03.000004");
}

TEST(CopyText, text_and_bytes) {
  EXPECT_EQ(copied({.id = TypeId::kText}, "Zürich \\N\t\n\r\\."), "Zürich \\\\N\\t\\n\\r\\\\.");
  EXPECT_EQ(copied({.id = TypeId::kText}, ""), "");
  EXPECT_EQ(copied({.id = TypeId::kBlob}, "a\\x00\\xFF"), "\\\\x6100ff");
  EXPECT_EQ(copied({.id = TypeId::kUuid}, "00112233-4455-6677-8899-AABBCCDDEEFF"), "00112233-4455-6677-8899-aabbccddeeff");
}

TEST(CopyText, nested) {
  Type text{.id = TypeId::kText}, integer{.id = TypeId::kInteger};
  EXPECT_EQ(copied(list_of(integer), "[1,null,-3]"), R"({"1",NULL,"-3"})");
  EXPECT_EQ(copied(list_of(integer), "[]"), "{}");
  EXPECT_EQ(copied(list_of(text), R"(["a\"b","c\\d","NULL","","{,}"])"), R"({"a\\"b","c\\\\d","NULL","","{,}"})");
  EXPECT_EQ(copied(list_of(list_of(integer)), "[[1],[2,3],[]]"), "[[1],[2,3],[]]");
  Type person{.id = TypeId::kStruct, .fields = {{"name", text}, {"age", integer}}};
  EXPECT_EQ(copied(person, R"({"name":"a\tb","age":null})"), R"({"name":"a\\tb","age":null})");
}

TEST(CopyText, a_null_of_every_kind) {
  for (const Type& type : {Type{.id = TypeId::kText}, Type{.id = TypeId::kUuid}, list_of({.id = TypeId::kText})}) {
    auto schema = std::make_shared<model::Schema>(model::Schema{{{"v", type}}});
    model::BatchBuilder builder(schema);
    builder.column(0).append_null();
    model::ColumnBatch batch = std::move(builder).finish();
    std::string out;
    append_copy_value(out, batch.columns[0], 0);
    EXPECT_EQ(out, "\\N");
  }
}

}  // namespace
}  // namespace millrace::connect::postgres
