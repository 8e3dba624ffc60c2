#include "codec/cql/murmur3.h"

#include <gtest/gtest.h>

#include <limits>

#include "base/bytes.h"

namespace millrace::codec::cql {
namespace {

TEST(CqlMurmur3, TokensAreCassandras) {
  EXPECT_EQ(murmur3_token(*from_hex("00000001")), -4069959284402364209);
  EXPECT_EQ(murmur3_token("a"), -8839064797231613815);
  EXPECT_EQ(murmur3_token("foo"), -2129773440516405919);
  EXPECT_EQ(murmur3_token(*from_hex("ff80")), 8915363533249992128) << "the tail's bytes are signed";
  EXPECT_EQ(murmur3_token(std::string(17, '\x80')), -7492040465024918340);
  EXPECT_EQ(murmur3_token(""), std::numeric_limits<int64_t>::min());
}

TEST(CqlMurmur3, KeysOfSeveralColumns) {
  std::string key;
  append_key_component(key, *from_hex("00000001"));
  append_key_component(key, "a");
  EXPECT_EQ(to_hex(key), "0004000000010000016100");
  EXPECT_EQ(murmur3_token(key), 6516349416904725244);
}

}  // namespace
}  // namespace millrace::codec::cql
