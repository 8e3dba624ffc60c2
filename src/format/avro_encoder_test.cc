#include "format/avro_encoder.h"

#include <gtest/gtest.h>

#include "base/bytes.h"
#include "format/avro_decoder.h"
#include "format/json_columns.h"
#include "format/json_write.h"

namespace millrace::format {
namespace {

using model::Field;
using model::Type;
using model::TypeId;

using Columns = std::shared_ptr<const model::Schema>;

Columns columns_of(std::vector<Field> fields) { return std::make_shared<model::Schema>(model::Schema{std::move(fields)}); }

/// Rows from JSON.
model::ColumnBatch rows_of(const Columns& columns, const std::vector<std::string>& json) {
  auto decoder = JsonDecoder::make(columns);
  model::BatchBuilder rows(columns);
  auto kept = std::make_shared<std::vector<std::string>>(json);
  for (std::string& text : *kept) EXPECT_TRUE(decoder->append(text, rows)) << text;
  rows.keep(kept);
  return std::move(rows).finish();
}

/// The bytes in hexadecimal, or the error.
std::string written(std::string_view schema, const Columns& columns, const std::string& json) {
  auto parsed = AvroSchema::parse(schema);
  EXPECT_TRUE(parsed) << parsed.error().message;
  auto encoder = AvroEncoder::make(*parsed, columns);
  if (!encoder) return encoder.error().message;
  std::string out = "before";
  Status done = encoder->append(out, rows_of(columns, {json}), 0);
  EXPECT_TRUE(out.starts_with("before"));
  EXPECT_TRUE(done || out == "before");
  return done ? to_hex(out.substr(6)) : done.error().message;
}

TEST(AvroEncoder, a_derived_schema_names_every_type) {
  auto schema = derive_avro_schema({{{"i", {TypeId::kSmallint}},
                                     {"p", {TypeId::kDecimal, 9, 2, {}}},
                                     {"l", {TypeId::kList, 0, 0, {{"element", {TypeId::kUuid}}}}},
                                     {"s", {TypeId::kStruct, 0, 0, {{"t", {TypeId::kTimestampTz}}}}}}},
                                   "millrace.users");
  ASSERT_TRUE(schema);
  EXPECT_EQ(
      *schema,
      R"({"type":"record","name":"millrace.users","fields":[{"name":"i","type":["null","int"],"default":null},)"
      R"({"name":"p","type":["null",{"type":"bytes","logicalType":"decimal","precision":9,"scale":2}],"default":null},)"
      R"({"name":"l","type":["null",{"type":"array","items":["null",{"type":"string","logicalType":"uuid"}]}],"default":null},)"
      R"({"name":"s","type":["null",{"type":"record","name":"millrace.users_s","fields":[)"
      R"({"name":"t","type":["null",{"type":"long","logicalType":"timestamp-micros"}],"default":null}]}],"default":null}]})");
}

TEST(AvroEncoder, columns_without_an_avro_name_or_type_are_refused) {
  auto refused = [](Field field) { return derive_avro_schema({{std::move(field)}}, "r").error().message; };
  EXPECT_EQ(refused({"count(*)", {TypeId::kBigint}}), "the column 'count(*)' has no name that Avro allows");
  EXPECT_EQ(refused({"s", {TypeId::kStruct, 0, 0, {{"i", {TypeId::kInterval}}}}}),
            "the column 's_i' is of type interval, which Avro lacks");
  EXPECT_EQ(make_avro_name("2nd-users.v1"), "_2nd_users_v1");
}

TEST(AvroEncoder, what_it_writes_reads_back) {
  Type place{TypeId::kStruct, 0, 0, {{"city", {TypeId::kText}}, {"at", {TypeId::kList, 0, 0, {{"element", {TypeId::kDouble}}}}}}};
  Columns columns = columns_of({{"b", {TypeId::kBoolean}},
                                {"i1", {TypeId::kTinyint}},
                                {"i2", {TypeId::kSmallint}},
                                {"i4", {TypeId::kInteger}},
                                {"i8", {TypeId::kBigint}},
                                {"i16", {TypeId::kHugeint}},
                                {"u1", {TypeId::kUtinyint}},
                                {"u2", {TypeId::kUsmallint}},
                                {"u4", {TypeId::kUinteger}},
                                {"u8", {TypeId::kUbigint}},
                                {"f", {TypeId::kFloat}},
                                {"d", {TypeId::kDouble}},
                                {"n", {TypeId::kDecimal, 38, 4, {}}},
                                {"n2", {TypeId::kDecimal, 4, 1, {}}},
                                {"t", {TypeId::kText}},
                                {"o", {TypeId::kBlob}},
                                {"u", {TypeId::kUuid}},
                                {"day", {TypeId::kDate}},
                                {"time", {TypeId::kTime}},
                                {"ts", {TypeId::kTimestamp}},
                                {"tz", {TypeId::kTimestampTz}},
                                {"places", {TypeId::kList, 0, 0, {{"element", place}}}},
                                {"place", place}});
  model::ColumnBatch batch = rows_of(
      columns,
      {
          R"({"b":true,"i1":-128,"i2":-32768,"i4":-2147483648,"i8":-9223372036854775808,"i16":"-170141183460469231731687303715884105728",
          "u1":255,"u2":65535,"u4":4294967295,"u8":18446744073709551615,"f":-0.5,"d":1e300,"n":"-1234567890123456789012345678901234.5678",
          "n2":12.8,"t":"Zürich, a longer text","o":"AP8=","u":"12345678-1234-5678-1234-567812345678","day":"0001-01-01",
          "time":"23:59:59.000001","ts":"1969-12-31T23:59:59.999999","tz":"2026-01-31T08:00:00Z",
          "places":[{"city":"Bern","at":[1.5,null]},null],"place":{"city":null,"at":[]}})",
          R"({})", R"({"i16":128,"n2":-12.8,"n":0,"u8":0,"t":"","o":"","places":[],"place":{}})"});
  auto text = derive_avro_schema(*columns, "r");
  ASSERT_TRUE(text) << text.error().message;
  auto schema = AvroSchema::parse(*text);
  ASSERT_TRUE(schema) << schema.error().message;
  auto encoder = AvroEncoder::make(*schema, columns);
  ASSERT_TRUE(encoder) << encoder.error().message;
  auto decoder = AvroDecoder::make(*schema, columns);
  model::BatchBuilder back(columns);
  std::vector<std::string> values(batch.rows);
  for (size_t row = 0; row < batch.rows; ++row) {
    ASSERT_TRUE(encoder->append(values[row], batch, row));
    Status read = decoder->append(values[row], back);
    ASSERT_TRUE(read) << read.error().message;
  }
  model::ColumnBatch again = std::move(back).finish();
  for (size_t row = 0; row < batch.rows; ++row) {
    std::string before, after;
    append_row_json(before, batch, row);
    append_row_json(after, again, row);
    EXPECT_EQ(before, after);
  }
}

TEST(AvroEncoder, a_registered_schema_is_written_by) {
  // Golden bytes: fastavro 1.13.
  constexpr std::string_view kSchema = R"({"type":"record","name":"R","fields":[
    {"name":"id","type":"long"},{"name":"kind","type":{"type":"enum","name":"K","symbols":["A","B"]}},
    {"name":"price","type":{"type":"fixed","name":"P","size":4,"logicalType":"decimal","precision":9,"scale":2}},
    {"name":"at","type":["null",{"type":"long","logicalType":"timestamp-millis"}]},
    {"name":"note","type":"string","default":"née"},{"name":"tags","type":{"type":"map","values":"int"},"default":{"a":1}},
    {"name":"raw","type":"bytes","default":"\u00ff\u0000"},{"name":"opt","type":["null","string"],"default":null}]})";
  Columns columns = columns_of({{"kind", {TypeId::kText}},
                                {"id", {TypeId::kInteger}},
                                {"price", {TypeId::kDecimal, 6, 2, {}}},
                                {"at", {TypeId::kTimestampTz}}});
  EXPECT_EQ(written(kSchema, columns, R"({"id":7,"kind":"B","price":"-1.50","at":"2026-01-31T08:00:00.25Z"})"),
            "0e02ffffff6a02f49387b18267086ec3a965020261020004ff0000");
  EXPECT_EQ(written(kSchema, columns, R"({"kind":"B","price":1})"), "field id: NULL, which the Avro schema does not allow");
  EXPECT_EQ(written(kSchema, columns, R"({"id":1,"kind":"C","price":1})"), "field kind: \"C\" is not a symbol of the enum K");
}

TEST(AvroEncoder, misfits_of_a_registered_schema_are_named) {
  auto record = [](std::string_view type) {
    return R"({"type":"record","name":"R","fields":[{"name":"x","type":)" + std::string(type) + "}]}";
  };
  auto error = [&](std::string_view type, Type column) { return written(record(type), columns_of({{"x", column}}), "{}"); };
  EXPECT_EQ(error("\"int\"", {TypeId::kText}), "column x: text cannot be written as int");
  EXPECT_EQ(error("[\"null\",\"float\"]", {TypeId::kDouble}), "column x: double cannot be written as float");
  EXPECT_EQ(error("\"null\"", {TypeId::kText}), "column x: text cannot be written as null");
  EXPECT_EQ(error("[\"null\"]", {TypeId::kText}), "column x: the Avro schema allows nothing but null");
  EXPECT_EQ(written(record("\"int\""), columns_of({{"y", {TypeId::kInteger}}}), "{}"),
            "column x: the Avro schema wants it, and has no default for it");
  EXPECT_EQ(written(record("\"int\""), columns_of({{"x", {TypeId::kInteger}}, {"y", {TypeId::kInteger}}}), "{}"),
            "column y: the Avro schema has no such field");
  EXPECT_EQ(written(R"("string")", columns_of({{"x", {TypeId::kText}}}), "{}"), "the Avro schema is string, not a record");
  EXPECT_EQ(written(record("\"int\""), columns_of({{"x", {TypeId::kBigint}}}), R"({"x":2147483648})"),
            "field x: 2147483648 is out of range for int");
  EXPECT_EQ(written(record(R"({"type":"fixed","name":"F","size":2})"), columns_of({{"x", {TypeId::kBlob}}}), R"({"x":"AAAA"})"),
            "field x: 3 bytes, where the Avro schema has 2");
}

TEST(AvroEncoder, defaults_that_multiply_are_refused) {
  std::string schema = R"({"type":"record","name":"R0","fields":[]})";
  std::vector<std::string> texts = {schema};
  for (int i = 1; i <= 40; ++i) {
    std::string below = "\"R" + std::to_string(i - 1) + "\"";
    texts.push_back(R"({"type":"record","name":"R)" + std::to_string(i) + R"(","fields":[{"name":"a","default":{},"type":)" +
                    below + R"(},{"name":"b","default":{},"type":)" + below + "}]}");
  }
  auto parsed = AvroSchema::parse(texts.back(), std::span(texts).first(texts.size() - 1));
  ASSERT_TRUE(parsed) << parsed.error().message;
  auto encoder = AvroEncoder::make(*parsed, columns_of({}));
  ASSERT_FALSE(encoder);
  EXPECT_EQ(encoder.error().message, "column a: its default in the Avro schema is no record, or too large");
}

}  // namespace
}  // namespace millrace::format
