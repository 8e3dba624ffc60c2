#include "format/avro_schema.h"

#include <gtest/gtest.h>

namespace millrace::format {
namespace {

std::string error_of(std::string_view text) {
  auto schema = AvroSchema::parse(text);
  return schema ? "" : schema.error().message;
}

TEST(AvroSchema, names_are_found_in_their_namespace_then_as_they_stand) {
  auto schema = AvroSchema::parse(R"({"type":"record","name":"R","namespace":"a.b","fields":[
    {"name":"x","type":{"type":"enum","name":"E","symbols":["S"]}},
    {"name":"y","type":"E"},{"name":"z","type":"a.b.E","aliases":["old"]},
    {"name":"other","type":{"type":"fixed","name":"c.F","size":3}},{"name":"again","type":["null","c.F"],"default":null}]})");
  ASSERT_TRUE(schema) << schema.error().message;
  const AvroNode& root = (*schema)->node((*schema)->root());
  EXPECT_EQ(root.name, "a.b.R");
  EXPECT_EQ((*schema)->node(root.fields[0].node).name, "a.b.E");
  EXPECT_EQ(root.fields[1].node, root.fields[0].node);
  EXPECT_EQ(root.fields[2].node, root.fields[0].node);
  EXPECT_EQ(root.fields[2].aliases, std::vector<std::string>{"old"});
  EXPECT_EQ((*schema)->node((*schema)->node(root.fields[4].node).nodes[1]).size, 3u);
  EXPECT_TRUE(root.fields[4].otherwise->is_null());
  EXPECT_FALSE(root.fields[3].otherwise);
}

TEST(AvroSchema, logical_types_that_do_not_fit_their_kind_are_none) {
  auto logical = [](std::string_view text) {
    auto schema = AvroSchema::parse(text);
    return std::string(avro_word((*schema)->node((*schema)->root())));
  };
  EXPECT_EQ(logical(R"({"type":"int","logicalType":"date"})"), "date");
  EXPECT_EQ(logical(R"({"type":"long","logicalType":"date"})"), "long");
  EXPECT_EQ(logical(R"({"type":"long","logicalType":"timestamp-nanos"})"), "timestamp-nanos");
  EXPECT_EQ(logical(R"({"type":"long","logicalType":"of-tomorrow"})"), "long");
  EXPECT_EQ(logical(R"({"type":"bytes","logicalType":"decimal","precision":4,"scale":5})"), "bytes");
  EXPECT_EQ(logical(R"({"type":"bytes","logicalType":"decimal","precision":4})"), "decimal");
  EXPECT_EQ(logical(R"({"type":"fixed","name":"U","size":16,"logicalType":"uuid"})"), "uuid");
  EXPECT_EQ(logical(R"({"type":"fixed","name":"U","size":15,"logicalType":"uuid"})"), "fixed");
  EXPECT_EQ(logical(R"("string")"), "string");
}

TEST(AvroSchema, references_bring_their_names) {
  std::vector<std::string> references = {R"({"type":"enum","name":"c.Color","symbols":["RED"]})",
                                         R"({"type":"record","name":"c.Shop","fields":[{"name":"color","type":"c.Color"}]})"};
  auto schema = AvroSchema::parse(R"(["null","c.Shop"])", references);
  ASSERT_TRUE(schema) << schema.error().message;
  EXPECT_EQ((*schema)->node((*schema)->node((*schema)->root()).nodes[1]).fields[0].name, "color");
}

TEST(AvroSchema, says_what_is_wrong) {
  EXPECT_EQ(error_of(R"("Nobody")"), "Avro schema: the type 'Nobody' is not known");
  EXPECT_EQ(error_of(R"({"type":"record","name":"R"})"), "Avro schema: the record 'R' has no list of fields");
  EXPECT_EQ(error_of(R"({"type":"record","name":"R","fields":[{"name":"a"}]})"),
            "Avro schema: a field of 'R' lacks its name or type");
  EXPECT_EQ(error_of(R"({"type":"array"})"), "Avro schema: an array without 'items'");
  EXPECT_EQ(error_of(R"(["null",["int"]])"), "Avro schema: a union directly within a union");
  EXPECT_EQ(error_of(R"([])"), "Avro schema: a union without types");
  EXPECT_EQ(error_of(R"({"type":"fixed","name":"F","size":-1})"), "Avro schema: the size of 'F' is not from 0 to 1048576");
  EXPECT_EQ(error_of(R"([{"type":"fixed","name":"F","size":1},{"type":"fixed","name":"F","size":1}])"),
            "Avro schema: the type 'F' is there twice");
  EXPECT_NE(error_of("{nonsense"), "");
  EXPECT_NE(error_of("7"), "");
}

TEST(AvroSchema, is_bounded) {
  std::string deep;
  for (int i = 0; i < kAvroDepthMax + 1; ++i) deep += R"({"type":"array","items":)";
  deep += "\"int\"" + std::string(kAvroDepthMax + 1, '}');
  EXPECT_EQ(AvroSchema::parse(deep).error().code, Errc::kResourceExhausted);
  EXPECT_EQ(AvroSchema::parse(std::string(kAvroSchemaBytesMax + 1, ' ')).error().code, Errc::kResourceExhausted);
  std::string wide = R"({"type":"record","name":"R","fields":[)";
  for (size_t i = 0; i <= kAvroFieldsMax; ++i) wide += R"({"name":"a","type":"int"},)";
  wide.back() = ']';
  EXPECT_EQ(AvroSchema::parse(wide + "}").error().code, Errc::kResourceExhausted);
  std::string many = "[";
  for (size_t i = 0; i <= kAvroNodesMax; ++i) many += R"({"type":"array","items":"int"},)";
  many.back() = ']';
  EXPECT_EQ(AvroSchema::parse(many).error().code, Errc::kResourceExhausted);
}

TEST(AvroSchema, what_takes_no_bytes_is_known) {
  auto schema = AvroSchema::parse(R"({"type":"record","name":"R","fields":[
    {"name":"none","type":{"type":"record","name":"None","fields":[{"name":"n","type":"null"},{"name":"f","type":{"type":"fixed","name":"Z","size":0}}]}},
    {"name":"self","type":{"type":"record","name":"Self","fields":[{"name":"s","type":"Self"}]}},
    {"name":"u","type":["null"]}]})");
  ASSERT_TRUE(schema) << schema.error().message;
  const AvroNode& root = (*schema)->node((*schema)->root());
  EXPECT_TRUE((*schema)->node(root.fields[0].node).is_empty);
  EXPECT_FALSE((*schema)->node(root.fields[1].node).is_empty);
  EXPECT_FALSE((*schema)->node(root.fields[2].node).is_empty);
  EXPECT_FALSE(root.is_empty);
}

}  // namespace
}  // namespace millrace::format
