#pragma once

#include <gtest/gtest.h>

#include <functional>
#include <map>
#include <memory>

#include "model/column_builder.h"
#include "port/table_store.h"

namespace millrace::port {

/// What every TableStore, with its sinks and relations, must do; an implementation's test instantiates it:
///   INSTANTIATE_TEST_SUITE_P(Cassandra, TableStoreContract, testing::Values(MakeTables(…)));
struct TablesUnderTest {
  /// Null skips the test: the server is not there.
  std::shared_ptr<TableStore> store;
  std::string table;  // keyspace.table, a name that nobody else has
  std::function<Status(store::Batch)> commit_batch = [](store::Batch) { return Status(); };
  std::shared_ptr<void> owner;  // of what the store stands on
};
using MakeTables = std::function<TablesUnderTest()>;

class TableStoreContract : public testing::TestWithParam<MakeTables> {
 protected:
  struct Row {
    std::optional<std::string> id;
    std::optional<int64_t> count;
    uint64_t version = 0;
    bool erase = false;
    uint32_t ordinal = 0;
  };
  using Stored = std::map<std::string, std::optional<int64_t>>;
  static constexpr uint64_t kBase = 1'700'000'000'000'000;  // a version is a time in microseconds

  void SetUp() override {
    under_test_ = GetParam()();
    if (under_test_.store == nullptr) GTEST_SKIP() << "there is no server";
    def_.name = under_test_.table;
    def_.schema = *schema_;
    def_.partition_key = {0};
  }
  TableStore& store() { return *under_test_.store; }
  void declare() {
    auto identity = store().declare(def_);
    ASSERT_TRUE(identity) << identity.error().message;
  }
  std::unique_ptr<Sink> sink() {
    auto made = store().sink({def_, schema_, "contract", "q"});
    EXPECT_TRUE(made) << made.error().message;
    auto last = (*made)->recover();
    EXPECT_TRUE(last) << last.error().message;
    epoch_ = last->value_or(epoch_);
    return std::move(*made);
  }
  SinkReport stage(Sink& sink, const std::vector<Row>& rows) {
    model::BatchBuilder builder(schema_);
    std::vector<RowOrigin> origins;
    for (const Row& row : rows) {
      row.id ? builder.column(0).append_text(*row.id) : builder.column(0).append_null();
      row.count ? builder.column(1).append(*row.count) : builder.column(1).append_null();
      origins.push_back({0, static_cast<int64_t>(origins.size()), static_cast<int64_t>((kBase + row.version) / 1000),
                         kBase + row.version, row.ordinal, row.erase});
    }
    auto report = sink.stage(std::move(builder).finish(), origins, false);
    EXPECT_TRUE(report) << report.error().message;
    return report.value_or(SinkReport());
  }
  void commit(Sink& sink) {
    store::Batch batch;
    Status done = sink.commit({++epoch_, {}}, batch);
    ASSERT_TRUE(done) << done.error().message;
    ASSERT_TRUE(under_test_.commit_batch(std::move(batch)));
    sink.committed();
  }
  Stored stored(std::vector<KeyPredicate> predicates = {}) {
    Stored out;
    auto relation = store().relation(def_);
    EXPECT_TRUE(relation) << relation.error().message;
    auto scan = (*relation)->scan({{0, 1}, std::move(predicates)});
    EXPECT_TRUE(scan) << scan.error().message;
    while (scan) {
      auto rows = (*scan)->next();
      EXPECT_TRUE(rows) << rows.error().message;
      if (!rows || rows->rows == 0) break;
      for (size_t i = 0; i < rows->rows; ++i) {
        auto count = rows->columns[1].is_null(i) ? std::nullopt : std::optional(rows->columns[1].at<int64_t>(i));
        out.emplace(rows->columns[0].text(i), count);
      }
    }
    return out;
  }

  std::shared_ptr<const model::Schema> schema_ =
      std::make_shared<model::Schema>(model::Schema{{{"id", {model::TypeId::kText}}, {"count", {model::TypeId::kBigint}}}});
  model::TableDef def_;
  uint64_t epoch_ = 0;
  TablesUnderTest under_test_;
};

TEST_P(TableStoreContract, a_table_is_declared_once_and_stays_the_same) {
  auto first = store().declare(def_);
  ASSERT_TRUE(first) << first.error().message;
  auto again = store().declare(def_);
  ASSERT_TRUE(again) << again.error().message;
  EXPECT_EQ(*first, *again);
}

TEST_P(TableStoreContract, another_type_or_key_is_refused) {
  declare();
  model::TableDef typed = def_;
  typed.schema.fields[1].type = {model::TypeId::kUuid};
  EXPECT_EQ(store().declare(typed).error().code, Errc::kFailedPrecondition);
  model::TableDef keyed = def_;
  keyed.partition_key = {1};
  EXPECT_EQ(store().declare(keyed).error().code, Errc::kFailedPrecondition);
}

TEST_P(TableStoreContract, rows_are_there_once_their_epoch_is_committed) {
  declare();
  auto rows = sink();
  stage(*rows, {{"a", 1, 1}, {"Zürich", {}, 2}});
  stage(*rows, {{"", 3, 3}});
  commit(*rows);
  Stored want = {{"a", 1}, {"Zürich", std::nullopt}};
  Stored have = stored();
  have.erase("");  // Cassandra has no empty partition key
  EXPECT_EQ(have, want);
}

TEST_P(TableStoreContract, the_greatest_version_of_an_epoch_stays) {
  declare();
  auto rows = sink();
  stage(*rows, {{"a", 1, 10}, {"a", 2, 30}, {"a", 3, 20}, {"b", 1, 5}});
  stage(*rows, {{"a", 4, 25}});
  commit(*rows);
  EXPECT_EQ(stored(), (Stored{{"a", 2}, {"b", 1}}));
  stage(*rows, {{"a", 5, 31}, {"b", 2, 6}});
  commit(*rows);
  EXPECT_EQ(stored(), (Stored{{"a", 5}, {"b", 2}}));
}

TEST_P(TableStoreContract, of_rows_of_one_record_the_last_stays) {
  declare();
  auto rows = sink();
  stage(*rows, {{"a", 9, 10, false, 0}, {"a", 1, 10, false, 1}});
  commit(*rows);
  EXPECT_EQ(stored(), (Stored{{"a", 1}}));
}

TEST_P(TableStoreContract, a_null_takes_the_place_of_a_value) {
  declare();
  auto rows = sink();
  stage(*rows, {{"a", 1, 10}});
  commit(*rows);
  stage(*rows, {{"a", {}, 11}});
  commit(*rows);
  EXPECT_EQ(stored(), (Stored{{"a", std::nullopt}}));
}

TEST_P(TableStoreContract, a_row_can_be_erased_and_come_again) {
  declare();
  auto rows = sink();
  stage(*rows, {{"a", 1, 10}, {"b", 1, 10}, {"c", 1, 10}});
  commit(*rows);
  stage(*rows, {{"a", {}, 20, true}, {"b", {}, 20, true}, {"nobody", {}, 20, true}});
  commit(*rows);
  stage(*rows, {{"b", 2, 30}});
  commit(*rows);
  EXPECT_EQ(stored(), (Stored{{"b", 2}, {"c", 1}}));
}

TEST_P(TableStoreContract, a_row_without_a_key_is_a_fault_of_its_own) {
  declare();
  auto rows = sink();
  SinkReport report = stage(*rows, {{"a", 1, 1}, {{}, 2, 2}, {"c", 3, 3}});
  ASSERT_EQ(report.faults.size(), 1u);
  EXPECT_EQ(report.faults[0].row, 1u);
  EXPECT_EQ(report.faults[0].code, "bad_key");
  commit(*rows);
  EXPECT_EQ(stored(), (Stored{{"a", 1}, {"c", 3}}));
}

TEST_P(TableStoreContract, an_epoch_that_comes_again_changes_nothing) {
  declare();
  auto rows = sink();
  for (int times = 0; times < 2; ++times) {
    stage(*rows, {{"a", 1, 10}, {"b", 2, 20}});
    commit(*rows);
  }
  EXPECT_EQ(stored(), (Stored{{"a", 1}, {"b", 2}}));
}

TEST_P(TableStoreContract, rows_that_are_given_up_are_not_there_where_epochs_are_transactions) {
  declare();
  auto rows = sink();
  bool whole = rows->traits().kind == SinkKind::kLocalCommit || rows->traits().kind == SinkKind::kTransactional;
  stage(*rows, {{"given up", 1, 10}});
  rows->abandon();
  ASSERT_TRUE(rows->recover());
  stage(*rows, {{"kept", 1, 10}});
  commit(*rows);
  Stored have = stored();
  if (!whole) have.erase("given up");
  EXPECT_EQ(have, (Stored{{"kept", 1}}));
}

TEST_P(TableStoreContract, a_key_finds_its_row) {
  declare();
  auto rows = sink();
  stage(*rows, {{"a", 1, 10}, {"it's", 2, 20}});
  commit(*rows);
  Stored found = stored({{"id", KeyPredicate::Op::kEq, "it's"}});
  found.erase("a");  // a predicate is a hint
  EXPECT_EQ(found, (Stored{{"it's", 2}}));
}

}  // namespace millrace::port
