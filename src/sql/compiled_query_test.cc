#include "sql/compiled_query.h"

#include <gtest/gtest.h>

#include <thread>

#include "model/column_builder.h"

namespace millrace::sql {
namespace {

model::ColumnBatch one_row() {
  model::BatchBuilder builder(std::make_shared<const model::Schema>(model::Schema{{{"a", {model::TypeId::kBigint}}}}));
  builder.column(0).append(int64_t{41});
  return std::move(builder).finish();
}

TEST(BatchQuery, PreparesItselfAgainWhenTheInstanceBroke) {
  auto instances = std::make_shared<Instances>(EngineOptions{});
  model::ColumnBatch batch = one_row();
  auto query = BatchQuery::create(instances, "SELECT a + 1 AS b FROM t", {"t", batch.schema});
  ASSERT_TRUE(query);
  auto first = instances->current().value();
  EXPECT_EQ(instances->current().value(), first);
  first->mark_broken();
  EXPECT_NE(instances->current().value(), first);
  for (int i = 0; i < 2; ++i) {
    auto out = (*query)->run(batch, 0, 1);
    ASSERT_TRUE(out) << out.error().message;
    EXPECT_EQ((*out)[0].columns[0].at<int64_t>(0), 42);
  }
}

std::string error_of_run(const EngineOptions& options, const std::string& sql, Errc code = Errc::kResourceExhausted) {
  model::ColumnBatch batch = one_row();
  auto query = BatchQuery::create(std::make_shared<Instances>(options), sql, {"t", batch.schema});
  for (int i = 0; i < 2; ++i) {
    auto out = (*query)->run(batch, 0, 1);
    if (out) return "runs";
    EXPECT_EQ(out.error().code, code);
    if (i == 1) return out.error().message;
  }
  return {};
}

TEST(BatchQuery, ARunHasLimits) {
  std::string rows = "SELECT unnest(range(5000)) AS i FROM t";
  EXPECT_EQ(error_of_run({.run_rows_max = 4000}, rows), "the query makes more than 4000 rows of these records");
  EXPECT_EQ(error_of_run({.run_bytes_max = 30'000}, rows), "the query makes more than 30000 bytes of these records");
  EXPECT_EQ(error_of_run({}, rows), "runs");
  EXPECT_EQ(error_of_run({.run_time_max = std::chrono::milliseconds(20)},
                         "SELECT count(*) AS n FROM t, range(1000000) AS a(i), range(1000000) AS b(j) WHERE sqrt(i * j) < 0",
                         Errc::kDeadlineExceeded),
            "the statement took longer than 20ms");
}

TEST(BatchQuery, AnInterruptEndsTheRunAndLaterOnes) {
  model::ColumnBatch batch = one_row();
  auto query = BatchQuery::create(
      std::make_shared<Instances>(EngineOptions{}),
      "SELECT count(*) AS n FROM t, range(1000000) AS a(i), range(1000000) AS b(j) WHERE sqrt(i * j) < 0", {"t", batch.schema});
  ASSERT_TRUE(query);
  std::thread other([&] { (*query)->interrupt(); });
  auto out = (*query)->run(batch, 0, 1);
  other.join();
  ASSERT_FALSE(out);
  EXPECT_EQ(out.error().code, Errc::kCancelled);
  EXPECT_EQ((*query)->run(batch, 0, 1).error().code, Errc::kCancelled);
}

TEST(BatchQuery, QueriesOfSeveralThreadsShareAnInstance) {
  auto instances = std::make_shared<Instances>(EngineOptions{});
  std::vector<std::thread> threads;
  std::atomic<int> good = 0;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      model::ColumnBatch batch = one_row();
      for (int round = 0; round < 20; ++round) {
        auto query = BatchQuery::create(instances, "SELECT a FROM t", {"t", batch.schema});
        if (query && (*query)->run(batch, 0, 1)) ++good;
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(good, 80);
}

}  // namespace
}  // namespace millrace::sql
