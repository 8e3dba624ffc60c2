#include "connect/cassandra/row_buffer.h"

#include "codec/cql/murmur3.h"
#include "codec/cql/request.h"
#include "connect/cassandra/tables_bed.h"

namespace millrace::connect::cassandra {
namespace {

using model::TypeId;

constexpr int64_t kNow = 1'700'000'000'000'000;

model::TableDef events() {
  model::TableDef def;
  def.name = "ks.events";
  def.schema.fields = {{"v", type_of(TypeId::kText)}, {"id", type_of(TypeId::kText)}, {"n", type_of(TypeId::kInteger)}};
  def.partition_key = {1};
  def.clustering = {{2, false}};
  return def;
}

class CassandraRows : public testing::Test {
 protected:
  void use(const model::TableDef& def, WriteMode mode = {}) {
    def_ = def;
    ExistingTable table;
    for (const model::Field& field : def.schema.fields)
      table.columns.push_back({field.name, *cql::natural_cql_type(field.type), ExistingColumn::Kind::kRegular, -1, false});
    plan_ = std::make_unique<WritePlan>(*plan_writes(*parse_table_name(def.name), def, def.schema, table));
    buffer_ = std::make_unique<RowBuffer>(*plan_, mode);
  }
  port::SinkReport add(const std::vector<Cells>& cells, const std::vector<port::RowOrigin>& origins) {
    port::SinkReport report;
    buffer_->add(batch_of(def_.schema, cells), origins, instant_from_micros(kNow), report);
    return report;
  }
  static port::RowOrigin origin(int64_t offset, uint64_t version, uint32_t ordinal = 0, bool erase = false) {
    return {0, offset, kNow / 1000, version, ordinal, erase};
  }
  /// `INSERT a 1 x @5`, a batch in brackets.
  std::vector<std::string> take(bool all) {
    std::vector<std::string> list;
    for (RowBuffer::Out& out : buffer_->take(statements_, all)) {
      cql::FrameReader reader;
      reader.feed(out.request->bytes);
      auto request = *cql::decode_request(**reader.next());
      token_ = out.request->token;
      if (const auto* execute = std::get_if<cql::ExecuteRequest>(&request))
        list.push_back(text(execute->id, execute->values.values));
      if (const auto* batch = std::get_if<cql::BatchRequest>(&request)) {
        std::string line = "[";
        for (const auto& statement : batch->statements)
          line += (line == "[" ? "" : ", ") + text(statement.query_or_id, statement.values);
        list.push_back(line + "]");
        EXPECT_EQ(out.rows.size(), batch->statements.size());
      }
    }
    return list;
  }
  static std::string text(std::string_view id, const std::vector<cql::Value>& values) {
    bool erase = id == "D";
    auto number = [](const cql::Value& value) {
      cql::Reader in(value.bytes);
      return std::to_string(value.bytes.size() == 8 ? in.i64() : in.i32());
    };
    size_t key = erase ? 1 : 0;
    std::string line = std::string(id) + " " + std::string(values[key].bytes) + " " + number(values[key + 1]);
    if (!erase) {
      const cql::Value& v = values[2];
      line += v.kind == cql::Value::Kind::kNull    ? " null"
              : v.kind == cql::Value::Kind::kUnset ? " unset"
                                                   : " " + std::string(v.bytes);
    }
    line += " @" + number(values[erase ? 0 : 3]);
    if (!erase && values.size() > 4) line += " ttl " + number(values[4]);
    return line;
  }

  model::TableDef def_;
  std::unique_ptr<WritePlan> plan_;
  std::unique_ptr<RowBuffer> buffer_;
  const std::vector<Prepared> statements_ = {{"INSERT", "I", ""}, {"DELETE", "D", ""}};
  std::optional<int64_t> token_;
};
using Lines = std::vector<std::string>;

TEST_F(CassandraRows, StatementsNameTheKeyFirst) {
  use(events());
  EXPECT_EQ(plan_->insert_text(), R"(INSERT INTO "ks"."events" ("id", "n", "v") VALUES (?, ?, ?) USING TIMESTAMP ?)");
  EXPECT_EQ(plan_->delete_text(), R"(DELETE FROM "ks"."events" USING TIMESTAMP ? WHERE "id" = ? AND "n" = ?)");
}

TEST_F(CassandraRows, RowsOfAPartitionGoTogetherAndOthersAlone) {
  use(events());
  add({{"x", "a", "1"}, {"y", "b", "1"}, {std::nullopt, "a", "2"}, {std::nullopt, "a", "3"}},
      {origin(1, 5), origin(2, 6), origin(3, 7), origin(4, 8, 0, true)});
  EXPECT_EQ(take(true), (Lines{"[I a 1 x @5, I a 2 null @7, D a 3 @8]", "I b 1 y @6"}));
  EXPECT_EQ(token_, cql::murmur3_token("b"));
  EXPECT_EQ(take(true), Lines{});
}

TEST_F(CassandraRows, BatchesStayBelowTheServersWarning) {
  use(events());
  std::vector<Cells> cells;
  std::vector<port::RowOrigin> origins;
  for (int i = 0; i < 20; ++i) {
    cells.push_back({std::string(1000, 'x'), "a", std::to_string(i)});
    origins.push_back(origin(i, 5));
  }
  add(cells, origins);
  std::vector<RowBuffer::Out> out = buffer_->take(statements_, true);
  EXPECT_EQ(out.size(), 4u);
  for (const RowBuffer::Out& one : out) EXPECT_LT(one.request->bytes.size(), RowBuffer::kBatchBytesMax + 512);
  buffer_->without_batches();
  add(cells, origins);
  EXPECT_EQ(buffer_->take(statements_, true).size(), 20u);
}

TEST_F(CassandraRows, OneRowAKeyTheNewestOrTheLast) {
  use(events());
  add({{"old", "a", "1"}, {"new", "a", "1"}, {"older", "a", "1"}, {"one", "b", "1"}, {"two", "b", "1"}},
      {origin(1, 5), origin(2, 9), origin(3, 7), origin(4, 9, 0), origin(4, 9, 1)});
  EXPECT_EQ(take(true), (Lines{"I a 1 new @9", "I b 1 two @9"}));
}

TEST_F(CassandraRows, TheLastRecordsRowsWaitForTheRestOfThem) {
  use(events());
  add({{"x", "a", "1"}, {"y", "b", "1"}}, {origin(1, 5), origin(2, 6, 0)});
  EXPECT_EQ(take(false), (Lines{"I a 1 x @5"}));
  add({{"z", "b", "1"}, {"w", "c", "1"}}, {origin(2, 6, 1), origin(3, 7)});
  EXPECT_EQ(take(false), (Lines{"I b 1 z @6"}));
  EXPECT_EQ(take(false), Lines{});
  EXPECT_EQ(take(true), (Lines{"I c 1 w @7"}));
}

TEST_F(CassandraRows, UnsetLeavesWhatIsThereSoEarlierRowsStay) {
  use(events(), {.nulls_unset = true});
  add({{"x", "a", "1"}, {std::nullopt, "a", "1"}}, {origin(1, 5), origin(2, 6)});
  EXPECT_EQ(take(true), (Lines{"[I a 1 x @5, I a 1 unset @6]"}));
}

TEST_F(CassandraRows, TheTtlIsWhatIsLeftOfIt) {
  model::TableDef def = events();
  def.ttl = std::chrono::seconds(100);
  use(def);
  auto at = [&](int64_t offset, int64_t age_ms) {
    port::RowOrigin o = origin(offset, 5);
    o.timestamp_ms -= age_ms;
    return o;
  };
  port::SinkReport report = add({{"x", "a", "1"}, {"x", "b", "1"}, {"x", "c", "1"}, {"x", "d", "1"}},
                                {at(1, 0), at(2, 99'500), at(3, 100'000), at(4, INT64_MIN / 4)});
  EXPECT_EQ(report.expired, std::vector<uint32_t>{2});
  EXPECT_EQ(take(true), (Lines{"I a 1 x @5 ttl 100", "I b 1 x @5 ttl 1", "I d 1 x @5 ttl 0"}));
}

TEST_F(CassandraRows, WhatCannotBeWrittenIsSaid) {
  use(events());
  port::SinkReport known;
  known.faults.push_back({1, "refused", "as the server said"});
  std::vector<Cells> cells = {{"x", std::nullopt, "1"},
                              {"x", "known", "1"},
                              {"x", "", "1"},
                              {"x", "a", std::nullopt},
                              {"x", std::string(66'000, 'k'), "1"},
                              {"x", "far", "1"},
                              {"x", "ok", "1"}};
  std::vector<port::RowOrigin> origins(cells.size(), origin(1, 5));
  for (size_t i = 0; i < origins.size(); ++i) origins[i].offset = static_cast<int64_t>(i);
  origins[5].version = kNow + uint64_t{3601} * 1'000'000;
  origins[6].version = kNow + uint64_t{3599} * 1'000'000;
  buffer_->add(batch_of(def_.schema, cells), origins, instant_from_micros(kNow), known);
  Lines codes;
  for (const auto& fault : known.faults) codes.push_back(std::to_string(fault.row) + " " + fault.code);
  EXPECT_EQ(codes, (Lines{"1 refused", "0 bad_key", "2 bad_key", "3 bad_key", "4 bad_key", "5 far_future"}));
  EXPECT_NE(known.faults[1].message.find("table ks.events: key column id is NULL"), std::string::npos);
  EXPECT_EQ(take(true).size(), 1u);
}

TEST_F(CassandraRows, AKeyOfSeveralColumnsHasOneToken) {
  model::TableDef def = events();
  def.partition_key = {2, 1};
  def.clustering.clear();
  use(def);
  add({{"x", "a", "1"}}, {origin(1, 5)});
  take(true);
  EXPECT_EQ(token_, 6516349416904725244);
}

}  // namespace
}  // namespace millrace::connect::cassandra
