#include "format/json_columns.h"

#include <gtest/gtest.h>

#include <memory>
#include <string>

#include "format/json_write.h"

namespace millrace::format {
namespace {

using model::Field;
using model::Schema;
using model::Type;
using model::TypeId;

Type of(TypeId id) { return {.id = id}; }
Type list(Type element) { return {.id = TypeId::kList, .fields = {{"element", std::move(element)}}}; }
Type structure(std::vector<Field> fields) { return {.id = TypeId::kStruct, .fields = std::move(fields)}; }
std::shared_ptr<const Schema> schema_of(std::vector<Field> fields) { return std::make_shared<Schema>(Schema{std::move(fields)}); }

std::string rows_json(model::BatchBuilder&& builder) {
  model::ColumnBatch batch = std::move(builder).finish();
  std::string out;
  for (size_t row = 0; row < batch.rows; ++row) append_row_json(out, batch, row);
  return out;
}

/// The rows of the records as JSON; a record that fails gives its fault and message instead, and must leave no trace.
std::string decode(std::shared_ptr<const Schema> schema, std::vector<std::string> records, const Needed& needed = Needed::all()) {
  auto decoder = JsonDecoder::make(schema, needed);
  model::BatchBuilder builder(schema);
  std::string faults;
  for (const std::string& record : records) {
    size_t before = builder.rows();
    auto status = decoder->append(record, builder);
    EXPECT_EQ(builder.rows(), before + (status ? 1 : 0));
    EXPECT_EQ(decoder->last_fault() == JsonFault::kNone, status.has_value());
    if (!status) faults += std::string(fault_name(decoder->last_fault())) + ": " + status.error().message;
  }
  return rows_json(std::move(builder)) + faults;
}

struct ValueCase {
  Type type;
  std::string_view json;
  std::string_view expected;  // JSON of the value, or the fault and the message
};
void PrintTo(const ValueCase& c, std::ostream* out) { *out << model::to_sql(c.type) << " from " << c.json; }

class JsonCoercion : public testing::TestWithParam<ValueCase> {};

TEST_P(JsonCoercion, FollowsTheRules) {
  const ValueCase& c = GetParam();
  std::string got = decode(schema_of({{"v", c.type}}), {"{\"v\":" + std::string(c.json) + "}"});
  std::string value = "{\"v\":" + std::string(c.expected) + "}";
  EXPECT_EQ(got, got.starts_with("{") ? value : std::string(c.expected));
}

const ValueCase kText[] = {
    {of(TypeId::kText), R"("abc")", R"("abc")"},
    {of(TypeId::kText), R"("")", R"("")"},
    {of(TypeId::kText), "37010", R"("37010")"},
    {of(TypeId::kText), "1.50", R"("1.50")"},
    {of(TypeId::kText), "123456789012345678901234567890", R"("123456789012345678901234567890")"},
    {of(TypeId::kText), "-1E+400", R"("-1E+400")"},
    {of(TypeId::kText), "true", R"("true")"},
    {of(TypeId::kText), "null", "null"},
    {of(TypeId::kText), R"({"a": [1,{}] })", R"("{\"a\": [1,{}] }")"},
    {of(TypeId::kText), "[ ]", R"("[ ]")"},
    {of(TypeId::kText), R"("a\"\\\/\b\f\n\r\tz")", R"("a\"\\/\u0008\u000c\n\r\tz")"},
    {of(TypeId::kText), R"("\u00e4\u20AC\ud83d\ude00")", "\"\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80\""},
    {of(TypeId::kText), R"("\u0000")", R"("\u0000")"},
    {of(TypeId::kText), R"("\ud800")", "not_utf8: the text is not UTF-8, or escapes half of a surrogate pair"},
    {of(TypeId::kText), R"("\udc00\ud800")", "not_utf8: the text is not UTF-8, or escapes half of a surrogate pair"},
    {of(TypeId::kText), R"("\ud800\u0041")", "not_utf8: the text is not UTF-8, or escapes half of a surrogate pair"},
    {of(TypeId::kText), R"("\x")", "not_json: the text is not JSON"},
    {of(TypeId::kText), R"("\u12g4")", "not_json: the text is not JSON"},
    {of(TypeId::kText), "\"a\nb\"", "not_json: the text is not JSON"},
    {of(TypeId::kText), "\"\xff\"", "not_utf8: the text is not UTF-8, or escapes half of a surrogate pair"},
    {of(TypeId::kText), "01", "not_json: the text is not JSON"},
    {of(TypeId::kText), "+1", "not_json: the text is not JSON"},
    {of(TypeId::kText), "1.", "not_json: the text is not JSON"},
    {of(TypeId::kText), "NaN", "not_json: the text is not JSON"},
    {of(TypeId::kText), "tru", "not_json: the text is not JSON"},
    {of(TypeId::kText), "nul", "not_json: the text is not JSON"},
    {of(TypeId::kText), R"("a""b")", "not_json: the text is not JSON"},
    {of(TypeId::kText), R"(1"b")", "not_json: the text is not JSON"},
};
INSTANTIATE_TEST_SUITE_P(Text, JsonCoercion, testing::ValuesIn(kText));

const ValueCase kScalars[] = {
    {of(TypeId::kInteger), "42", "42"},
    {of(TypeId::kInteger), "-0", "0"},
    {of(TypeId::kInteger), R"("42")", "42"},
    {of(TypeId::kInteger), R"("\u0034\u0032")", "42"},
    {of(TypeId::kInteger), "null", "null"},
    {of(TypeId::kInteger), R"("abc")", R"(type_mismatch: field v: expected integer, got string "abc")"},
    {of(TypeId::kInteger), R"("")", R"(type_mismatch: field v: expected integer, got string "")"},
    {of(TypeId::kInteger), "1.0", "type_mismatch: field v: expected integer, got number 1.0"},
    {of(TypeId::kInteger), "1e3", "type_mismatch: field v: expected integer, got number 1e3"},
    {of(TypeId::kInteger), "true", "type_mismatch: field v: expected integer, got true"},
    {of(TypeId::kInteger), "{}", "type_mismatch: field v: expected integer, got an object"},
    {of(TypeId::kInteger), "[1]", "type_mismatch: field v: expected integer, got an array"},
    {of(TypeId::kInteger), "2147483648", "out_of_range: field v: expected integer, got number 2147483648, which is out of range"},
    {of(TypeId::kInteger), "007", "not_json: the text is not JSON"},
    {of(TypeId::kBigint), "9223372036854775808",
     "out_of_range: field v: expected bigint, got number 9223372036854775808, which is out of range"},
    {of(TypeId::kUbigint), "18446744073709551615", R"("18446744073709551615")"},
    {of(TypeId::kHugeint), "123456789012345678901234567890", R"("123456789012345678901234567890")"},
    {{.id = TypeId::kDecimal, .width = 38, .scale = 2},
     "123456789012345678901234567890.125",
     R"("123456789012345678901234567890.13")"},
    {of(TypeId::kDouble), "0.1", "0.1"},
    {of(TypeId::kDouble), "1", "1.0"},
    {of(TypeId::kDouble), "1e-400", "0.0"},
    {of(TypeId::kDouble), "1e400", "out_of_range: field v: expected double, got number 1e400, which is out of range"},
    {of(TypeId::kDouble), R"("NaN")", R"("NaN")"},
    {of(TypeId::kBoolean), "true", "true"},
    {of(TypeId::kBoolean), R"("f")", "false"},
    {of(TypeId::kBoolean), "1", "type_mismatch: field v: expected boolean, got number 1"},
    {of(TypeId::kUuid), R"("550e8400-e29b-41d4-a716-446655440000")", R"("550e8400-e29b-41d4-a716-446655440000")"},
    {of(TypeId::kUuid), "5", "type_mismatch: field v: expected uuid, got number 5"},
    {of(TypeId::kTimestampTz), R"("2020-01-01T00:00:00+02:00")", R"("2019-12-31T22:00:00Z")"},
    {of(TypeId::kTimestampTz), "1577836800", "type_mismatch: field v: expected timestamp with time zone, got number 1577836800"},
    {of(TypeId::kDate), R"("2020-01-31")", R"("2020-01-31")"},
    {of(TypeId::kTime), R"("10:11")", R"("10:11:00")"},
    {of(TypeId::kBlob), R"("AAEC")", R"("AAEC")"},
    {of(TypeId::kBlob), R"("A")", R"(type_mismatch: field v: expected blob, got string "A")"},
};
INSTANTIATE_TEST_SUITE_P(Scalars, JsonCoercion, testing::ValuesIn(kScalars));

const ValueCase kNested[] = {
    {list(of(TypeId::kInteger)), "[]", "[]"},
    {list(of(TypeId::kInteger)), "[1,null, 3]", "[1,null,3]"},
    {list(of(TypeId::kInteger)), "null", "null"},
    {list(of(TypeId::kInteger)), "1", "type_mismatch: field v: expected list, got number 1"},
    {list(of(TypeId::kInteger)), R"("[1]")", R"(type_mismatch: field v: expected list, got string "[1]")"},
    {list(of(TypeId::kInteger)), R"([1,"x"])", R"(type_mismatch: field v[1]: expected integer, got string "x")"},
    {list(list(of(TypeId::kInteger))), "[[1],[],null,[2,3]]", "[[1],[],null,[2,3]]"},
    {list(list(of(TypeId::kInteger))), "[[1],[true]]", "type_mismatch: field v[1][0]: expected integer, got true"},
    {list(structure({{"a", of(TypeId::kInteger)}})), R"([{"a":1},{},null])", R"([{"a":1},{"a":null},null])"},
    {list(structure({{"a", of(TypeId::kInteger)}})), R"([{"a":1},{"a":{}}])",
     "type_mismatch: field v[1].a: expected integer, got an object"},
    {structure({{"a", of(TypeId::kInteger)}, {"b", of(TypeId::kText)}}), R"({"b":1,"x":[{}],"a":2})", R"({"a":2,"b":"1"})"},
    {structure({{"a", of(TypeId::kInteger)}}), "{}", R"({"a":null})"},
    {structure({{"a", of(TypeId::kInteger)}}), "null", "null"},
    {structure({{"a", of(TypeId::kInteger)}}), "[]", "type_mismatch: field v: expected struct, got an array"},
    {structure({{"a", of(TypeId::kInteger)}}), R"({"a":1)", "not_json: the text is not JSON"},
    {structure({{"a", of(TypeId::kInteger)}}), R"({"a":1,})", "not_json: the text is not JSON"},
    {list(of(TypeId::kInteger)), "[1,]", "not_json: the text is not JSON"},
    {list(of(TypeId::kInteger)), "[1 2]", "not_json: the text is not JSON"},
};
INSTANTIATE_TEST_SUITE_P(Nested, JsonCoercion, testing::ValuesIn(kNested));

struct RecordCase {
  std::string_view json;
  JsonFault fault;
};

TEST(JsonDecoder, TellsWhatIsNoRecordWhateverIsNeeded) {
  const RecordCase cases[] = {
      {"", JsonFault::kEmpty},
      {" \n ", JsonFault::kEmpty},
      {"null", JsonFault::kNotObject},
      {"[1]", JsonFault::kNotObject},
      {"\"x\"", JsonFault::kNotObject},
      {"{", JsonFault::kNotJson},
      {"}", JsonFault::kNotJson},
      {"[", JsonFault::kNotJson},
      {"{}{}", JsonFault::kNotJson},
      {"{} x", JsonFault::kNotJson},
      {"{\"a\"}", JsonFault::kNotJson},
      {"{\"a\":}", JsonFault::kNotJson},
      {"{\"a\" 1}", JsonFault::kNotJson},
      {"{a:1}", JsonFault::kNotJson},
      {"{'a':1}", JsonFault::kNotJson},
      {"{1:1}", JsonFault::kNotJson},
      {"{,}", JsonFault::kNotJson},
      {"{\"x\":1,,\"y\":2}", JsonFault::kNotJson},
      {"{\"x\":[1}", JsonFault::kNotJson},
      {"{\"x\":{\"y\":1]}", JsonFault::kNotJson},
      {"{\"x\":[1,2],\"y\":tru}", JsonFault::kNotJson},
      {"{\"x\":\"\\q\"}", JsonFault::kNotJson},
      {"{\"x\":\"abc}", JsonFault::kNotJson},
      {"{\"\\ud800\":1}", JsonFault::kNotUtf8},
      {"{\"x\":{\"y\":\"\\udfff\"}}", JsonFault::kNotUtf8},
      {"{\"x\":\"\xc0\xaf\"}", JsonFault::kNotUtf8},
      {"{\"v\":{},\"x\":", JsonFault::kNotJson},  // the type is wrong as well: that it is no JSON comes first
      {"{\"v\":{},\"x\":1}", JsonFault::kType},
      {std::string_view("{}\0", 3), JsonFault::kNotJson},
      {"{\"x\":1}", JsonFault::kNone},
      {" { \"x\" : [ 1 , { } , [ ] ] , \"y\" : { \"z\" : null } } \r\n", JsonFault::kNone},
  };
  auto schema = schema_of({{"v", of(TypeId::kInteger)}});
  auto decoder = JsonDecoder::make(schema);
  for (const RecordCase& c : cases) {
    model::BatchBuilder builder(schema);
    EXPECT_EQ(decoder->append(std::string(c.json), builder).has_value(), c.fault == JsonFault::kNone) << c.json;
    EXPECT_EQ(fault_name(decoder->last_fault()), fault_name(c.fault)) << c.json;
  }
}

TEST(JsonDecoder, CountsTheDepthOfEveryPart) {
  auto nested = [](int levels) { return std::string(levels, '[') + std::string(levels, ']'); };
  auto schema = schema_of({{"v", of(TypeId::kText)}});
  for (std::string name : {"v", "unknown"}) {
    EXPECT_TRUE(decode(schema, {"{\"" + name + "\":" + nested(127) + "}"}).starts_with("{"));
    EXPECT_EQ(decode(schema, {"{\"" + name + "\":" + nested(128) + "}"}), "too_deep: the JSON nests deeper than 128 levels");
  }
  EXPECT_EQ(decode(schema, {std::string(100'000, '[')}), "too_deep: the JSON nests deeper than 128 levels");
  EXPECT_EQ(decode(schema, {"{\"v\":" + std::string(1'000'000, '[')}), "too_deep: the JSON nests deeper than 128 levels");
}

TEST(JsonDecoder, FindsFieldsInAnyOrder) {
  auto schema = schema_of({{"a", of(TypeId::kInteger)}, {"b", of(TypeId::kText)}, {"c", of(TypeId::kBoolean)}});
  EXPECT_EQ(
      decode(schema, {R"({"a":1,"b":"x","c":true})", R"({"c":false,"a":2})", R"({"x":0,"b":"y","xx":{"a":9},"a":3})",
                      R"({"a":4,"b":"z","c":null})", R"({"\u0061":5, "A":6})"}),
      R"({"a":1,"b":"x","c":true}{"a":2,"b":null,"c":false}{"a":3,"b":"y","c":null}{"a":4,"b":"z","c":null}{"a":5,"b":null,"c":null})");
}

TEST(JsonDecoder, TakesTheLastOfEqualNames) {
  auto schema = schema_of(
      {{"a", of(TypeId::kInteger)}, {"l", list(of(TypeId::kInteger))}, {"s", structure({{"x", of(TypeId::kInteger)}})}});
  EXPECT_EQ(decode(schema, {R"({"a":1,"a":2,"l":[1],"l":[],"l":[3,4],"s":{"x":1},"s":{"x":1,"x":2}})", R"({"a":1,"a":null})"}),
            R"({"a":2,"l":[3,4],"s":{"x":2}}{"a":null,"l":null,"s":null})");
  EXPECT_EQ(decode(schema, {R"({"a":"x","a":2})"}), R"(type_mismatch: field a: expected integer, got string "x")");
}

TEST(JsonDecoder, LeavesNoTraceOfAFailedRecord) {
  auto schema = schema_of({{"a", of(TypeId::kText)},
                           {"l", list(structure({{"x", of(TypeId::kInteger)}, {"y", list(of(TypeId::kText))}}))},
                           {"s", structure({{"p", of(TypeId::kInteger)}, {"q", structure({{"r", of(TypeId::kInteger)}})}})},
                           {"z", of(TypeId::kInteger)}});
  std::string good = R"({"a":"1","l":[{"x":1,"y":["m"]},{"x":2,"y":null}],"s":{"p":1,"q":{"r":2}},"z":3})";
  std::string got = decode(schema, {good, R"({"a":"2","l":[{"x":1,"y":["k","j"]},{"y":["n"],"x":"no"}]})", good,
                                    R"({"a":"3","l":[{"x":5,"y":["k"]}],"s":{"p":1,"q":{"r":"no"}}})", R"({"z":"no"})", good});
  EXPECT_EQ(got, good + good + good + R"(type_mismatch: field l[1].x: expected integer, got string "no")" +
                     R"(type_mismatch: field s.q.r: expected integer, got string "no")" +
                     R"(type_mismatch: field z: expected integer, got string "no")");
}

TEST(JsonDecoder, DecodesOnlyWhatIsNeeded) {
  auto schema = schema_of({{"a", of(TypeId::kInteger)},
                           {"s", structure({{"x", of(TypeId::kInteger)}, {"y", of(TypeId::kText)}})},
                           {"l", list(structure({{"m", of(TypeId::kInteger)}, {"n", of(TypeId::kInteger)}}))}});
  std::vector<std::string> records = {R"({"a":"wrong","s":{"x":"wrong","y":"kept"},"l":[{"m":1,"n":"wrong"}]})"};
  std::vector<std::vector<std::string>> paths = {{"S", "Y"}, {"l", "m"}, {"nowhere"}};
  EXPECT_EQ(decode(schema, records, Needed::of(*schema, paths)),
            R"({"a":null,"s":{"x":null,"y":"kept"},"l":[{"m":1,"n":null}]})");
  EXPECT_EQ(decode(schema, records, Needed::none()), R"({"a":null,"s":null,"l":null})");
  EXPECT_EQ(decode(schema, records, Needed::of(*schema, {})), R"({"a":null,"s":null,"l":null})");
  paths = {{"s", "y"}, {"s"}};
  EXPECT_TRUE(decode(schema, records, Needed::of(*schema, paths)).starts_with("type_mismatch: field s.x"));
}

TEST(JsonDecoder, CountsRowsWithoutColumns) {
  auto schema = schema_of({});
  EXPECT_EQ(decode(schema, {"{}", R"({"a":[1]})", "{"}), "{}{}not_json: the text is not JSON");
}

TEST(JsonDecoder, RefersToTheRecordsBytes) {
  auto schema = schema_of({{"a", of(TypeId::kText)}});
  auto decoder = JsonDecoder::make(schema);
  std::string record = R"({"a":"longer than what stands inside of a reference"})";
  model::BatchBuilder builder(schema);
  ASSERT_TRUE(decoder->append(record, builder));
  model::ColumnBatch batch = std::move(builder).finish();
  EXPECT_EQ(batch.columns[0].text(0).data(), record.data() + 6);
}

TEST(JsonDecoder, RefusesATooDeepSchema) {
  Type type = of(TypeId::kInteger);
  for (int i = 0; i < 200; ++i) type = list(std::move(type));
  EXPECT_FALSE(JsonDecoder::make(schema_of({{"v", type}})));
}

// Every prefix of a record is no record, and no prefix makes the reader look behind its end.
TEST(JsonDecoder, RefusesEveryCutOffRecord) {
  std::string record = R"({"a" : "x\u00e4\\", "l":[{"x":-1.5e3},null,true] , "s":{"p":{}}})";
  auto schema =
      schema_of({{"a", of(TypeId::kText)}, {"l", list(of(TypeId::kText))}, {"s", structure({{"p", of(TypeId::kText)}})}});
  auto decoder = JsonDecoder::make(schema);
  model::BatchBuilder builder(schema);
  for (size_t size = 0; size < record.size(); ++size) {
    auto cut = std::make_unique<char[]>(size + 1);
    record.copy(cut.get(), size);
    EXPECT_FALSE(decoder->append(std::string_view(cut.get(), size), builder)) << size;
  }
  EXPECT_EQ(builder.rows(), 0u);
  EXPECT_TRUE(decoder->append(record, builder));
}

TEST(AppendJsonAs, CopiesItsTexts) {
  Type type = list(of(TypeId::kText));
  model::Arena arena;
  model::ColumnBuilder column(type, arena);
  {
    std::string json = R"(["a text that is longer than twelve bytes","esc\u0061ped and long enough"])";
    ASSERT_TRUE(append_json_as(column, json));
    json.assign(json.size(), '#');
  }
  EXPECT_FALSE(append_json_as(column, R"(["x",)"));
  EXPECT_FALSE(append_json_as(column, R"(["x"] 1)"));
  EXPECT_EQ(column.size(), 1u);
  std::string out;
  append_value_json(out, column.view(), 0);
  EXPECT_EQ(out, R"(["a text that is longer than twelve bytes","escaped and long enough"])");
}

}  // namespace
}  // namespace millrace::format
