#include "sql/memory_guard.h"

#include <fmt/format.h>
#include <gtest/gtest.h>

#include <fstream>
#include <memory>
#include <string>
#include <vector>

#include "sql/duck_engine.h"

namespace millrace::sql {
namespace {

constexpr uint64_t kBudget = 64 << 20;
constexpr uint64_t kSlack =
    kBudget / 4 + (96 << 20);  // small allocations beyond the budget, what allocators keep, the rest of us

struct NoRelations : port::Catalog, port::CatalogSnapshot {
  std::unique_ptr<port::CatalogSnapshot> snapshot() override { return std::make_unique<NoRelations>(); }
  port::Relation* find(std::string_view, std::string_view) override { return nullptr; }
  std::vector<std::string> names() override { return {}; }
};

/// The most that this process had in memory since the last reset, in bytes.
uint64_t peak_memory() {
  std::ifstream status("/proc/self/status");
  for (std::string line; std::getline(status, line);) {
    if (line.starts_with("VmHWM:")) return std::stoull(line.substr(6)) << 10;
  }
  return 0;
}
void reset_peak_memory() { std::ofstream("/proc/self/clear_refs") << "5"; }

class MemoryGuardTest : public testing::Test {
 protected:
  void SetUp() override {
    if (!kMemoryIsCounted) GTEST_SKIP() << "the allocator is a sanitizer's";
    engine_ = std::move(DuckEngine::open({.memory_bytes_max = kBudget}).value());
  }
  Status run(const std::string& sql) {
    NoRelations catalog;
    return engine_->execute(sql, catalog, {std::chrono::seconds(20)}, [](const model::ColumnBatch&) { return Status(); });
  }
  std::unique_ptr<DuckEngine> engine_;
};

// Every way that is known to allocate beside DuckDB's buffers, and the ones inside of them.
constexpr const char* kGreedy[] = {
    "SELECT length(format('{:>1000000000}', 'x'))",
    "SELECT length(printf('%1000000000d', 1))",
    "SELECT length(repeat('x', (1000000000 + i)::BIGINT)) FROM range(2048) t(i)",
    "SELECT length(lpad('x', 100000000 + i::INT, 'y')) FROM range(2048) t(i)",
    "SELECT i, array_agg(repeat('y', 100000)) FROM range(2048) t(i) GROUP BY i",
    "SELECT replace(replace(replace(repeat('x', 1000), 'x', repeat('x', 100)), 'x', repeat('x', 100)), 'x', repeat('x', 100))",
    "SELECT list_resize([1], 1000000000 + i) FROM range(3) t(i)",
    "SELECT len(range(1000000000 + i)) FROM range(3) t(i)",
    "SELECT len(generate_series(1, 1000000000 + i)) FROM range(3) t(i)",
    "SELECT list_transform(range(100000), lambda x: range(100000))",
    "SELECT string_agg(repeat('x', 1000), ',') FROM range(1000000)",
    "SELECT list(i) FROM range(100000000) t(i)",
    "SELECT histogram(i) FROM range(10000000) t(i)",
    "SELECT median(i), mode(i) FROM range(100000000) t(i)",
    "SELECT json_group_array(repeat('x', 1000)) FROM range(1000000)",
    "SELECT to_json(range(i)) FROM range(9000000, 9000002) t(i)",
    "SELECT regexp_replace(repeat('x', 1000000), 'x', repeat('y', 1000), 'g')",
    "SELECT string_split(repeat('a,', 9000000), ',')",
    "SELECT repeat('a', 9000000) || repeat('b', 9000000) || i || repeat(i::VARCHAR, 9000000) FROM range(100) t(i)",
    "WITH RECURSIVE t(a, n) AS (SELECT [1], 0 UNION ALL SELECT list_concat(a, a), n + 1 FROM t WHERE n < 40) SELECT * FROM t",
    "WITH RECURSIVE t(a, n) AS (SELECT 'x', 0 UNION ALL SELECT a || a, n + 1 FROM t WHERE n < 40) SELECT * FROM t",
    "SELECT repeat(i::VARCHAR, 10000) AS k, count(*) FROM range(100000) t(i) GROUP BY k",
    "SELECT repeat(i::VARCHAR, 1000) AS k FROM range(1000000) t(i) ORDER BY k DESC",
    "SELECT i, row_number() OVER (ORDER BY hash(i)) FROM range(20000000) t(i)",
    "SELECT count(*) FROM range(10000000) a(i) JOIN range(10000000) b(j) ON i = j",
    "SELECT count(*) FROM (SELECT DISTINCT i, repeat('x', 100) FROM range(10000000) t(i))",
};

TEST_F(MemoryGuardTest, AStatementThatNeedsTooMuchEndsAndTheProcessStaysSmall) {
  for (const char* sql : kGreedy) {
    SCOPED_TRACE(sql);
    reset_peak_memory();
    Status done = run(sql);
    ASSERT_FALSE(done);
    EXPECT_EQ(done.error().code, Errc::kResourceExhausted) << done.error().message;
    EXPECT_TRUE(done.error().message.starts_with("the statement needs more memory than ")) << done.error().message;
    EXPECT_LT(peak_memory(), kBudget + kSlack);
    EXPECT_TRUE(run("SELECT sum(i) FROM range(100000) t(i)"));
  }
}

TEST_F(MemoryGuardTest, WhatIsEvaluatedBeforeAStatementRunsIsCountedToo) {
  auto input = std::make_shared<model::Schema>(model::Schema{{{"n", {model::TypeId::kBigint}}}});
  reset_peak_memory();
  auto query = engine_->compile("SELECT n, len(list_resize([1], 10000000 * 20)) AS l FROM t", {"t", input});
  EXPECT_LT(peak_memory(), kBudget + kSlack);
  EXPECT_TRUE(query);  // DuckDB gives up on folding the constant, and the run fails
  EXPECT_TRUE(engine_->compile("SELECT n FROM t", {"t", input}));
}

TEST_F(MemoryGuardTest, WhereverMemoryEndsTheProcessLives) {
  const char* sql =
      "SELECT k, count(*), list(s ORDER BY s), string_agg(DISTINCT s, ',') FROM (SELECT i % 7 AS k, i::VARCHAR || repeat('x', "
      "900) "
      "AS s FROM range(6000) t(i)) GROUP BY k ORDER BY k";
  int refused = 0;
  for (uint64_t mebibytes = 1; mebibytes <= 40; mebibytes += 3) {
    auto small = DuckEngine::open({.memory_bytes_max = mebibytes << 20});
    if (!small) continue;  // too little for DuckDB itself
    engine_ = std::move(*small);
    Status done = run(sql);
    refused += !done;
    if (!done) EXPECT_EQ(done.error().code, Errc::kResourceExhausted) << done.error().message;
  }
  EXPECT_GT(refused, 3);
}

/// volatile: what is allocated and freed unseen would be optimized away.
bool can_have(size_t bytes) {
  void* volatile block = std::malloc(bytes);
  bool had = block != nullptr;
  std::free(block);
  return had;
}

void count_interrupt(void* count) { ++*static_cast<int*>(count); }

TEST_F(MemoryGuardTest, SmallAllocationsAreToldFirstAndRefusedLater) {
  MemoryBudget budget(8 << 20);
  int told = 0;
  MemoryAccount account(budget, count_interrupt, &told);
  EXPECT_TRUE(account.allow(8 << 20));
  account.note_allocated(8 << 20);
  EXPECT_FALSE(account.allow(MemoryAccount::kLargeBytes));
  EXPECT_EQ(told, 1);
  EXPECT_TRUE(account.allow(1000));
  account.note_allocated(2 << 20);
  EXPECT_FALSE(account.allow(1000));
  EXPECT_EQ(account.error().code, Errc::kResourceExhausted);
  account.note_freed(10 << 20);
  EXPECT_TRUE(account.allow(MemoryAccount::kLargeBytes));
}

TEST_F(MemoryGuardTest, WhoLacksWhatOthersHoldIsToldToTryAgain) {
  MemoryBudget budget(16 << 20);
  int told = 0;
  MemoryAccount second(budget, count_interrupt, &told);
  {
    MemoryAccount first(budget, count_interrupt, &told);
    EXPECT_TRUE(first.allow(12 << 20));
    EXPECT_FALSE(second.allow(8 << 20));
    EXPECT_EQ(second.error().code, Errc::kUnavailable);
  }
  EXPECT_TRUE(second.allow(8 << 20));
}

TEST_F(MemoryGuardTest, AScopeCountsWhatItsThreadAllocatesAndAPauseDoesNot) {
  MemoryBudget budget(8 << 20);
  int told = 0;
  MemoryAccount account(budget, count_interrupt, &told);
  MemoryScope scope(account);
  EXPECT_FALSE(can_have(16 << 20));
  EXPECT_THROW(std::vector<char>(static_cast<size_t>(told) + (16 << 20)).at(5) = 'x', std::bad_alloc);
  void* volatile half = std::malloc(6 << 20);
  EXPECT_FALSE(can_have(6 << 20));
  half = std::realloc(half, 1000);
  EXPECT_TRUE(can_have(6 << 20));
  EXPECT_EQ(std::realloc(half, 16 << 20), nullptr);
  std::free(half);
  MemoryPause pause;
  EXPECT_TRUE(can_have(16 << 20));
}

}  // namespace
}  // namespace millrace::sql
