#include "stream/exec/narrowing.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

namespace millrace::stream {
namespace {

/// A statement that never ends with some rows, and fails with others; a run of `n` rows takes n microseconds.
class Statement : public port::CompiledQuery {
 public:
  explicit Statement(env::FakeClock& clock) : clock_(clock) {}
  std::shared_ptr<const model::Schema> output() const override { return nullptr; }
  Result<std::vector<model::ColumnBatch>> run(const model::ColumnBatch&, size_t first, size_t count, Duration time_max) override {
    auto has = [&](const std::set<size_t>& rows) {
      auto row = rows.lower_bound(first);
      return row != rows.end() && *row < first + count;
    };
    if (has(endless)) {
      clock_.advance(std::min<Duration>(time_max, std::chrono::seconds(60)));
      return fail(Errc::kDeadlineExceeded, "too late");
    }
    clock_.advance(Duration(count));
    if (has(greedy)) return fail(Errc::kResourceExhausted, "too much");
    if (has(wrong)) return fail(Errc::kInvalidArgument, "wrong");
    model::ColumnBatch rows;
    rows.rows = count;
    return std::vector<model::ColumnBatch>{rows};
  }

  std::set<size_t> endless, greedy, wrong;

 private:
  env::FakeClock& clock_;
};

class NarrowingTest : public testing::Test {
 protected:
  void narrow(size_t rows) {
    model::ColumnBatch batch;
    batch.rows = rows;
    auto on_rows = [&](const model::ColumnBatch& out) -> Status {
      good_ += out.rows;
      return {};
    };
    auto on_bad_row = [&](size_t row, const Error& error) -> Status {
      bad_[row] = fault_of_run("sql", error).code;
      return {};
    };
    ASSERT_TRUE(Narrowing(statement_, batch, clock_, budget_, on_rows, on_bad_row).run());
    EXPECT_EQ(good_ + bad_.size(), rows);
  }

  env::FakeClock clock_{instant_from_millis(0)};
  Statement statement_{clock_};
  NarrowingBudget budget_;
  size_t good_ = 0;
  std::map<size_t, std::string> bad_;
};

TEST_F(NarrowingTest, OneEndlessRecordIsFoundWithinTheBudget) {
  statement_.endless = {12'345};
  narrow(32'768);
  EXPECT_EQ(bad_, (std::map<size_t, std::string>{{12'345, "timeout"}}));
  EXPECT_FALSE(budget_.spent());
  EXPECT_LE(clock_.monotonic(), NarrowingBudget::kEpoch + std::chrono::seconds(1));
}

TEST_F(NarrowingTest, ManyEndlessRecordsCostNoMoreThanTheBudgetAndAllAreCounted) {
  for (size_t row = 0; row < 32'768; row += 100) statement_.endless.insert(row);
  narrow(32'768);
  EXPECT_TRUE(budget_.spent());
  EXPECT_GE(bad_.size(), statement_.endless.size());
  for (size_t row : statement_.endless) EXPECT_EQ(bad_[row], "timeout");
  EXPECT_LT(clock_.monotonic(), NarrowingBudget::kEpoch + std::chrono::seconds(10));
}

TEST_F(NarrowingTest, EachKindOfFailureHasItsCodeAndWrongRecordsCostNoBudget) {
  statement_.greedy = {3};
  for (size_t row = 10; row < 1000; row += 2) statement_.wrong.insert(row);
  narrow(1000);
  EXPECT_EQ(bad_.size(), 496u);
  EXPECT_EQ(bad_[3], "too_large");
  EXPECT_EQ(bad_[10], "expression_error");
  EXPECT_FALSE(budget_.spent());
}

}  // namespace
}  // namespace millrace::stream
