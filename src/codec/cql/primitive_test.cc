#include "codec/cql/primitive.h"

#include <gtest/gtest.h>

#include <limits>

#include "base/bytes.h"
#include "codec/cql/big_integer.h"

namespace millrace::codec::cql {
namespace {

TEST(CqlPrimitive, UnsignedVintsOfEveryLength) {
  struct Case {
    uint64_t v;
    std::string_view hex;
  };
  // Lengths from one byte to nine; 256000 is the protocol's own example (section 3).
  for (auto [v, hex] : {Case{0, "00"}, Case{127, "7f"}, Case{128, "8080"}, Case{16383, "bfff"}, Case{16384, "c04000"},
                        Case{256000, "c3e800"}, Case{(uint64_t{1} << 56) - 1, "feffffffffffffff"},
                        Case{uint64_t{1} << 56, "ff0100000000000000"}, Case{UINT64_MAX, "ffffffffffffffffff"}}) {
    std::string out;
    put_unsigned_vint(out, v);
    EXPECT_EQ(to_hex(out), hex) << v;
    Reader in(out);
    EXPECT_EQ(in.unsigned_vint(), v);
    EXPECT_TRUE(in.ok() && in.empty());
  }
}

TEST(CqlPrimitive, SignedVintsComeBack) {
  for (int64_t v : {int64_t{0}, int64_t{-1}, int64_t{1}, int64_t{-64}, int64_t{64}, std::numeric_limits<int64_t>::min(),
                    std::numeric_limits<int64_t>::max()}) {
    std::string out;
    put_vint(out, v);
    Reader in(out);
    EXPECT_EQ(in.vint(), v);
    EXPECT_TRUE(in.ok() && in.empty());
  }
}

TEST(CqlPrimitive, AllNotationsComeBack) {
  const StringMap map = {{"CQL_VERSION", "3.0.0"}, {"", ""}};
  const StringMultimap multimap = {{"COMPRESSION", {"lz4", "snappy"}}, {"NONE", {}}};
  const Inet inet{*parse_inet("2001:db8::1"), 9042};
  std::string out;
  put_byte(out, 200);
  put_short(out, 65535);
  put_string(out, "text");
  put_long_string(out, "long text");
  put_bytes(out, "");
  put_null(out);
  put_value(out, Value::unset());
  put_string_list(out, {"a", "b"});
  put_string_map(out, map);
  put_string_multimap(out, multimap);
  put_inet(out, inet);
  Reader in(out);
  EXPECT_EQ(in.byte(), 200);
  EXPECT_EQ(in.u16(), 65535);
  EXPECT_EQ(in.string(), "text");
  EXPECT_EQ(in.long_string(), "long text");
  EXPECT_EQ(in.bytes(), "");
  EXPECT_EQ(in.bytes(), std::nullopt);
  EXPECT_EQ(in.value(), Value::unset());
  EXPECT_EQ(in.string_list(), (std::vector<std::string>{"a", "b"}));
  EXPECT_EQ(in.string_map(), map);
  EXPECT_EQ(in.string_multimap(), multimap);
  EXPECT_EQ(in.inet(), inet);
  EXPECT_TRUE(in.ok() && in.empty());
}

TEST(CqlPrimitive, TheFirstFailureIsTold) {
  Reader in(
      std::string_view("\0\x05"
                       "ab",
                       4));
  EXPECT_EQ(in.string(), "");
  EXPECT_EQ(in.i32(), 0);
  EXPECT_EQ(in.status("QUERY").error().message, "QUERY: cut short at byte 2");
  Reader value(std::string_view("\xff\xff\xff\xfd", 4));
  value.value();
  EXPECT_FALSE(value.ok());
}

TEST(CqlPrimitive, CountsOfMoreThanThereIsAllocateNothing) {
  std::string out;
  put_int(out, std::numeric_limits<int32_t>::max());
  Reader in(out);
  EXPECT_EQ(in.count(4), 0u);
  EXPECT_FALSE(in.ok());
}

TEST(CqlPrimitive, LongMessagesAreCutBetweenCharacters) {
  std::string out;
  put_cut_string(out, std::string(65534, 'x') + "é");
  EXPECT_EQ(out.size(), 2u + 65534u);
}

TEST(CqlPrimitive, Addresses) {
  EXPECT_EQ(format_inet(*parse_inet("127.0.0.1")), "127.0.0.1");
  EXPECT_EQ(format_inet(*parse_inet("::1")), "::1");
  EXPECT_FALSE(parse_inet("127.0.0"));
  EXPECT_FALSE(parse_inet(std::string_view("::1\0x", 5)));
}

TEST(CqlPrimitive, ConsistencyNames) {
  EXPECT_EQ(parse_consistency("local_quorum"), Consistency::kLocalQuorum);
  EXPECT_EQ(consistency_name(Consistency::kLocalOne), "LOCAL_ONE");
  EXPECT_FALSE(parse_consistency("QUORUMS"));
}

TEST(CqlPrimitive, BigIntegersTakeAsFewBytesAsTheyNeed) {
  constexpr __int128 kMax = static_cast<__int128>(~static_cast<unsigned __int128>(0) >> 1);
  struct Case {
    __int128 v;
    std::string_view hex;
  };
  // java.math.BigInteger.toByteArray.
  for (auto [v, hex] : {Case{0, "00"}, Case{127, "7f"}, Case{128, "0080"}, Case{-1, "ff"}, Case{-128, "80"}, Case{-129, "ff7f"},
                        Case{kMax, "7fffffffffffffffffffffffffffffff"}, Case{-kMax - 1, "80000000000000000000000000000000"}}) {
    std::string out;
    append_big_integer(out, v);
    EXPECT_EQ(to_hex(out), hex);
    EXPECT_TRUE(read_big_integer(out) == v);
    EXPECT_TRUE(read_big_integer(std::string(4, v < 0 ? '\xff' : '\0') + out) == v) << "with a longer sign";
  }
  EXPECT_FALSE(read_big_integer(""));
  EXPECT_FALSE(read_big_integer(std::string("\x01") + std::string(16, '\0')));
  EXPECT_FALSE(read_big_integer(std::string(1, '\0') + std::string(16, '\xff')));
}

}  // namespace
}  // namespace millrace::codec::cql
