#include "format/avro_decoder.h"

#include <gtest/gtest.h>

#include "base/bytes.h"
#include "format/json_write.h"

namespace millrace::format {
namespace {

using model::Field;
using model::Type;
using model::TypeId;

// Golden bytes: made with fastavro 1.13 from these schemas.
constexpr std::string_view kPeople = R"({"type":"record","name":"People","namespace":"com.acme","fields":[
  {"name":"flag","type":"boolean"},{"name":"n","type":"int"},{"name":"big","type":"long"},{"name":"f","type":"float"},
  {"name":"d","type":"double"},{"name":"name","type":"string"},{"name":"raw","type":"bytes"},
  {"name":"four","type":{"type":"fixed","name":"Four","size":4}},
  {"name":"color","type":{"type":"enum","name":"Color","symbols":["RED","GREEN"]}},
  {"name":"price","type":{"type":"bytes","logicalType":"decimal","precision":10,"scale":2}},
  {"name":"debt","type":{"type":"fixed","name":"Debt","size":8,"logicalType":"decimal","precision":18,"scale":3}},
  {"name":"id","type":{"type":"string","logicalType":"uuid"}},
  {"name":"born","type":{"type":"int","logicalType":"date"}},
  {"name":"at_ms","type":{"type":"int","logicalType":"time-millis"}},
  {"name":"at_us","type":{"type":"long","logicalType":"time-micros"}},
  {"name":"ts_ms","type":{"type":"long","logicalType":"timestamp-millis"}},
  {"name":"ts_us","type":{"type":"long","logicalType":"timestamp-micros"}},
  {"name":"local","type":{"type":"long","logicalType":"local-timestamp-micros"}},
  {"name":"maybe","type":["null","string"],"default":null},{"name":"other","type":["null","long"]},
  {"name":"tags","type":{"type":"array","items":"string"}},{"name":"props","type":{"type":"map","values":"long"}},
  {"name":"place","type":{"type":"record","name":"Place","fields":[{"name":"city","type":"string"},
    {"name":"zip","type":["int","string"]}]}}]})";
constexpr std::string_view kPerson =
    "010d8080808080400000c03f00000000000002c00e5ac3bc726963680400ff616263640204fb1e00000000000004d24831323334353637382d313233342d"
    "353637382d313233342d35363738313233343536373801b8e7bb1bfeffbadd8305f49387b18267018080d59fcfeaa40600020a040261000002026b010008"
    "4265726e020833303030";

Type list_of(Type element) { return {TypeId::kList, 0, 0, {{"element", std::move(element)}}}; }
Type decimal(uint8_t width, uint8_t scale) { return {TypeId::kDecimal, width, scale, {}}; }

struct Bed {
  Bed(std::string_view schema, std::vector<Field> fields)
      : columns(std::make_shared<model::Schema>(model::Schema{std::move(fields)})), rows(columns) {
    auto parsed = AvroSchema::parse(schema);
    EXPECT_TRUE(parsed) << parsed.error().message;
    auto made = AvroDecoder::make(*parsed, columns);
    EXPECT_TRUE(made) << made.error().message;
    decoder = std::make_unique<AvroDecoder>(std::move(*made));
  }
  /// The row as JSON, or the fault's class and message.
  std::string row(std::string_view hex) {
    values.push_back(std::make_unique<std::string>(*from_hex(hex)));
    size_t before = rows.rows();
    Status done = decoder->append(*values.back(), rows);
    EXPECT_EQ(rows.rows(), before + (done ? 1 : 0));
    if (!done) return std::string(decoder->fault()) + ": " + done.error().message;
    model::BatchBuilder fresh(columns);
    std::swap(rows, fresh);
    model::ColumnBatch batch = std::move(fresh).finish();
    std::string out;
    append_row_json(out, batch, batch.rows - 1);
    return out;
  }
  std::shared_ptr<const model::Schema> columns;
  model::BatchBuilder rows;
  std::unique_ptr<AvroDecoder> decoder;
  std::vector<std::unique_ptr<std::string>> values;
};

TEST(AvroDecoder, golden_bytes_fill_columns_of_their_types) {
  Bed bed(kPeople, {{"flag", {TypeId::kBoolean}},
                    {"n", {TypeId::kInteger}},
                    {"big", {TypeId::kBigint}},
                    {"f", {TypeId::kFloat}},
                    {"d", {TypeId::kDouble}},
                    {"name", {TypeId::kText}},
                    {"raw", {TypeId::kBlob}},
                    {"four", {TypeId::kBlob}},
                    {"color", {TypeId::kText}},
                    {"price", decimal(10, 2)},
                    {"debt", decimal(18, 3)},
                    {"id", {TypeId::kUuid}},
                    {"born", {TypeId::kDate}},
                    {"at_ms", {TypeId::kTime}},
                    {"at_us", {TypeId::kTime}},
                    {"ts_ms", {TypeId::kTimestampTz}},
                    {"ts_us", {TypeId::kTimestampTz}},
                    {"local", {TypeId::kTimestamp}},
                    {"maybe", {TypeId::kText}},
                    {"other", {TypeId::kBigint}},
                    {"tags", list_of({TypeId::kText})},
                    {"place", {TypeId::kStruct, 0, 0, {{"zip", {TypeId::kInteger}}, {"land", {TypeId::kText}}}}}});
  EXPECT_EQ(bed.row(kPerson),
            R"({"flag":true,"n":-7,"big":1099511627776,"f":1.5,"d":-2.25,"name":"Zürich","raw":"AP8=","four":"YWJjZA==",)"
            R"("color":"GREEN","price":"-12.50","debt":"1.234","id":"12345678-1234-5678-1234-567812345678","born":"1969-12-31",)"
            R"("at_ms":"08:00:01.500","at_us":"23:59:59.999999","ts_ms":"2026-01-31T08:00:00.250Z",)"
            R"("ts_us":"1969-12-31T23:59:59.999999Z","local":"2026-01-31T08:00:00","maybe":null,"other":5,"tags":["a",""],)"
            R"("place":{"zip":3000,"land":null}})");
}

TEST(AvroDecoder, text_takes_everything) {
  std::vector<Field> fields;
  for (auto name : {"flag", "n", "big", "f", "d", "four", "color", "price", "id", "born", "at_ms", "ts_us", "local", "maybe",
                    "other", "tags", "props", "place"})
    fields.push_back({name, {TypeId::kText}});
  Bed bed(kPeople, fields);
  EXPECT_EQ(bed.row(kPerson),
            R"({"flag":"true","n":"-7","big":"1099511627776","f":"1.5","d":"-2.25","four":"YWJjZA==","color":"GREEN",)"
            R"("price":"-12.50","id":"12345678-1234-5678-1234-567812345678","born":"1969-12-31","at_ms":"08:00:01.500",)"
            R"("ts_us":"1969-12-31T23:59:59.999999Z","local":"2026-01-31T08:00:00","maybe":null,"other":"5",)"
            R"("tags":"[\"a\",\"\"]","props":"{\"k\":-1}","place":"{\"city\":\"Bern\",\"zip\":\"3000\"}"})");
}

TEST(AvroDecoder, numbers_widen_and_are_range_checked) {
  Bed wide(kPeople, {{"n", {TypeId::kHugeint}},
                     {"big", {TypeId::kDouble}},
                     {"f", decimal(4, 1)},
                     {"price", {TypeId::kDouble}},
                     {"debt", decimal(5, 1)},
                     {"other", {TypeId::kFloat}}});
  EXPECT_EQ(wide.row(kPerson), R"({"n":-7,"big":1099511627776.0,"f":"1.5","price":-12.5,"debt":"1.2","other":5.0})");
  EXPECT_EQ(Bed(kPeople, {{"big", {TypeId::kInteger}}}).row(kPerson),
            "out_of_range: field big: expected integer, got long 1099511627776, which is out of range");
  EXPECT_EQ(Bed(kPeople, {{"n", {TypeId::kUtinyint}}}).row(kPerson),
            "out_of_range: field n: expected utinyint, got int -7, which is out of range");
  EXPECT_EQ(Bed(kPeople, {{"price", {TypeId::kInteger}}}).row(kPerson),
            "type_mismatch: field price: expected integer, got decimal -12.50");
}

TEST(AvroDecoder, kinds_that_do_not_fit_are_named_with_their_place) {
  auto fault = [](Field field) { return Bed(kPeople, {std::move(field)}).row(kPerson); };
  EXPECT_EQ(fault({"name", {TypeId::kInteger}}), "type_mismatch: field name: expected integer, got string \"Zürich\"");
  EXPECT_EQ(fault({"f", {TypeId::kBigint}}), "type_mismatch: field f: expected bigint, got float");
  EXPECT_EQ(fault({"ts_ms", {TypeId::kDate}}), "type_mismatch: field ts_ms: expected date, got timestamp-millis");
  EXPECT_EQ(fault({"big", {TypeId::kTimestampTz}}), "type_mismatch: field big: expected timestamp with time zone, got long");
  EXPECT_EQ(fault({"place", list_of({TypeId::kText})}), "type_mismatch: field place: expected list, got record");
  EXPECT_EQ(fault({"tags", list_of({TypeId::kBigint})}), "type_mismatch: field tags[0]: expected bigint, got string \"a\"");
  EXPECT_EQ(fault({"place", {TypeId::kStruct, 0, 0, {{"city", {TypeId::kDate}}}}}),
            "type_mismatch: field place.city: expected date, got string \"Bern\"");
}

TEST(AvroDecoder, an_alias_fills_a_column_that_no_field_is_named_after) {
  constexpr std::string_view kRenamed = R"({"type":"record","name":"R","fields":[
    {"name":"s","type":"string","aliases":["title","i"]},{"name":"i","type":"int"}]})";
  EXPECT_EQ(Bed(kRenamed, {{"title", {TypeId::kText}}, {"i", {TypeId::kText}}, {"I", {TypeId::kText}}}).row("027806"),
            R"({"title":"x","i":"3","I":null})");
}

TEST(AvroDecoder, a_union_of_records_is_the_row_of_its_branch) {
  constexpr std::string_view kEvents = R"(["string",{"type":"record","name":"A","fields":[{"name":"x","type":"int"}]},
    {"type":"record","name":"B","fields":[{"name":"y","type":"string"}]}])";
  Bed bed(kEvents, {{"x", {TypeId::kInteger}}, {"y", {TypeId::kText}}});
  EXPECT_EQ(bed.row("04046869"), R"({"x":null,"y":"hi"})");
  EXPECT_EQ(bed.row("0212"), R"({"x":9,"y":null})");
  EXPECT_EQ(bed.row("00046e6f"), "not_object: expected a record, got string");
  EXPECT_EQ(bed.row("06"), "not_avro: not what the Avro schema says: the bytes end early, or hold what cannot be");
}

TEST(AvroDecoder, a_bare_value_fills_the_only_column) {
  EXPECT_EQ(Bed(R"("string")", {{"key", {TypeId::kText}}}).row("046869"), R"({"key":"hi"})");
  EXPECT_EQ(Bed(R"("long")", {{"key", {TypeId::kInteger}}}).row("06"), R"({"key":3})");
}

TEST(AvroDecoder, types_within_themselves_end_at_the_depth_limit) {
  constexpr std::string_view kTree =
      R"({"type":"record","name":"Tree","fields":[{"name":"v","type":"int"},{"name":"sub","type":{"type":"array","items":"Tree"}}]})";
  EXPECT_EQ(Bed(kTree, {{"v", {TypeId::kInteger}}, {"sub", {TypeId::kText}}}).row("02040400060208000000"),
            R"({"v":1,"sub":"[{\"v\":2,\"sub\":[]},{\"v\":3,\"sub\":[{\"v\":4,\"sub\":[]}]}]"})");
  std::string deep;
  for (int i = 0; i < 100; ++i) deep += "0202";
  deep += "0200" + std::string(200, '0');
  EXPECT_TRUE(Bed(kTree, {{"sub", {TypeId::kText}}}).row(deep).starts_with("too_deep"));
  EXPECT_TRUE(Bed(kTree, {{"v", {TypeId::kInteger}}}).row(deep).starts_with("too_deep"));
  constexpr std::string_view kSelf = R"({"type":"record","name":"Self","fields":[{"name":"s","type":"Self"}]})";
  EXPECT_TRUE(Bed(kSelf, {{"s", {TypeId::kText}}}).row("").starts_with("too_deep"));
}

TEST(AvroDecoder, blocks_with_sizes_are_passed_over_at_once) {
  constexpr std::string_view kTwo =
      R"({"type":"record","name":"R","fields":[{"name":"a","type":{"type":"array","items":"int"}},{"name":"b","type":"int"}]})";
  // A block of 2 items that says to have 3 bytes; what stands in them is no int.
  Bed skips(kTwo, {{"b", {TypeId::kInteger}}});
  EXPECT_EQ(skips.row("0306ffffff0006"), R"({"b":3})");
  Bed reads(kTwo, {{"a", list_of({TypeId::kInteger})}, {"b", {TypeId::kInteger}}});
  EXPECT_EQ(reads.row("03040406020a0006"), R"({"a":[2,3,5],"b":3})");
  EXPECT_TRUE(reads.row("03060406020a0006").starts_with("not_avro")) << "a size that is not true";
  EXPECT_TRUE(skips.row("0306ff").starts_with("not_avro"));
}

TEST(AvroDecoder, counts_and_lengths_that_cannot_be_cost_nothing) {
  constexpr std::string_view kArray =
      R"({"type":"record","name":"R","fields":[{"name":"a","type":{"type":"array","items":"%"}}]})";
  auto of = [&](std::string_view item) { return std::string(kArray).replace(kArray.find('%'), 1, item); };
  const std::string huge = "808080808080808020";  // 2^60
  for (Type type : {list_of({TypeId::kText}), Type{TypeId::kText}, Type{TypeId::kBlob}}) {
    Bed nulls(of("null"), {{type.id == TypeId::kBlob ? "skipped" : "a", type}});
    std::string fault = nulls.row(huge + "00");
    EXPECT_EQ(fault, type.id == TypeId::kBlob ? R"({"skipped":null})" : "too_large: field a: too many values that take no bytes");
    EXPECT_TRUE(Bed(of("string"), {{"a", type}}).row(huge + "00").find("not_avro") == 0 || type.id == TypeId::kBlob);
    EXPECT_TRUE(Bed(of("string"), {{"b", type}}).row(huge + "00").starts_with("not_avro"));
  }
  constexpr std::string_view kText = R"({"type":"record","name":"R","fields":[{"name":"s","type":"string"}]})";
  for (std::string_view bytes :
       {"", "06", "0161", "808080808080808020", "ffffffffffffffffff01", "ffffffffffffffffffff01", "0461"}) {
    EXPECT_TRUE(Bed(kText, {{"s", {TypeId::kText}}}).row(bytes).starts_with("not_avro")) << bytes;
    EXPECT_TRUE(Bed(kText, {{"t", {TypeId::kText}}}).row(bytes).starts_with("not_avro")) << bytes;
  }
  EXPECT_EQ(Bed(kText, {{"s", {TypeId::kText}}}).row("026100"),
            "not_avro: not what the Avro schema says: 1 bytes behind the value's end");
  EXPECT_EQ(Bed(kText, {{"s", {TypeId::kText}}}).row("02ff"), "not_utf8: field s: the string is not UTF-8");
}

TEST(AvroDecoder, every_cut_of_a_record_is_a_fault_that_leaves_no_row) {
  Bed bed(kPeople, {{"name", {TypeId::kText}},
                    {"tags", list_of({TypeId::kText})},
                    {"place", {TypeId::kStruct, 0, 0, {{"city", {TypeId::kText}}, {"zip", {TypeId::kText}}}}}});
  for (size_t size = 0; size < kPerson.size(); size += 2) {
    EXPECT_TRUE(bed.row(kPerson.substr(0, size)).starts_with("not_avro")) << size;
  }
  EXPECT_EQ(bed.row(kPerson), R"({"name":"Zürich","tags":["a",""],"place":{"city":"Bern","zip":"3000"}})");
}

TEST(AvroDecoder, unions_of_records_that_multiply_are_refused) {
  // W0 holds an int; each W above it holds one of 30 records, all of which hold the W below.
  std::string schema = R"([{"type":"record","name":"W0","fields":[{"name":"u","type":"int"}]})";
  Type columns{TypeId::kStruct, 0, 0, {{"u", {TypeId::kText}}}};
  for (int level = 1; level <= 4; ++level) {
    schema += R"(,{"type":"record","name":"W)" + std::to_string(level) + R"(","fields":[{"name":"u","type":[)";
    for (int i = 0; i < 30; ++i) {
      schema += std::string(i > 0 ? "," : "") + R"({"type":"record","name":"A)" + std::to_string(level * 100 + i) +
                R"(","fields":[{"name":"w","type":"W)" + std::to_string(level - 1) + R"("}]})";
    }
    schema += "]}]}";
    Type above{TypeId::kStruct, 0, 0, {{"w", columns}}};
    columns = {TypeId::kStruct, 0, 0, {{"u", above}}};
  }
  auto parsed = AvroSchema::parse(schema + "]");
  ASSERT_TRUE(parsed) << parsed.error().message;
  auto made = AvroDecoder::make(*parsed, std::make_shared<model::Schema>(model::Schema{columns.fields}));
  ASSERT_FALSE(made);
  EXPECT_EQ(made.error().code, Errc::kResourceExhausted);
}

}  // namespace
}  // namespace millrace::format
