#include "codec/cql/value.h"

#include <gtest/gtest.h>

#include <cmath>
#include <functional>
#include <limits>

#include "base/bytes.h"

namespace millrace::codec::cql {
namespace {

using model::Arena;
using model::ColumnBuilder;
using model::Type;
using model::TypeId;
using Fill = std::function<void(ColumnBuilder&)>;

Type list_of(Type element) { return {.id = TypeId::kList, .fields = {{"element", std::move(element)}}}; }

CqlType cql(std::string_view text) {
  auto type = parse_cql_type(text);
  EXPECT_TRUE(type) << text;
  return *type;
}

/// The one value that `fill` appends, as the hex of a [value].
Result<std::string> encoded(const Type& type, const CqlType& to, const Fill& fill) {
  TRY(ValueEncoder encoder, ValueEncoder::make(type, to));
  Arena arena;
  ColumnBuilder column(type, arena);
  fill(column);
  std::string out = "x";
  auto status = encoder.append(out, column.view(), 0);
  if (!status) {
    EXPECT_EQ(out, "x") << "a refused value leaves nothing";
    return fail(status.error());
  }
  return to_hex(std::string_view(out).substr(1));
}

/// What decodes from the bytes and is written again, behind a NULL and before one.
Result<std::string> back_and_forth(const Type& type, const CqlType& cql_type, std::string_view hex) {
  const std::string bytes = *from_hex(hex);
  Reader in(bytes);
  const Value value = in.value();
  TRY(ValueDecoder decoder, ValueDecoder::make(cql_type, type));
  TRY(ValueEncoder encoder, ValueEncoder::make(type, cql_type));
  Arena arena;
  ColumnBuilder column(type, arena);
  TRY_DO(decoder.append(Value::null(), column));
  TRY_DO(decoder.append(value, column));
  TRY_DO(decoder.append(Value::null(), column));
  EXPECT_EQ(column.size(), 3u);
  std::string out;
  TRY_DO(encoder.append(out, column.view(), 1));
  return to_hex(out);
}

struct Pair {
  Type type;
  std::string_view to;
  Fill fill;
  std::string_view hex;
};

template <class T>
Fill one(T element) {
  return [element](ColumnBuilder& column) { column.append(element); };
}
Fill text(std::string_view v) {
  return [v](ColumnBuilder& column) { column.append_text(v); };
}

void check(const std::vector<Pair>& pairs) {
  for (const Pair& pair : pairs) {
    SCOPED_TRACE(to_sql(pair.type) + " to " + std::string(pair.to));
    auto hex = encoded(pair.type, cql(pair.to), pair.fill);
    ASSERT_TRUE(hex) << hex.error().message;
    EXPECT_EQ(*hex, pair.hex);
    auto again = back_and_forth(pair.type, cql(pair.to), pair.hex);
    ASSERT_TRUE(again) << again.error().message;
    EXPECT_EQ(*again, pair.hex);
  }
}

TEST(CqlValue, Numbers) {
  const __int128 huge = static_cast<__int128>(1) << 100;
  check({
      {{.id = TypeId::kBoolean}, "boolean", one<uint8_t>(1), "0000000101"},
      {{.id = TypeId::kTinyint}, "tinyint", one<int8_t>(-128), "0000000180"},
      {{.id = TypeId::kTinyint}, "bigint", one<int8_t>(-2), "00000008fffffffffffffffe"},
      {{.id = TypeId::kUtinyint}, "smallint", one<uint8_t>(255), "0000000200ff"},
      {{.id = TypeId::kSmallint}, "smallint", one<int16_t>(-32768), "000000028000"},
      {{.id = TypeId::kUsmallint}, "int", one<uint16_t>(65535), "000000040000ffff"},
      {{.id = TypeId::kInteger}, "int", one(std::numeric_limits<int32_t>::min()), "0000000480000000"},
      {{.id = TypeId::kInteger}, "varint", one<int32_t>(-129), "00000002ff7f"},
      {{.id = TypeId::kInteger}, "decimal", one<int32_t>(5), "000000050000000005"},
      {{.id = TypeId::kUinteger}, "bigint", one(std::numeric_limits<uint32_t>::max()), "0000000800000000ffffffff"},
      {{.id = TypeId::kBigint}, "bigint", one(std::numeric_limits<int64_t>::max()), "000000087fffffffffffffff"},
      {{.id = TypeId::kUbigint}, "varint", one(std::numeric_limits<uint64_t>::max()), "0000000900ffffffffffffffff"},
      {{.id = TypeId::kHugeint}, "varint", one(model::to_int128(-huge)), "0000000df0000000000000000000000000"},
      {{.id = TypeId::kFloat}, "float", one(1.5f), "000000043fc00000"},
      {{.id = TypeId::kFloat}, "double", one(1.5f), "000000083ff8000000000000"},
      {{.id = TypeId::kDouble}, "double", one(-std::numeric_limits<double>::infinity()), "00000008fff0000000000000"},
      {{.id = TypeId::kDouble}, "double", one(std::bit_cast<double>(0x7ff8000000000001)), "000000087ff8000000000001"},
      {{.id = TypeId::kDecimal, .width = 4, .scale = 2}, "decimal", one<int16_t>(-1), "0000000500000002ff"},
      {{.id = TypeId::kDecimal, .width = 9, .scale = 0}, "varint", one<int32_t>(1000), "0000000203e8"},
      {{.id = TypeId::kDecimal, .width = 18, .scale = 6}, "decimal", one<int64_t>(128), "00000006000000060080"},
      {{.id = TypeId::kDecimal, .width = 38, .scale = 10},
       "decimal",
       one(model::to_int128(huge)),
       "000000110000000a10000000000000000000000000"},
  });
}

TEST(CqlValue, TextsAndIds) {
  const Uuid uuid = *parse_uuid("f1234567-89ab-1cde-8f01-23456789abcd");
  check({
      {{.id = TypeId::kText}, "text", text(""), "00000000"},
      {{.id = TypeId::kText}, "text", text("zwölf Zeichen und mehr"), "000000177a77c3b66c66205a65696368656e20756e64206d656872"},
      {{.id = TypeId::kText}, "ascii", text("a"), "0000000161"},
      {{.id = TypeId::kText}, "inet", text("127.0.0.1"), "000000047f000001"},
      {{.id = TypeId::kText}, "inet", text("::1"), "0000001000000000000000000000000000000001"},
      {{.id = TypeId::kBlob}, "blob", text(std::string_view("\0\xff", 2)), "0000000200ff"},
      {{.id = TypeId::kUuid}, "uuid", one(model::uuid_to_element(uuid)), "00000010f123456789ab1cde8f0123456789abcd"},
      {{.id = TypeId::kUuid}, "timeuuid", one(model::uuid_to_element(uuid)), "00000010f123456789ab1cde8f0123456789abcd"},
  });
}

TEST(CqlValue, Times) {
  check({
      {{.id = TypeId::kDate}, "date", one<int32_t>(0), "0000000480000000"},
      {{.id = TypeId::kDate}, "date", one<int32_t>(-719162), "000000047ff506c6"},  // 0001-01-01
      {{.id = TypeId::kDate}, "date", one<int32_t>(2932896), "00000004802cc0a0"},  // 9999-12-31
      {{.id = TypeId::kTime}, "time", one<int64_t>(86'399'999'999), "0000000800004e94914efc18"},
      {{.id = TypeId::kTimestampTz}, "timestamp", one<int64_t>(1'000), "000000080000000000000001"},
      {{.id = TypeId::kTimestamp}, "timestamp", one<int64_t>(-62135596800'000'000), "00000008ffffc77cedd32800"},  // year 1
      {{.id = TypeId::kInterval},
       "duration",
       one(model::IntervalElement{1, -0, 1}),
       "000000040200"
       "87d0"},
      {{.id = TypeId::kInterval}, "duration", one(model::IntervalElement{-1, -2, 0}), "00000003010300"},
  });
  EXPECT_EQ(*encoded({.id = TypeId::kTimestamp}, cql("timestamp"), one<int64_t>(-1)), "00000008ffffffffffffffff")
      << "what is finer than a millisecond is cut off towards the past";
  EXPECT_EQ(*encoded({.id = TypeId::kTimestamp}, cql("timestamp"), one<int64_t>(1999)), "000000080000000000000001");
}

Fill three_in_a_list() {
  return [](ColumnBuilder& column) {
    for (int32_t v : {1, 2, 3}) column.child().append(v);
    column.finish_list(3);
  };
}

TEST(CqlValue, Collections) {
  const Type ints = list_of({.id = TypeId::kInteger});
  const Type texts = list_of({.id = TypeId::kText});
  auto empty = [](ColumnBuilder& column) { column.finish_list(0); };
  check({
      {ints, "list<int>", three_in_a_list(),
       "0000001c00000003"
       "0000000400000001"
       "0000000400000002"
       "0000000400000003"},
      {ints, "frozen<set<int>>", empty, "0000000400000000"},
      {ints, "vector<int, 3>", three_in_a_list(),
       "0000000c"
       "000000010000000200000003"},
      {ints, "vector<varint, 3>", three_in_a_list(),
       "00000006"
       "010101020103"},
      {list_of(texts), "list<frozen<list<text>>>",
       [](ColumnBuilder& column) {
         column.child().child().append_text("a");
         column.child().finish_list(1);
         column.child().finish_list(0);
         column.finish_list(2);
       },
       "0000001900000002"
       "0000000900000001"
       "0000000161"
       "0000000400000000"},
  });
}

TEST(CqlValue, MapsAreListsOfKeyAndValue) {
  const Type map =
      list_of({.id = TypeId::kStruct, .fields = {{"key", {.id = TypeId::kText}}, {"value", {.id = TypeId::kInteger}}}});
  check({{map, "map<text, int>",
          [](ColumnBuilder& column) {
            column.child().child(0).append_text("k");
            column.child().child(1).append<int32_t>(7);
            column.child().finish_struct();
            column.finish_list(1);
          },
          "00000011"
          "00000001"
          "000000016b"
          "0000000400000007"}});
}

CqlType address() {
  CqlType type{.id = CqlTypeId::kUdt, .field_names = {"Street", "no", "later"}, .name = "address"};
  type.args = {cql("text"), cql("int"), cql("text")};
  return type;
}

TEST(CqlValue, Structs) {
  const Type type{.id = TypeId::kStruct, .fields = {{"no", {.id = TypeId::kInteger}}, {"street", {.id = TypeId::kText}}}};
  auto fill = [](ColumnBuilder& column) {
    column.child(0).append<int32_t>(5);
    column.child(1).append_null();
    column.finish_struct();
  };
  // Fields go by name, in the order of the CQL type.
  EXPECT_EQ(*encoded(type, address(), fill),
            "00000010"
            "ffffffff"
            "0000000400000005"
            "ffffffff");
  EXPECT_EQ(*back_and_forth(type, address(),
                            "0000000d"
                            "0000000161"
                            "0000000400000005"),
            "00000011"
            "0000000161"
            "0000000400000005"
            "ffffffff");
  EXPECT_EQ(*encoded(type, cql("tuple<int, text>"), fill),
            "0000000c"
            "0000000400000005"
            "ffffffff");
  EXPECT_EQ(*back_and_forth(type, cql("tuple<int, text>"),
                            "00000008"
                            "0000000400000005"),
            "0000000c"
            "0000000400000005"
            "ffffffff");
  Type more = type;
  more.fields.push_back({"zip", {.id = TypeId::kText}});
  EXPECT_EQ(check_writable(more, address()).error().message, "the type address has no field zip");
}

TEST(CqlValue, NullIsNull) {
  for (const Type& type : {Type{.id = TypeId::kText}, Type{.id = TypeId::kBigint}, list_of({.id = TypeId::kText})}) {
    EXPECT_EQ(*encoded(type, *natural_cql_type(type), [](ColumnBuilder& column) { column.append_null(); }), "ffffffff");
  }
}

TEST(CqlValue, ValuesThatTheTypeCannotHoldAreRefused) {
  auto refused = [](const Type& type, std::string_view to, const Fill& fill) {
    auto out = encoded(type, cql(to), fill);
    EXPECT_FALSE(out) << to;
    if (!out) EXPECT_EQ(out.error().code, Errc::kInvalidArgument);
    return out ? "" : out.error().message;
  };
  EXPECT_EQ(refused(list_of({.id = TypeId::kInteger}), "list<int>",
                    [](ColumnBuilder& column) {
                      column.child().append<int32_t>(1);
                      column.child().append_null();
                      column.finish_list(2);
                    }),
            "a collection cannot hold NULL");
  refused(list_of({.id = TypeId::kInteger}), "vector<int, 2>", three_in_a_list());
  refused({.id = TypeId::kText}, "ascii", text("é"));
  refused({.id = TypeId::kText}, "inet", text("localhost"));
  refused({.id = TypeId::kUuid}, "timeuuid", one(model::uuid_to_element(*parse_uuid("01234567-89ab-4cde-8f01-23456789abcd"))));
  refused({.id = TypeId::kDate}, "date", one(std::numeric_limits<int32_t>::max()));
  refused({.id = TypeId::kTime}, "time", one<int64_t>(86'400'000'000));
  refused({.id = TypeId::kTimestamp}, "timestamp", one(std::numeric_limits<int64_t>::max()));
  refused({.id = TypeId::kTimestampTz}, "timestamp", one(-std::numeric_limits<int64_t>::max()));
  refused({.id = TypeId::kInterval}, "duration", one(model::IntervalElement{1, -1, 0}));
  refused({.id = TypeId::kInterval}, "duration", one(model::IntervalElement{0, 0, std::numeric_limits<int64_t>::max()}));
}

TEST(CqlValue, PairsThatWouldLoseAreRefused) {
  struct Bad {
    Type type;
    std::string_view to;
  };
  for (const auto& [type, to] :
       {Bad{{.id = TypeId::kBigint}, "int"}, Bad{{.id = TypeId::kUinteger}, "int"}, Bad{{.id = TypeId::kUbigint}, "bigint"},
        Bad{{.id = TypeId::kBigint}, "counter"}, Bad{{.id = TypeId::kDouble}, "float"}, Bad{{.id = TypeId::kText}, "uuid"},
        Bad{{.id = TypeId::kTimestamp}, "date"}, Bad{{.id = TypeId::kDecimal, .width = 9, .scale = 2}, "varint"},
        Bad{list_of({.id = TypeId::kBigint}), "list<int>"}, Bad{{.id = TypeId::kText}, "list<text>"},
        Bad{list_of({.id = TypeId::kText}), "text"}, Bad{list_of({.id = TypeId::kText}), "map<text, text>"}}) {
    EXPECT_FALSE(check_writable(type, cql(to))) << to_sql(type) << " " << to;
  }
  auto error = check_writable({.id = TypeId::kTimestamp}, cql("int")).error();
  EXPECT_EQ(error.message, "TIMESTAMP cannot be written to int");
  EXPECT_EQ(error.hint, "a TIMESTAMP can be written to timestamp; else CAST it in the query");
  EXPECT_EQ(check_writable({.id = TypeId::kUsmallint}, cql("text")).error().hint,
            "a USMALLINT can be written to int, bigint, varint or decimal; else CAST it in the query");
}

TEST(CqlValue, NaturalTypes) {
  for (int id = 1; id <= static_cast<int>(TypeId::kInterval); ++id) {
    const Type type{.id = static_cast<TypeId>(id), .width = 10, .scale = 2};
    auto natural = natural_cql_type(type);
    ASSERT_TRUE(natural) << id;
    EXPECT_TRUE(check_writable(type, *natural)) << to_sql(type);
    EXPECT_TRUE(ValueDecoder::make(*natural, type)) << to_sql(type);
  }
  EXPECT_EQ(to_cql(*natural_cql_type(list_of(list_of({.id = TypeId::kText})))), "frozen<list<frozen<list<text>>>>");
  EXPECT_FALSE(natural_cql_type({.id = TypeId::kStruct, .fields = {{"a", {}}}}));
  EXPECT_FALSE(natural_cql_type(list_of({.id = TypeId::kStruct, .fields = {{"a", {}}}})));
  for (std::string_view text : {"ascii",
                                "bigint",
                                "blob",
                                "boolean",
                                "counter",
                                "decimal",
                                "double",
                                "float",
                                "int",
                                "timestamp",
                                "uuid",
                                "text",
                                "varint",
                                "timeuuid",
                                "inet",
                                "date",
                                "time",
                                "smallint",
                                "tinyint",
                                "duration",
                                "map<text, frozen<set<int>>>",
                                "tuple<int, vector<float, 2>>",
                                "unknown_udt",
                                "'org.example.My'"}) {
    EXPECT_TRUE(ValueDecoder::make(cql(text), natural_sql_type(cql(text)))) << text;
  }
  CqlType twins{.id = CqlTypeId::kUdt, .field_names = {"a", "A", "A_2"}, .name = "twins"};
  twins.args = {cql("int"), cql("int"), cql("int")};
  EXPECT_EQ(to_sql(natural_sql_type(twins)), "STRUCT(\"a\" INTEGER, \"A_2\" INTEGER, \"A_2_2\" INTEGER)");
}

TEST(CqlValue, EmptyValuesAreNullButForTextAndBlob) {
  EXPECT_EQ(*back_and_forth({.id = TypeId::kInteger}, cql("int"), "00000000"), "ffffffff");
  EXPECT_EQ(*back_and_forth({.id = TypeId::kBlob}, cql("blob"), "00000000"), "00000000");
}

TEST(CqlValue, DamagedBytesAreNoticedAndTakenBack) {
  struct Bad {
    std::string_view type;
    std::string_view hex;
  };
  for (auto [type, hex] :
       {Bad{"int", "00000003000000"}, Bad{"boolean", "000000020000"}, Bad{"text", "00000001ff"},
        Bad{"list<int>", "0000000400000002"},
        Bad{"list<int>",
            "00000009"
            "00000001"
            "0000000400"},
        Bad{"list<text>",
            "0000000e"
            "00000002"
            "0000000161"
            "00000001ff"},
        Bad{"uuid", "0000000100"}, Bad{"vector<int, 2>", "0000000400000001"}, Bad{"map<int, int>", "0000000400000001"},
        Bad{"decimal", "0000000400000000"}, Bad{"time", "00000008ffffffffffffffff"}, Bad{"duration", "0000000100"},
        Bad{"tuple<int, list<text>>",
            "00000014"
            "0000000400000001"
            "00000008"
            "00000002"
            "00000000"},
        Bad{"timestamp", "000000087fffffffffffffff"},
        Bad{"varint",
            "00000011"
            "0100000000000000000000000000000000"}}) {
    const Type sql = natural_sql_type(cql(type));
    auto decoder = ValueDecoder::make(cql(type), sql);
    ASSERT_TRUE(decoder) << type;
    const std::string bytes = *from_hex(hex);
    Arena arena;
    ColumnBuilder column(sql, arena);
    EXPECT_TRUE(decoder->append(Value::null(), column));
    EXPECT_FALSE(decoder->append(Value::of(std::string_view(bytes).substr(4)), column)) << type;
    EXPECT_EQ(column.size(), 1u);
    EXPECT_TRUE(decoder->append(Value::null(), column));
    if (sql.id == TypeId::kList) EXPECT_EQ(column.child().size(), 0u) << type;
    if (sql.id == TypeId::kStruct) {
      for (size_t i = 0; i < sql.fields.size(); ++i) EXPECT_EQ(column.child(i).size(), 2u) << type;
    }
  }
}

TEST(CqlValue, DecimalsAreReadWhenTheyAreExact) {
  const Type money{.id = TypeId::kDecimal, .width = 6, .scale = 2};
  Arena arena;
  ColumnBuilder column(money, arena);
  auto decoder = ValueDecoder::make(cql("decimal"), money);
  auto read = [&](std::string_view hex) { return bool(decoder->append(Value::of(*from_hex(hex)), column)); };
  EXPECT_TRUE(read("0000000305dc"));   // 1.500
  EXPECT_TRUE(read("fffffffe05"));     // 5E+2
  EXPECT_FALSE(read("0000000305dd"));  // 1.501
  EXPECT_FALSE(read("fffffffc05"));    // 50000.00 has 7 digits
  EXPECT_FALSE(read("8000000005"));
  EXPECT_EQ(column.size(), 2u);
  EXPECT_EQ(column.view().at<int32_t>(0), 150);
  EXPECT_EQ(column.view().at<int32_t>(1), 50000);
}

}  // namespace
}  // namespace millrace::codec::cql
