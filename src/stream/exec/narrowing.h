#pragma once

#include <algorithm>

#include "env/clock.h"
#include "port/sql_engine.h"
#include "stream/exec/record_decoder.h"

namespace millrace::stream {

/// The time that one epoch may lose on runs that end at a limit of time or memory. Pieces get a quarter of what is left, so that
/// one endless record among 32,768 is found within the budget; once it is spent, a piece that fails is given up as a whole.
class NarrowingBudget {
 public:
  static constexpr Duration kEpoch = std::chrono::minutes(2);
  static constexpr Duration kPieceMin = std::chrono::milliseconds(100);

  void spend(Duration time) { left_ -= std::min(left_, time); }
  bool spent() const { return left_ == Duration::zero(); }
  Duration piece_time() const { return std::max(left_ / 4, kPieceMin); }

 private:
  Duration left_ = kEpoch;
};

/// What an error of a run says of the record that was alone in it.
inline RecordFault fault_of_run(const char* stage, const Error& error) {
  const char* code = error.code == Errc::kDeadlineExceeded    ? "timeout"
                     : error.code == Errc::kResourceExhausted ? "too_large"
                                                              : "expression_error";
  return {stage, code, error.message};
}

/// Runs a statement over rows, and halves what fails until the bad rows are alone. Results go to `on_rows`, bad rows with their
/// error to `on_bad_row`. Errors that no smaller piece would lack end it.
template <class OnRows, class OnBadRow>
class Narrowing {
 public:
  Narrowing(port::CompiledQuery& statement, const model::ColumnBatch& input, env::Clock& clock, NarrowingBudget& budget,
            const OnRows& on_rows, const OnBadRow& on_bad_row)
      : statement_(statement), input_(input), clock_(clock), budget_(budget), on_rows_(on_rows), on_bad_row_(on_bad_row) {}

  Status run() { return run(0, input_.rows, Duration::max()); }

 private:
  Status run(size_t first, size_t count, Duration time_max) {
    Duration begin = clock_.monotonic();
    auto result = statement_.run(input_, first, count, time_max);
    if (result) {
      for (const model::ColumnBatch& rows : *result) TRY_DO(on_rows_(rows));
      return {};
    }
    Error& error = result.error();
    bool at_limit = error.code == Errc::kResourceExhausted || error.code == Errc::kDeadlineExceeded;
    if (!at_limit && error.code != Errc::kInvalidArgument) return fail(std::move(error));
    if (at_limit) budget_.spend(clock_.monotonic() - begin);
    if (count == 1) return on_bad_row_(first, error);
    if (at_limit && budget_.spent()) return give_up(first, count);
    TRY_DO(run(first, count / 2, budget_.piece_time()));
    return run(first + count / 2, count - count / 2, budget_.piece_time());
  }

  Status give_up(size_t first, size_t count) {
    Error error{Errc::kDeadlineExceeded, "among these records are some that do not end, and the time to find them is over",
                "replay the dead letters in small groups"};
    for (size_t row = first; row < first + count; ++row) TRY_DO(on_bad_row_(row, error));
    return {};
  }

  port::CompiledQuery& statement_;
  const model::ColumnBatch& input_;
  env::Clock& clock_;
  NarrowingBudget& budget_;
  const OnRows& on_rows_;
  const OnBadRow& on_bad_row_;
};

}  // namespace millrace::stream
