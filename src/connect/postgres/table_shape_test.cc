#include "connect/postgres/table_shape.h"

#include <gtest/gtest.h>

#include "connect/postgres/merge_sql.h"

namespace millrace::connect::postgres {
namespace {

using model::Type;
using model::TypeId;

model::TableDef users() {
  model::TableDef def;
  def.name = "app.users";
  def.schema.fields = {{"id", {.id = TypeId::kUuid}},
                       {"at", {.id = TypeId::kTimestampTz}},
                       {"post_code", {.id = TypeId::kText}},
                       {"tags", {.id = TypeId::kList, .fields = {{"element", {.id = TypeId::kText}}}}},
                       {"name", {.id = TypeId::kStruct, .fields = {{"first", {.id = TypeId::kText}}}}},
                       {"price", {.id = TypeId::kDecimal, .width = 10, .scale = 2}}};
  def.partition_key = {0};
  def.clustering = {{1, true}};
  return def;
}
TableName name() { return *parse_table_name("app.users"); }

/// The table that declare() makes of the definition, as the catalog shows it.
ServerTable as_created() {
  ServerTable table;
  table.columns = {{"id", {"uuid"}, "uuid", true},
                   {"at", {"timestamp with time zone"}, "timestamp with time zone", true},
                   {"post_code", {"text"}, "text"},
                   {"tags", {"text[]"}, "text[]"},
                   {"name", {"jsonb"}, "jsonb"},
                   {"price", {"numeric", false, 10, 2}, "numeric(10,2)"},
                   {"_version", {"bigint"}, "bigint", true, true}};
  table.unique_keys = {{"at", "id"}};
  return table;
}

TEST(TableShape, names) {
  EXPECT_EQ(parse_table_name("a\"b.c")->quoted(), "\"a\"\"b\".\"c\"");
  EXPECT_EQ(parse_table_name("users")->quoted(), "\"users\"");
  for (std::string bad : {"", ".x", "x.", "."}) EXPECT_FALSE(parse_table_name(bad)) << bad;
  EXPECT_FALSE(parse_table_name(std::string(64, 'x')));
  EXPECT_TRUE(parse_table_name(std::string(63, 'x')));
}

TEST(TableShape, create_table) {
  EXPECT_EQ(create_statement(name(), users(), {"post_code"}),
            "CREATE TABLE \"app\".\"users\" (\"id\" uuid, \"at\" timestamp with time zone, \"post_code\" jsonb, \"tags\" text[], "
            "\"name\" jsonb, \"price\" numeric(10,2), _version bigint NOT NULL DEFAULT 0, PRIMARY KEY (\"id\", \"at\"))");
}

TEST(TableShape, what_was_created_fits) { EXPECT_TRUE(compare(name(), users(), as_created())); }

TEST(TableShape, every_difference_stands_in_one_message_with_its_remedy) {
  ServerTable table = as_created();
  table.columns[2].name = "postcode";
  table.columns[3].type.name = table.columns[3].shown_type = "integer[]";
  table.columns[5].type.scale = 1;
  table.columns[5].shown_type = "numeric(10,1)";
  table.columns.push_back({"tenant", {"text"}, "text", true});
  table.unique_keys = {{"id"}};
  Status compared = compare(name(), users(), table);
  ASSERT_FALSE(compared);
  EXPECT_EQ(compared.error().code, Errc::kFailedPrecondition);
  EXPECT_EQ(
      compared.error().message,
      "table app.users differs: it has no column 'post_code' (did you mean 'postcode'?); column 'tags' is integer[], and text[] "
      "is wanted; column 'price' is numeric(10,1), and numeric(10,2) is wanted; it has no primary key or unique index on "
      "exactly (at, id); column 'tenant' must not be NULL, has no default, and the query does not give it");
  for (const char* remedy : {"RENAME COLUMN \"postcode\" TO \"post_code\"", "ALTER COLUMN \"tags\" TYPE text[]",
                             "ADD UNIQUE (\"id\", \"at\")", "ALTER COLUMN \"tenant\" DROP NOT NULL"})
    EXPECT_NE(compared.error().hint.find(remedy), std::string::npos) << compared.error().hint;
}

TEST(TableShape, wider_columns_are_fine) {
  Type integer{.id = TypeId::kInteger}, text{.id = TypeId::kText}, price{.id = TypeId::kDecimal, .width = 4, .scale = 2};
  EXPECT_TRUE(fits(integer, {"bigint"}));
  EXPECT_FALSE(fits(integer, {"smallint"}));
  EXPECT_TRUE(fits(text, {"jsonb"}));
  EXPECT_TRUE(fits(text, {"mood", true}));
  EXPECT_FALSE(fits(integer, {"mood", true}));
  EXPECT_TRUE(fits(price, {"numeric"}));
  EXPECT_TRUE(fits(price, {"numeric", false, 5, 3}));
  EXPECT_FALSE(fits(price, {"numeric", false, 4, 3}));
  EXPECT_FALSE(fits({.id = TypeId::kUbigint}, {"bigint"}));
}

TEST(TableShape, a_view_is_no_table) {
  ServerTable table = as_created();
  table.kind = 'v';
  EXPECT_EQ(compare(name(), users(), table).error().message, "table app.users: it is a view");
}

TEST(MergeSql, names_are_those_of_the_server) {
  port::TableSinkSpec spec;
  spec.def.name = "t";
  spec.def.schema.fields = {{"id", {.id = TypeId::kBigint}}, {"Name", {.id = TypeId::kText}}};
  spec.def.partition_key = {0};
  spec.output = std::make_shared<model::Schema>(spec.def.schema);
  ServerTable table;
  table.columns = {{"ID", {"bigint"}, "bigint"}, {"name", {"text"}, "text"}};
  auto sql = make_merge_sql(*parse_table_name("t"), spec, table);
  ASSERT_TRUE(sql);
  EXPECT_EQ(sql->copy_into_table, "COPY \"t\" (\"ID\", \"name\") FROM STDIN");
  EXPECT_TRUE(sql->superseded.empty());
  EXPECT_NE(sql->upsert.find("ON CONFLICT (\"ID\") DO UPDATE SET \"name\" = excluded.\"name\""), std::string::npos)
      << sql->upsert;
  table.columns.push_back({"_version", {"bigint"}, "bigint"});
  sql = make_merge_sql(*parse_table_name("t"), spec, table);
  EXPECT_NE(sql->upsert.find("WHERE t._version <= excluded._version"), std::string::npos) << sql->upsert;
  spec.output = std::make_shared<model::Schema>(model::Schema{{{"name", {.id = TypeId::kText}}}});
  EXPECT_EQ(make_merge_sql(*parse_table_name("t"), spec, table).error().code, Errc::kInvalidArgument);
}

}  // namespace
}  // namespace millrace::connect::postgres
