#include "table/key_codec.h"

#include <gtest/gtest.h>

#include <cmath>
#include <limits>
#include <random>

#include "base/bytes.h"

namespace millrace::table {
namespace {

using model::ColumnBuilder;
using model::Int128;
using model::Type;
using model::TypeId;

class KeyCodecTest : public testing::Test {
 protected:
  std::mt19937_64 random_{7};

  /// Random bits, often near the ends of the range and near zero.
  uint64_t bits() {
    switch (random_() % 4) {
      case 0: return random_() % 3;
      case 1: return ~(random_() % 3);
      case 2: return (uint64_t{1} << 63) + random_() % 3 - 1;
      default: return random_() >> random_() % 64;
    }
  }
  std::string text() {
    std::string out;
    for (size_t i = random_() % 6; i > 0; --i) out += "\0\1a\xff"[random_() % 4];
    return out;
  }

  /// Encodes `values` in both directions: byte order must be value order, and decoding must give the value back.
  template <class T, class Less, class Same>
  void check(const Type& type, const std::vector<T>& values, Less less, Same same) {
    model::Arena arena;
    ColumnBuilder column(type, arena);
    for (const T& value : values) append(column, value);
    model::Column view = column.view();
    for (bool descending : {false, true}) {
      std::vector<std::string> keys(values.size());
      ColumnBuilder decoded(type, arena);
      for (size_t i = 0; i < values.size(); ++i) {
        append_key_element(keys[i], view, i, descending);
        ASSERT_LE(keys[i].size(), key_element_bound(view, i));
        std::string followed = keys[i] + "tail";
        std::string_view rest = followed;
        ASSERT_TRUE(take_key_element(rest, type, descending, &decoded));
        ASSERT_EQ(rest, "tail");
        rest = followed;
        ASSERT_TRUE(take_key_element(rest, type, descending, nullptr));
        ASSERT_EQ(rest, "tail");
        ASSERT_TRUE(same(get<T>(decoded.view(), i), values[i]));
        rest = std::string_view(keys[i]).substr(0, keys[i].size() - 1);
        ASSERT_FALSE(take_key_element(rest, type, descending, nullptr)) << "cut short";
      }
      for (size_t i = 0; i < values.size(); ++i) {
        for (size_t j = 0; j < values.size(); ++j) {
          bool expected = descending ? less(values[j], values[i]) : less(values[i], values[j]);
          ASSERT_EQ(keys[i] < keys[j], expected) << model::to_sql(type) << " " << to_hex(keys[i]) << " " << to_hex(keys[j]);
          ASSERT_FALSE(i != j && keys[i] != keys[j] && keys[j].starts_with(keys[i])) << "a key is the prefix of another";
        }
      }
    }
  }
  template <class T>
  void check(const Type& type, const std::vector<T>& values) {
    check(type, values, std::less<T>(), std::equal_to<T>());
  }
  template <class T>
  void check_integers(Type type) {
    std::vector<T> values;
    for (int i = 0; i < 120; ++i) values.push_back(static_cast<T>(bits()));
    check(type, values);
  }
  template <class T>
  static void append(ColumnBuilder& column, const T& value) {
    if constexpr (std::is_same_v<T, std::string>) {
      column.append_text(value);
    } else {
      column.append(value);
    }
  }
  template <class T>
  static T get(const model::Column& column, size_t row) {
    if constexpr (std::is_same_v<T, std::string>) {
      return std::string(column.text(row));
    } else {
      return column.at<T>(row);
    }
  }
};

TEST_F(KeyCodecTest, IntegersKeepTheirOrder) {
  check_integers<int8_t>({TypeId::kTinyint});
  check_integers<int16_t>({TypeId::kSmallint});
  check_integers<int32_t>({TypeId::kInteger});
  check_integers<int64_t>({TypeId::kBigint});
  check_integers<uint8_t>({TypeId::kUtinyint});
  check_integers<uint16_t>({TypeId::kUsmallint});
  check_integers<uint32_t>({TypeId::kUinteger});
  check_integers<uint64_t>({TypeId::kUbigint});
  check_integers<int32_t>({TypeId::kDate});
  check_integers<int64_t>({TypeId::kTime});
  check_integers<int64_t>({TypeId::kTimestamp});
  check_integers<int64_t>({TypeId::kTimestampTz});
  check_integers<int16_t>({TypeId::kDecimal, 4, 2});
  check_integers<int32_t>({TypeId::kDecimal, 9, 2});
  check_integers<int64_t>({TypeId::kDecimal, 18, 2});
  check<uint8_t>({TypeId::kBoolean}, {0, 1});
}

TEST_F(KeyCodecTest, WideIntegersAndUuidsKeepTheirOrder) {
  std::vector<Int128> values;
  for (int i = 0; i < 120; ++i) values.push_back({bits(), static_cast<int64_t>(bits())});
  auto less = [](Int128 a, Int128 b) { return model::from_int128(a) < model::from_int128(b); };
  check(Type{TypeId::kHugeint}, values, less, std::equal_to<Int128>());
  check(Type{TypeId::kDecimal, 38, 3}, values, less, std::equal_to<Int128>());
  check(Type{TypeId::kUuid}, values, less, std::equal_to<Int128>());
}

TEST_F(KeyCodecTest, GoldenBytes) {
  model::Arena arena;
  Type integer{TypeId::kInteger};
  Type text{TypeId::kText};
  ColumnBuilder seven(integer, arena);
  ColumnBuilder a(text, arena);
  seven.append(int32_t{7});
  a.append_text("a");
  std::string key = table_prefix(1);
  append_key_element(key, seven.view(), 0, false);
  append_key_element(key, a.view(), 0, false);
  append_key_element(key, a.view(), 0, true);
  EXPECT_EQ(to_hex(key), "00000001800000076100019efffe");
}

TEST_F(KeyCodecTest, AUuidIsItsSixteenBytes) {
  model::Arena arena;
  Type type{TypeId::kUuid};
  ColumnBuilder column(type, arena);
  Uuid uuid = *parse_uuid("0f3c5a77-8d21-4a9b-b1a5-00112233ffee");
  column.append(model::uuid_to_element(uuid));
  std::string key;
  append_key_element(key, column.view(), 0, false);
  EXPECT_EQ(to_hex(key), "0f3c5a778d214a9bb1a500112233ffee");
}

template <class F>
std::vector<F> some_floats(std::mt19937_64& random) {
  using L = std::numeric_limits<F>;
  std::vector<F> values = {
      0,        F(1),        F(-1),  L::infinity(), -L::infinity(), L::quiet_NaN(), L::denorm_min(), -L::denorm_min(),
      L::max(), L::lowest(), F(-0.0)};
  for (int i = 0; i < 80; ++i)
    values.push_back(
        static_cast<F>(std::ldexp(static_cast<double>(static_cast<int64_t>(random())), static_cast<int>(random() % 80) - 100)));
  return values;
}

TEST_F(KeyCodecTest, FloatsAreTotallyOrdered) {
  auto less = [](auto a, auto b) { return std::isnan(a) ? false : std::isnan(b) ? true : a < b; };  // DuckDB: NaN is the greatest
  auto same = [](auto a, auto b) { return (std::isnan(a) && std::isnan(b)) || a == b; };
  check(Type{TypeId::kDouble}, some_floats<double>(random_), less, same);
  check(Type{TypeId::kFloat}, some_floats<float>(random_), less, same);
}

TEST_F(KeyCodecTest, TextsKeepTheirOrder) {
  std::vector<std::string> values = {"",   std::string(1, '\0'),      std::string("\0\0", 2),
                                     "a",  std::string("a\0", 2),     std::string("a\0b", 3),
                                     "ab", "longer than twelve bytes"};
  for (int i = 0; i < 100; ++i) values.push_back(text());
  check(Type{TypeId::kText}, values);
  check(Type{TypeId::kBlob}, values);
}

TEST_F(KeyCodecTest, WrongEscapesAreRefused) {
  for (const std::string& bytes : {std::string("a\0\2", 3), std::string("a\0", 2), std::string("abc"), std::string()}) {
    std::string_view rest = bytes;
    EXPECT_FALSE(take_key_text(rest)) << to_hex(bytes);
  }
}

TEST_F(KeyCodecTest, PrefixesHaveSuccessors) {
  EXPECT_EQ(after_prefix("a"), "b");
  EXPECT_EQ(after_prefix("a\xff\xff"), "b");
  EXPECT_EQ(after_prefix("\xff"), "");
  EXPECT_EQ(after_prefix(""), "");
  EXPECT_EQ(to_hex(table_prefix(258)), "00000102");
}

TEST_F(KeyCodecTest, NestedTypesAreNoKeys) {
  EXPECT_FALSE(can_be_key({TypeId::kList, 0, 0, {{"element", {TypeId::kText}}}}));
  EXPECT_FALSE(can_be_key({TypeId::kStruct, 0, 0, {{"a", {TypeId::kText}}}}));
  EXPECT_FALSE(can_be_key({TypeId::kInterval}));
}

}  // namespace
}  // namespace millrace::table
