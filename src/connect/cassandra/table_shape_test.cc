#include "connect/cassandra/table_shape.h"

#include "connect/cassandra/table_relation.h"
#include "connect/cassandra/tables_bed.h"

namespace millrace::connect::cassandra {
namespace {

using model::TypeId;
using Kind = ExistingColumn::Kind;

model::TableDef users() {
  model::TableDef def;
  def.name = "Shop.users";
  def.schema.fields = {
      {"Id", type_of(TypeId::kUuid)},
      {"day", type_of(TypeId::kDate)},
      {"n", type_of(TypeId::kInteger)},
      {"who", struct_of({{"First", type_of(TypeId::kText)}, {"at", struct_of({{"x", type_of(TypeId::kDouble)}})}})},
      {"order", list_of(type_of(TypeId::kText))}};
  def.partition_key = {0};
  def.clustering = {{1, true}, {2, false}};
  return def;
}

ExistingColumn column(std::string name, const char* type, Kind kind = Kind::kRegular, int32_t position = -1,
                      bool descending = false) {
  return {std::move(name), *cql::parse_cql_type(type), kind, position, descending};
}

TEST(CassandraShape, MakesTypesBeforeTheTable) {
  auto statements = create_statements(*parse_table_name("Shop.users"), users());
  ASSERT_TRUE(statements) << statements.error().message;
  EXPECT_EQ(
      *statements,
      (std::vector<std::string>{
          R"(CREATE TYPE IF NOT EXISTS "Shop"."users_who_at" ("x" double))",
          R"(CREATE TYPE IF NOT EXISTS "Shop"."users_who" ("First" text, "at" frozen<users_who_at>))",
          R"(CREATE TABLE IF NOT EXISTS "Shop"."users" ("Id" uuid, "day" date, "n" int, "who" frozen<users_who>, )"
          R"("order" frozen<list<text>>, PRIMARY KEY (("Id"), "day", "n")) WITH CLUSTERING ORDER BY ("day" DESC, "n" ASC))"}));
}

TEST(CassandraShape, ATableThatFitsMayHaveMoreColumns) {
  model::TableDef def = users();
  def.schema.fields.resize(3);
  ExistingTable table{"",
                      {column("Id", "uuid", Kind::kPartitionKey, 0), column("day", "date", Kind::kClustering, 0, true),
                       column("n", "bigint", Kind::kClustering, 1), column("more", "blob")}};
  EXPECT_TRUE(check_shape(*parse_table_name(def.name), def, table));
}

TEST(CassandraShape, SaysAllThatDiffers) {
  model::TableDef def = users();
  def.schema.fields.resize(3);
  def.schema.fields.push_back({"postcode", type_of(TypeId::kText)});
  def.schema.fields.push_back({"zzz", type_of(TypeId::kBigint)});
  ExistingTable table{"",
                      {column("id", "uuid", Kind::kPartitionKey, 0), column("day", "date", Kind::kPartitionKey, 1),
                       column("n", "text", Kind::kClustering, 0, true), column("post_code", "text")}};
  Status checked = check_shape(*parse_table_name(def.name), def, table);
  ASSERT_FALSE(checked);
  EXPECT_EQ(checked.error().code, Errc::kFailedPrecondition);
  const std::string& message = checked.error().message;
  for (std::string_view part :
       {"table Shop.users in Cassandra is not as declared: column n: ",
        "column postcode text is missing (did you mean post_code? The table has post_code text)", "column zzz bigint is missing;",
        "its partition key is (id, day), declared is (Id)", "its clustering key is (n desc), declared is (day desc, n)"})
    EXPECT_NE(message.find(part), std::string::npos) << part << " in " << message;
  EXPECT_NE(checked.error().hint.find(R"(ALTER TABLE "Shop".users ADD postcode text, or name the query's column post_code)"),
            std::string::npos)
      << checked.error().hint;
}

TEST(CassandraShape, WantsANameOfTwoParts) {
  for (const char* name : {"users", ".users", "shop.", "a.b.c", ""}) EXPECT_FALSE(parse_table_name(name)) << name;
}

TEST(CassandraShape, TheWholePartitionKeyMakesAReadByKey) {
  model::TableDef def = users();
  def.schema.fields.resize(3);
  def.partition_key = {0, 2};
  def.clustering = {{1, true}};
  ExistingTable table{"", {column("Id", "uuid"), column("day", "date"), column("n", "int")}};
  TableName name = *parse_table_name(def.name);
  using Op = port::KeyPredicate::Op;
  port::KeyPredicate id{"ID", Op::kEq, "00000000-0000-0000-0000-000000000001"}, n{"n", Op::kEq, "7"},
      day{"day", Op::kEq, "1970-01-02"};
  Selection all = select_statement(name, def, table, {{2}, {id, day}});
  EXPECT_EQ(all.text, R"(SELECT "n" FROM "Shop"."users")");
  EXPECT_TRUE(all.values.empty());
  Selection partition = select_statement(name, def, table, {{}, {n, id, {"day", Op::kLt, "1970-01-02"}}});
  EXPECT_EQ(partition.text, R"(SELECT "Id" FROM "Shop"."users" WHERE "Id" = ? AND "n" = ?)");
  ASSERT_EQ(partition.values.size(), 2u);
  EXPECT_EQ(partition.values[0].size(), 16u);
  EXPECT_EQ(partition.values[1], std::string("\0\0\0\7", 4));
  EXPECT_EQ(select_statement(name, def, table, {{0, 1}, {n, id, day}}).text,
            R"(SELECT "Id", "day" FROM "Shop"."users" WHERE "Id" = ? AND "n" = ? AND "day" = ?)");
  n.constant = "no number";
  EXPECT_TRUE(select_statement(name, def, table, {{0}, {n, id}}).values.empty());
}

}  // namespace
}  // namespace millrace::connect::cassandra
