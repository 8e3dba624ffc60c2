#include "format/text.h"

#include <gtest/gtest.h>

#include <string>

#include "format/json_write.h"

namespace millrace::format {
namespace {

using model::Type;
using model::TypeId;

Type of(TypeId id) { return {.id = id}; }
Type decimal(uint8_t width, uint8_t scale) { return {.id = TypeId::kDecimal, .width = width, .scale = scale}; }

/// The value as a terminal shows it, or the error's message.
std::string read(const Type& type, std::string_view text) {
  model::Arena arena;
  model::ColumnBuilder column(type, arena);
  column.append_null();
  if (auto status = append_text_as(column, text); !status) {
    EXPECT_EQ(status.error().code, Errc::kInvalidArgument);
    EXPECT_EQ(column.size(), 1u);
    return "! " + status.error().message;
  }
  EXPECT_EQ(column.size(), 2u);
  std::string out;
  append_value_text(out, column.view(), 1);
  return out;
}

struct TextCase {
  Type type;
  std::string_view text;
  std::string_view shown;  // "!" for any error
};

void PrintTo(const TextCase& c, std::ostream* out) { *out << model::to_sql(c.type) << " '" << c.text << "'"; }

class AppendTextAs : public testing::TestWithParam<TextCase> {};

TEST_P(AppendTextAs, GivesTheValue) {
  std::string shown = read(GetParam().type, GetParam().text);
  if (GetParam().shown == "!") {
    EXPECT_EQ(shown[0], '!') << shown;
  } else {
    EXPECT_EQ(shown, GetParam().shown);
  }
}

const TextCase kNumbers[] = {
    {of(TypeId::kBoolean), "true", "true"},
    {of(TypeId::kBoolean), "F", "false"},
    {of(TypeId::kBoolean), "1", "true"},
    {of(TypeId::kBoolean), "no", "false"},
    {of(TypeId::kBoolean), " true", "!"},
    {of(TypeId::kBoolean), "on", "!"},
    {of(TypeId::kTinyint), "-128", "-128"},
    {of(TypeId::kTinyint), "128", "!"},
    {of(TypeId::kSmallint), "32767", "32767"},
    {of(TypeId::kSmallint), "-32769", "!"},
    {of(TypeId::kInteger), " 5 ", "5"},
    {of(TypeId::kInteger), "+5", "5"},
    {of(TypeId::kInteger), "007", "7"},
    {of(TypeId::kInteger), "-0", "0"},
    {of(TypeId::kInteger), "2147483647", "2147483647"},
    {of(TypeId::kInteger), "2147483648", "!"},
    {of(TypeId::kInteger), "", "!"},
    {of(TypeId::kInteger), "-", "!"},
    {of(TypeId::kInteger), "+-5", "!"},
    {of(TypeId::kInteger), "1.0", "!"},
    {of(TypeId::kInteger), "1e3", "!"},
    {of(TypeId::kInteger), "0x10", "!"},
    {of(TypeId::kInteger), "5 6", "!"},
    {of(TypeId::kBigint), "9223372036854775807", "9223372036854775807"},
    {of(TypeId::kBigint), "-9223372036854775808", "-9223372036854775808"},
    {of(TypeId::kBigint), "9223372036854775808", "!"},
    {of(TypeId::kBigint), "-9223372036854775809", "!"},
    {of(TypeId::kBigint), "00000000000000000000000000000000000000000000001", "1"},
    {of(TypeId::kUtinyint), "255", "255"},
    {of(TypeId::kUtinyint), "-1", "!"},
    {of(TypeId::kUtinyint), "-0", "0"},
    {of(TypeId::kUbigint), "18446744073709551615", "18446744073709551615"},
    {of(TypeId::kUbigint), "18446744073709551616", "!"},
    {of(TypeId::kUbigint), "-00000000000000000000001", "!"},
    {of(TypeId::kHugeint), "170141183460469231731687303715884105727", "170141183460469231731687303715884105727"},
    {of(TypeId::kHugeint), "-170141183460469231731687303715884105728", "-170141183460469231731687303715884105728"},
    {of(TypeId::kHugeint), "170141183460469231731687303715884105728", "!"},
    {decimal(10, 2), "12.345", "12.35"},
    {decimal(10, 2), "-12.345", "-12.35"},
    {decimal(10, 2), "12.344999", "12.34"},
    {decimal(10, 2), "1e3", "1000.00"},
    {decimal(10, 2), "1.25e-1", "0.13"},
    {decimal(10, 2), ".5", "0.50"},
    {decimal(10, 2), "5.", "5.00"},
    {decimal(10, 2), "-0.001", "0.00"},
    {decimal(10, 2), "-.05", "-0.05"},
    {decimal(10, 2), "0.004e1", "0.04"},
    {decimal(10, 2), "1e-999999999999", "0.00"},
    {decimal(10, 2), "0e999999999999", "0.00"},
    {decimal(10, 2), "1e999999999999", "!"},
    {decimal(10, 2), "99999999.99", "99999999.99"},
    {decimal(10, 2), "99999999.995", "!"},
    {decimal(10, 2), ".", "!"},
    {decimal(10, 2), "1e", "!"},
    {decimal(10, 2), "1.2.3", "!"},
    {decimal(4, 1), "999.9", "999.9"},
    {decimal(9, 9), ".123456789", "0.123456789"},
    {decimal(18, 0), "999999999999999999", "999999999999999999"},
    {decimal(38, 10), "-1234567890123456789012345678.0123456789", "-1234567890123456789012345678.0123456789"},
    {decimal(38, 0), "100000000000000000000000000000000000000", "!"},
    {of(TypeId::kDouble), "1.5", "1.5"},
    {of(TypeId::kDouble), "+.5", "0.5"},
    {of(TypeId::kDouble), "-0", "-0.0"},
    {of(TypeId::kDouble), "1e22", "1e+22"},
    {of(TypeId::kDouble), "nan", "NaN"},
    {of(TypeId::kDouble), "-Infinity", "-Infinity"},
    {of(TypeId::kDouble), "1e400", "!"},
    {of(TypeId::kDouble), "1e-400", "0.0"},
    {of(TypeId::kDouble), "-1e-400", "-0.0"},
    {of(TypeId::kDouble), "1.5x", "!"},
    {of(TypeId::kDouble), "0x10", "!"},
    {of(TypeId::kDouble), "+-1", "!"},
    {of(TypeId::kDouble), "nan(1)", "!"},
    {of(TypeId::kDouble), "", "!"},
    {of(TypeId::kFloat), "0.1", "0.1"},
    {of(TypeId::kFloat), "3.5e38", "!"},
};
INSTANTIATE_TEST_SUITE_P(Numbers, AppendTextAs, testing::ValuesIn(kNumbers));

const TextCase kTimes[] = {
    {of(TypeId::kDate), "2026-01-31", "2026-01-31"},
    {of(TypeId::kDate), "2020-1-1", "2020-01-01"},
    {of(TypeId::kDate), "2020/01/02", "2020-01-02"},
    {of(TypeId::kDate), "2020-01-02T03:04:05Z", "2020-01-02"},
    {of(TypeId::kDate), "2024-02-29", "2024-02-29"},
    {of(TypeId::kDate), "2023-02-29", "!"},
    {of(TypeId::kDate), "1900-02-29", "!"},
    {of(TypeId::kDate), "1969-12-31", "1969-12-31"},
    {of(TypeId::kDate), "0000-03-01", "0000-03-01"},
    {of(TypeId::kDate), "-0044-03-15", "-0044-03-15"},
    {of(TypeId::kDate), "+10000-01-01", "+10000-01-01"},
    {of(TypeId::kDate), "infinity", "infinity"},
    {of(TypeId::kDate), "2020-13-01", "!"},
    {of(TypeId::kDate), "2020-00-01", "!"},
    {of(TypeId::kDate), "2020-01/01", "!"},
    {of(TypeId::kDate), "2020-01", "!"},
    {of(TypeId::kDate), "2020-01-01x", "!"},
    {of(TypeId::kTime), "08:00", "08:00:00"},
    {of(TypeId::kTime), "23:59:59.9999999", "23:59:59.999999"},
    {of(TypeId::kTime), "10:11:12.5", "10:11:12.500"},
    {of(TypeId::kTime), "24:00:00", "24:00:00"},
    {of(TypeId::kTime), "24:00:01", "!"},
    {of(TypeId::kTime), "23:59:60", "!"},
    {of(TypeId::kTime), "10:11:", "!"},
    {of(TypeId::kTime), "10:11:12.", "!"},
    {of(TypeId::kTimestamp), "2020-01-01", "2020-01-01 00:00:00"},
    {of(TypeId::kTimestamp), "2020-01-01T00:00:00+02", "2020-01-01 00:00:00"},
    {of(TypeId::kTimestamp), "2020-01-01 24:00:00", "2020-01-02 00:00:00"},
    {of(TypeId::kTimestamp), "1969-12-31T23:59:59.999999", "1969-12-31 23:59:59.999999"},
    {of(TypeId::kTimestamp), "294247-01-10 04:00:54.775806", "+294247-01-10 04:00:54.775806"},
    {of(TypeId::kTimestamp), "294247-01-11", "!"},
    {of(TypeId::kTimestamp), "-infinity", "-infinity"},
    {of(TypeId::kTimestampTz), "2020-01-01T00:00:00+02:00", "2019-12-31 22:00:00+00"},
    {of(TypeId::kTimestampTz), "2020-01-01T00:00:00-0230", "2020-01-01 02:30:00+00"},
    {of(TypeId::kTimestampTz), "2020-01-01 10:11:12.123Z", "2020-01-01 10:11:12.123+00"},
    {of(TypeId::kTimestampTz), "2020-01-01 10:11:12 UTC", "2020-01-01 10:11:12+00"},
    {of(TypeId::kTimestampTz), "2020-01-01T10:11:12+2", "!"},
    {of(TypeId::kTimestampTz), "2020-01-01T10:11:12+02:0", "!"},
    {of(TypeId::kTimestampTz), "2020-01-01T", "!"},
    {of(TypeId::kTimestampTz), "1577836800", "!"},
    {of(TypeId::kTimestampTz), "", "!"},
};
INSTANTIATE_TEST_SUITE_P(Times, AppendTextAs, testing::ValuesIn(kTimes));

const TextCase kOthers[] = {
    {of(TypeId::kText), "", ""},
    {of(TypeId::kText), " as it is ", " as it is "},
    {of(TypeId::kText), "\xff", "!"},
    {of(TypeId::kUuid), "550E8400-e29b-41d4-a716-446655440000", "550e8400-e29b-41d4-a716-446655440000"},
    {of(TypeId::kUuid), "{550e8400-e29b-41d4-a716-446655440000}", "550e8400-e29b-41d4-a716-446655440000"},
    {of(TypeId::kUuid), "ffffffffffffffffffffffffffffffff", "ffffffff-ffff-ffff-ffff-ffffffffffff"},
    {of(TypeId::kUuid), "550e8400-e29b-41d4-a716", "!"},
    {of(TypeId::kBlob), "ab\\xAA\\x00", "ab\\xAA\\x00"},
    {of(TypeId::kBlob), "\\xA", "!"},
    {of(TypeId::kBlob), "\\", "!"},
    {of(TypeId::kBlob), "\xc3\xa4", "!"},
    {of(TypeId::kInterval), "1 day", "!"},
    {{.id = TypeId::kList, .fields = {{"element", of(TypeId::kInteger)}}}, "[1, null, 3]", "[1, NULL, 3]"},
    {{.id = TypeId::kList, .fields = {{"element", of(TypeId::kInteger)}}}, "[1, ", "!"},
    {{.id = TypeId::kStruct, .fields = {{"a", of(TypeId::kText)}, {"b", of(TypeId::kDouble)}}},
     R"({"a":"x, y"})",
     "{'a': 'x, y', 'b': NULL}"},
};
INSTANTIATE_TEST_SUITE_P(Others, AppendTextAs, testing::ValuesIn(kOthers));

TEST(AppendTextAsMessage, NamesTheTypeAndShortensTheText) {
  EXPECT_EQ(read(of(TypeId::kInteger), "abc"), "! expected integer, got \"abc\"");
  EXPECT_EQ(read(of(TypeId::kTinyint), "300"), "! expected tinyint, got \"300\", which is out of range");
  EXPECT_EQ(read(decimal(4, 1), "x"), "! expected decimal(4,1), got \"x\"");
  EXPECT_EQ(read(of(TypeId::kUuid), std::string(100, 'x')), "! expected uuid, got \"" + std::string(37, 'x') + "...\"");
  EXPECT_EQ(read(of(TypeId::kInteger), "\xff\n"), "! expected integer, got \"bytes that are not UTF-8\"");
}

}  // namespace
}  // namespace millrace::format
