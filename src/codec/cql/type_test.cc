#include "codec/cql/type.h"

#include <gtest/gtest.h>

namespace millrace::codec::cql {
namespace {

CqlType parsed(std::string_view text) {
  auto type = parse_cql_type(text);
  EXPECT_TRUE(type) << text << (type ? "" : type.error().message);
  return type.value_or(CqlType{});
}

TEST(CqlTypeText, ComesBack) {
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
                                "list<int>",
                                "frozen<set<text>>",
                                "map<text, frozen<list<int>>>",
                                "tuple<int, text, frozen<map<int, int>>>",
                                "vector<float, 3>",
                                "address",
                                "frozen<\"Address\">",
                                "frozen<\"a\"\"b<>\">",
                                "\"int\"",
                                "'org.example.MyType'",
                                "list<frozen<address>>"}) {
    EXPECT_EQ(to_cql(parsed(text)), text);
  }
}

TEST(CqlTypeText, SpacesAndCaseDoNotMatter) {
  EXPECT_EQ(to_cql(parsed(" MAP < Text ,Frozen<LIST<VarChar> > > ")), "map<text, frozen<list<text>>>");
  EXPECT_EQ(parsed("Shop.Address").name, "address");
  EXPECT_EQ(parsed("Shop.Address").keyspace, "shop");
  EXPECT_EQ(parsed("'org.apache.cassandra.db.marshal.DurationType'").id, CqlTypeId::kDuration);
}

TEST(CqlTypeText, WhatIsNoTypeIsRefused) {
  for (std::string_view text :
       {"", "list<", "list<int", "list<int>>", "map<int>", "int<text>", "vector<float>", "vector<float, 0>", "vector<float, x>",
        "\"", "\"\"", "'", "5", "frozen<int, int>", "tuple<>", "a.", "list int"}) {
    EXPECT_FALSE(parse_cql_type(text)) << text;
  }
  EXPECT_EQ(parse_cql_type("list<int").error().message, "CQL type \"list<int\": > is missing at byte 8");
}

TEST(CqlTypeText, DepthIsLimited) {
  auto nested = [](int depth) {
    std::string text;
    for (int i = 0; i < depth; ++i) text += "list<";
    return text + "int" + std::string(static_cast<size_t>(depth), '>');
  };
  EXPECT_TRUE(parse_cql_type(nested(kTypeDepthMax)));
  EXPECT_FALSE(parse_cql_type(nested(kTypeDepthMax + 1)));
  EXPECT_FALSE(parse_cql_type(nested(100'000)));
}

TEST(CqlTypeWire, EveryTypeComesBackInEveryVersion) {
  CqlType udt{.id = CqlTypeId::kUdt, .field_names = {"Street", "no"}, .keyspace = "shop", .name = "address"};
  udt.args = {parsed("text"), parsed("tuple<int, duration>")};
  std::vector<CqlType> types = {udt};
  for (std::string_view text : {"ascii", "bigint", "counter", "time", "smallint", "tinyint", "date", "duration", "list<uuid>",
                                "map<text, set<inet>>", "vector<float, 3>", "vector<vector<text, 2>, 5>", "'org.example.MyType'",
                                "vector<tuple<int, text>, 2>", "vector<set<int>, 2>", "vector<map<int, list<text>>, 2>"}) {
    types.push_back(parsed(text));
  }
  for (Version version : {Version::kV3, Version::kV4, Version::kV5}) {
    for (const CqlType& type : types) {
      std::string bytes;
      put_type(bytes, version, type);
      Reader in(bytes);
      EXPECT_EQ(read_type(in), type) << to_cql(type);
      EXPECT_TRUE(in.ok() && in.empty());
    }
  }
}

TEST(CqlTypeWire, ClassesBeforeTheVersionThatHasANumber) {
  std::string bytes;
  put_type(bytes, Version::kV4, parsed("duration"));
  EXPECT_EQ(bytes.substr(4), "org.apache.cassandra.db.marshal.DurationType");
  bytes.clear();
  put_type(bytes, Version::kV5, parsed("vector<float, 3>"));
  EXPECT_EQ(bytes.substr(4), "org.apache.cassandra.db.marshal.VectorType(org.apache.cassandra.db.marshal.FloatType , 3)");
}

TEST(CqlTypeWire, DamageIsNoticed) {
  for (std::string_view bytes : {std::string_view("\0\x0a", 2), std::string_view("\xff\xff", 2), std::string_view("\0\x20", 2),
                                 std::string_view("\0\x31\0\2\0\1", 6)}) {
    Reader in(bytes);
    read_type(in);
    EXPECT_FALSE(in.ok());
  }
  std::string deep;
  for (int i = 0; i < 1000; ++i) deep += std::string_view("\0\x20", 2);
  Reader in(deep);
  read_type(in);
  EXPECT_FALSE(in.ok());
}

TEST(CqlTypeUdt, FieldsAreFoundAtEveryDepth) {
  CqlType address{.id = CqlTypeId::kUdt, .field_names = {"at"}, .keyspace = "shop", .name = "address"};
  address.args = {parsed("frozen<place>")};
  CqlType place{.id = CqlTypeId::kUdt, .field_names = {"x"}, .keyspace = "shop", .name = "place"};
  place.args = {parsed("int")};
  CqlType loop{.id = CqlTypeId::kUdt, .field_names = {"a", "b"}, .name = "loop"};
  loop.args = {parsed("loop"), parsed("loop")};
  auto find = [&](std::string_view name) -> const CqlType* {
    for (const CqlType* type : {&address, &place, &loop}) {
      if (type->name == name) return type;
    }
    return nullptr;
  };
  CqlType type = parsed("list<frozen<address>>");
  ASSERT_TRUE(resolve_udts(type, find));
  EXPECT_TRUE(type.args[0].frozen);
  EXPECT_EQ(type.args[0].args[0].args[0].id, CqlTypeId::kInt);
  CqlType unknown = parsed("list<person>");
  EXPECT_EQ(resolve_udts(unknown, find).error().message, "the keyspace has no type person");
  CqlType endless = parsed("loop");
  EXPECT_EQ(resolve_udts(endless, find).error().code, Errc::kInvalidArgument);
}

TEST(CqlTypeUdt, TypesThatMultiplyAreRefused) {
  std::vector<CqlType> types;
  for (int i = 0; i < 12; ++i) {
    CqlType& type = types.emplace_back(CqlType{.id = CqlTypeId::kUdt, .name = "t" + std::to_string(i)});
    for (int field = 0; field < 4; ++field) {
      type.field_names.push_back("f" + std::to_string(field));
      type.args.push_back(parsed("t" + std::to_string(i + 1)));
    }
  }
  types.back().args = std::vector<CqlType>(4, parsed("int"));
  auto find = [&](std::string_view name) { return &types.at(std::stoul(std::string(name.substr(1)))); };
  CqlType few = parsed("t8");
  EXPECT_TRUE(resolve_udts(few, find));
  CqlType many = parsed("t0");
  EXPECT_FALSE(resolve_udts(many, find));
}

TEST(CqlTypeText, Identifiers) {
  EXPECT_EQ(quote_cql_identifier("name_2"), "name_2");
  EXPECT_EQ(quote_cql_identifier("Name"), "\"Name\"");
  EXPECT_EQ(quote_cql_identifier("order"), "\"order\"");
  EXPECT_EQ(quote_cql_identifier("a\"b"), "\"a\"\"b\"");
  EXPECT_EQ(quote_cql_identifier("2a"), "\"2a\"");
}

}  // namespace
}  // namespace millrace::codec::cql
