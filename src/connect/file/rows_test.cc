#include "connect/file/rows.h"

#include "connect/file/parquet.h"
#include "connect/file/sink_bed.h"
#include "format/csv.h"

namespace millrace::connect::file {
namespace {

using model::Type;
using model::TypeId;

const auto kAllTypes = schema_of({
    {"t", {.id = TypeId::kText}},
    {"b\"x", {.id = TypeId::kBlob}},
    {"i", {.id = TypeId::kBigint}},
    {"d", {.id = TypeId::kDecimal, .width = 20, .scale = 2}},
    {"f", {.id = TypeId::kDouble}},
    {"u", {.id = TypeId::kUuid}},
    {"ts", {.id = TypeId::kTimestampTz}},
    {"l", {.id = TypeId::kList, .fields = {{"", {.id = TypeId::kInteger}}}}},
    {"s", {.id = TypeId::kStruct, .fields = {{"a", {.id = TypeId::kText}}, {"p", {.id = TypeId::kBlob}}}}},
});

const std::vector<std::string> kRows = {
    R"({"t":"a,\"b\"\n","b\"x":"AAEi","i":"9223372036854775807","d":"-0.50","f":1.5,"u":"550e8400-e29b-41d4-a716-446655440000",)"
    R"("ts":"2026-01-31T08:00:00.5Z","l":[1,null],"s":{"a":"x","p":"AA=="}})",
    R"({"t":"","f":"NaN","l":[]})",
    R"({"t":"plain","i":-1})",
};

TEST(Csv, IsRfc4180) {
  std::string out;
  append_csv_header(out, *kAllTypes);
  model::ColumnBatch rows = rows_of(kAllTypes, kRows);
  for (size_t i = 0; i < rows.rows; ++i) append_csv_row(out, rows, i);
  EXPECT_EQ(out,
            "t,\"b\"\"x\",i,d,f,u,ts,l,s\r\n"
            "\"a,\"\"b\"\"\n\",\\x00\\x01\\x22,9223372036854775807,-0.50,1.5,550e8400-e29b-41d4-a716-446655440000,"
            "2026-01-31T08:00:00.500Z,\"[1,null]\",\"{\"\"a\"\":\"\"x\"\",\"\"p\"\":\"\"AA==\"\"}\"\r\n"
            "\"\",,,,NaN,,,[],\r\n"
            "plain,,-1,,,,,,\r\n");
  model::BatchBuilder again(kAllTypes);
  ASSERT_TRUE(format::read_csv(out, "out.csv", *kAllTypes, again));
  std::string second;
  append_csv_header(second, *kAllTypes);
  model::ColumnBatch read = std::move(again).finish();
  for (size_t i = 0; i < read.rows; ++i) append_csv_row(second, read, i);
  EXPECT_EQ(second, out);
}

TEST(Csv, ALoneNullIsNoBlankLine) {
  auto schema = schema_of({{"t", {.id = TypeId::kText}}});
  std::string out;
  append_csv_row(out, rows_of(schema, {"{}"}), 0);
  EXPECT_EQ(out, "\"\"\r\n");
}

TEST(Parquet, IsMadeOfLinesByOneStatement) {
  model::Schema schema{{{"it's", {.id = TypeId::kBigint}},
                        {"h", {.id = TypeId::kHugeint}},
                        kAllTypes->fields[1],
                        {"lb", {.id = TypeId::kList, .fields = {{"", {.id = TypeId::kBlob}}}}},
                        kAllTypes->fields[8]}};
  EXPECT_EQ(lines_to_parquet_sql("/a[1]/x*.part", "/a[1]/it's.parquet", schema),
            "COPY (SELECT \"it's\" AS \"it's\", \"h\" AS \"h\", from_base64(\"b\"\"x\") AS \"b\"\"x\", "
            "list_transform(\"lb\", lambda e0: from_base64(e0)) AS \"lb\", "
            "CASE WHEN \"s\" IS NOT NULL THEN struct_pack(\"a\" := (\"s\").\"a\", \"p\" := from_base64((\"s\").\"p\")) END AS "
            "\"s\" FROM read_json('/a[[]1]/x[*].part', format = 'newline_delimited', auto_detect = false, "
            "compression = 'uncompressed', columns = {'it''s': 'BIGINT', 'h': 'DECIMAL(38,0)', 'b\"x': 'VARCHAR', "
            "'lb': 'VARCHAR[]', 's': 'STRUCT(\"a\" VARCHAR, \"p\" VARCHAR)'})) TO '/a[1]/it''s.parquet' (FORMAT parquet)");
}

}  // namespace
}  // namespace millrace::connect::file
