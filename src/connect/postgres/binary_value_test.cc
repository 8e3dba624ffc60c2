#include "connect/postgres/binary_value.h"

#include <gtest/gtest.h>

#include <initializer_list>

#include "base/bytes.h"
#include "format/json_write.h"

namespace millrace::connect::postgres {
namespace {

using model::Type;
using model::TypeId;

std::string shown(const Type& type, const std::string& bytes) {
  auto schema = std::make_shared<model::Schema>(model::Schema{{{"v", type}}});
  model::BatchBuilder builder(schema);
  Status read = read_value(builder.column(0), bytes);
  if (!read) {
    EXPECT_EQ(builder.rows(), 0u);
    return std::string(errc_name(read.error().code));
  }
  model::ColumnBatch batch = std::move(builder).finish();
  std::string out;
  format::append_value_json(out, batch.columns[0], 0);
  return out;
}

std::string numeric(int weight, int sign, int scale, std::initializer_list<int> digits) {
  std::string out;
  append_be(out, static_cast<uint16_t>(digits.size()));
  append_be(out, static_cast<int16_t>(weight));
  append_be(out, static_cast<uint16_t>(sign));
  append_be(out, static_cast<uint16_t>(scale));
  for (int digit : digits) append_be(out, static_cast<uint16_t>(digit));
  return out;
}
Type decimal(uint8_t width, uint8_t scale) { return {.id = TypeId::kDecimal, .width = width, .scale = scale}; }

TEST(BinaryValue, numerics) {
  EXPECT_EQ(shown(decimal(10, 2), numeric(1, 0, 2, {12, 3456, 7800})), R"("123456.78")");
  EXPECT_EQ(shown(decimal(10, 4), numeric(-1, 0x4000, 4, {5})), R"("-0.0005")");
  EXPECT_EQ(shown(decimal(10, 8), numeric(-2, 0, 8, {5})), R"("0.00000005")");
  EXPECT_EQ(shown(decimal(10, 2), numeric(0, 0, 0, {})), R"("0.00")");
  EXPECT_EQ(shown({.id = TypeId::kHugeint}, numeric(2, 0, 0, {1})), "100000000");
  EXPECT_EQ(shown({.id = TypeId::kUbigint}, numeric(4, 0, 0, {1844, 6744, 737, 955, 1615})), R"("18446744073709551615")");
}

TEST(BinaryValue, numerics_that_the_column_cannot_hold) {
  EXPECT_EQ(shown(decimal(4, 2), numeric(1, 0, 0, {1})), "out_of_range");
  EXPECT_EQ(shown(decimal(4, 2), numeric(0, 0xC000, 0, {})), "out_of_range");
  EXPECT_EQ(shown(decimal(38, 2), numeric(0, 0xD000, 0, {})), "out_of_range");
  EXPECT_EQ(shown({.id = TypeId::kHugeint}, numeric(32767, 0, 0, {1})), "out_of_range");
  EXPECT_EQ(shown({.id = TypeId::kUbigint}, numeric(0, 0x4000, 0, {1})), "out_of_range");
  EXPECT_EQ(shown(decimal(4, 2), "1234567"), "corruption");
  EXPECT_EQ(shown(decimal(4, 2), numeric(0, 0, 0, {1}) + "x"), "corruption");
}

TEST(BinaryValue, integers_are_range_checked) {
  std::string small, wide;
  append_be(small, int16_t{-1});
  append_be(wide, int64_t{1} << 33);
  EXPECT_EQ(shown({.id = TypeId::kTinyint}, small), "-1");
  EXPECT_EQ(shown({.id = TypeId::kUtinyint}, small), "out_of_range");
  EXPECT_EQ(shown({.id = TypeId::kUinteger}, wide), "out_of_range");
  EXPECT_EQ(shown({.id = TypeId::kBigint}, wide), "8589934592");
  EXPECT_EQ(shown({.id = TypeId::kBigint}, small), "corruption");
}

TEST(BinaryValue, times_count_from_2000) {
  std::string day, moment, end;
  append_be(day, int32_t{-1});
  append_be(moment, int64_t{1});
  append_be(end, std::numeric_limits<int64_t>::min());
  EXPECT_EQ(shown({.id = TypeId::kDate}, day), R"("1999-12-31")");
  EXPECT_EQ(shown({.id = TypeId::kTimestampTz}, moment), R"("2000-01-01T00:00:00.000001Z")");
  EXPECT_EQ(shown({.id = TypeId::kTimestamp}, end), R"("-infinity")");
}

TEST(BinaryValue, arrays) {
  Type list{.id = TypeId::kList, .fields = {{"element", {.id = TypeId::kInteger}}}};
  auto header = [](int32_t dimensions) {
    std::string out;
    append_be(out, dimensions);
    append_be(out, int32_t{1});
    append_be(out, int32_t{23});
    return out;
  };
  EXPECT_EQ(shown(list, header(0)), "[]");
  std::string two = header(1);
  append_be(two, int32_t{2});
  append_be(two, int32_t{1});
  append_be(two, int32_t{4});
  append_be(two, int32_t{7});
  append_be(two, int32_t{-1});
  EXPECT_EQ(shown(list, two), "[7,null]");
  for (size_t cut = 0; cut < two.size(); ++cut) EXPECT_EQ(shown(list, two.substr(0, cut)), "corruption") << cut;
  EXPECT_EQ(shown(list, two + "x"), "corruption");
  EXPECT_EQ(shown(list, header(2)), "out_of_range");
}

}  // namespace
}  // namespace millrace::connect::postgres
