#include "format/json_write.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

#include "base/uuid.h"
#include "format/temporal.h"
#include "model/column_builder.h"

namespace millrace::format {
namespace {

using model::ColumnBuilder;
using model::Type;
using model::TypeId;

struct WriteCase {
  Type type;
  std::function<void(ColumnBuilder&)> fill;
  std::string_view json;
  std::string_view text;
};

template <class T>
std::function<void(ColumnBuilder&)> put(T v) {
  return [v](ColumnBuilder& column) { column.append(v); };
}
std::function<void(ColumnBuilder&)> put_text(std::string v) {
  return [v](ColumnBuilder& column) { column.append_text(v); };
}
Type of(TypeId id) { return {.id = id}; }

TEST(JsonWrite, WritesEveryType) {
  const double inf = std::numeric_limits<double>::infinity();
  const WriteCase cases[] = {
      {of(TypeId::kBigint), [](ColumnBuilder& column) { column.append_null(); }, "null", "NULL"},
      {of(TypeId::kBoolean), put(uint8_t{1}), "true", "true"},
      {of(TypeId::kTinyint), put(int8_t{-128}), "-128", "-128"},
      {of(TypeId::kBigint), put(int64_t{9007199254740992}), "9007199254740992", "9007199254740992"},
      {of(TypeId::kBigint), put(int64_t{9007199254740993}), "\"9007199254740993\"", "9007199254740993"},
      {of(TypeId::kBigint), put(std::numeric_limits<int64_t>::min()), "\"-9223372036854775808\"", "-9223372036854775808"},
      {of(TypeId::kUbigint), put(std::numeric_limits<uint64_t>::max()), "\"18446744073709551615\"", "18446744073709551615"},
      {of(TypeId::kHugeint), put(model::to_int128(7)), "7", "7"},
      {of(TypeId::kHugeint), put(model::Int128{0, std::numeric_limits<int64_t>::min()}),
       "\"-170141183460469231731687303715884105728\"", "-170141183460469231731687303715884105728"},
      {{.id = TypeId::kDecimal, .width = 4, .scale = 2}, put(int16_t{-5}), "\"-0.05\"", "-0.05"},
      {{.id = TypeId::kDecimal, .width = 9, .scale = 0}, put(int32_t{120}), "\"120\"", "120"},
      {{.id = TypeId::kDecimal, .width = 18, .scale = 3}, put(int64_t{1500}), "\"1.500\"", "1.500"},
      {{.id = TypeId::kDecimal, .width = 38, .scale = 38},
       put(model::to_int128(1)),
       "\"0.00000000000000000000000000000000000001\"",
       "0.00000000000000000000000000000000000001"},
      {of(TypeId::kDouble), put(1.0), "1.0", "1.0"},
      {of(TypeId::kDouble), put(0.1), "0.1", "0.1"},
      {of(TypeId::kDouble), put(1e22), "1e+22", "1e+22"},
      {of(TypeId::kDouble), put(-0.0), "-0.0", "-0.0"},
      {of(TypeId::kDouble), put(std::nan("")), "\"NaN\"", "NaN"},
      {of(TypeId::kDouble), put(-inf), "\"-Infinity\"", "-Infinity"},
      {of(TypeId::kFloat), put(0.1f), "0.1", "0.1"},
      {of(TypeId::kText), put_text("a\"b\\c\n\x01\x7f\xc3\xa4"), "\"a\\\"b\\\\c\\n\\u0001\\u007f\xc3\xa4\"",
       "a\"b\\c\\n\\u0001\\u007f\xc3\xa4"},
      {of(TypeId::kText), put_text("\xffx\xc3"), "\"\xef\xbf\xbdx\xef\xbf\xbd\"", "\xef\xbf\xbdx\xef\xbf\xbd"},
      {of(TypeId::kBlob), put_text(std::string("\0\xAA'a", 4)), "\"AKonYQ==\"", "\\x00\\xAA\\x27a"},
      {of(TypeId::kUuid), put(model::uuid_to_element(*parse_uuid("00112233-4455-6677-8899-aabbccddeeff"))),
       "\"00112233-4455-6677-8899-aabbccddeeff\"", "00112233-4455-6677-8899-aabbccddeeff"},
      {of(TypeId::kDate), put(int32_t{-1}), "\"1969-12-31\"", "1969-12-31"},
      {of(TypeId::kDate), put(kDateInfinity), "\"infinity\"", "infinity"},
      {of(TypeId::kDate), put(int32_t{-800'000}), "\"-0221-09-04\"", "-0221-09-04"},
      {of(TypeId::kTime), put(int64_t{3'600'000'000 + 1500}), "\"01:00:00.001500\"", "01:00:00.001500"},
      {of(TypeId::kTimestamp), put(int64_t{-1}), "\"1969-12-31T23:59:59.999999\"", "1969-12-31 23:59:59.999999"},
      {of(TypeId::kTimestampTz), put(int64_t{1'500'000}), "\"1970-01-01T00:00:01.500Z\"", "1970-01-01 00:00:01.500+00"},
      {of(TypeId::kTimestampTz), put(-kTimestampInfinity), "\"-infinity\"", "-infinity"},
      {of(TypeId::kTimestamp), put(std::numeric_limits<int64_t>::min()), "\"-290308-12-21T19:59:05.224192\"",
       "-290308-12-21 19:59:05.224192"},
      {of(TypeId::kInterval), put(model::IntervalElement{14, 3, 14'706'789'000}), "\"1 year 2 months 3 days 04:05:06.789\"",
       "1 year 2 months 3 days 04:05:06.789"},
      {of(TypeId::kInterval), put(model::IntervalElement{-1, 1, -1'000'000}), "\"-1 month 1 day -00:00:01\"",
       "-1 month 1 day -00:00:01"},
      {of(TypeId::kInterval), put(model::IntervalElement{}), "\"00:00:00\"", "00:00:00"},
  };
  for (const WriteCase& c : cases) {
    model::Arena arena;
    ColumnBuilder column(c.type, arena);
    c.fill(column);
    std::string json, text;
    append_value_json(json, column.view(), 0);
    append_value_text(text, column.view(), 0);
    EXPECT_EQ(json, c.json) << model::to_sql(c.type);
    EXPECT_EQ(text, c.text) << model::to_sql(c.type);
  }
}

TEST(JsonWrite, WritesRowsWithNesting) {
  Type items{.id = TypeId::kList, .fields = {{"element", of(TypeId::kText)}}};
  auto schema = std::make_shared<model::Schema>(
      model::Schema{{{"a \"b\"", of(TypeId::kInteger)}, {"s", {.id = TypeId::kStruct, .fields = {{"items", items}}}}}});
  model::BatchBuilder builder(schema);
  builder.column(0).append(int32_t{1});
  builder.column(1).child().child().append_text("x'y");
  builder.column(1).child().child().append_null();
  builder.column(1).child().finish_list(2);
  builder.column(1).finish_struct();
  builder.column(0).append_null();
  builder.column(1).append_null();
  model::ColumnBatch batch = std::move(builder).finish();
  std::string out;
  append_row_json(out, batch, 0);
  append_row_json(out, batch, 1);
  EXPECT_EQ(out, R"({"a \"b\"":1,"s":{"items":["x'y",null]}}{"a \"b\"":null,"s":null})");
  std::string text;
  append_value_text(text, batch.columns[1], 0);
  EXPECT_EQ(text, "{'items': ['x'y', NULL]}");
}

}  // namespace
}  // namespace millrace::format
