#pragma once

#include <string>

#include "base/result.h"
#include "port/sink.h"
#include "port/source.h"
#include "store/store.h"
#include "stream/exec/position.h"

namespace millrace::stream {

/// Ends epochs so that rows, position and dead letters can never disagree, by what the sink can do:
///
///   kLocalCommit    one store commit holds everything
///   kTransactional  intent, foreign transaction with the epoch's number, store commit; recover() settles what lies between
///   otherwise       the rows are durable, then the position moves: a crash in between writes the same rows again
///
/// With a group the position is the group's, and the store keeps the counts: dead letters are durable before the group moves on.
///
/// Threading: one thread. Lifetime: the parts outlive it.
class Committer {
 public:
  Committer(std::string query, port::Sink& sink, store::Store& store, port::GroupSource* group);

  /// `next` follows `before`; `letters` has the epoch's dead letters. When it fails, what became of the epoch is open until
  /// recover() of a transactional sink; it must be abandoned.
  Status commit(const Position& before, const Position& next, store::Batch letters);

  /// Where the query stands, given the position that the store has: the same, or behind an epoch that was in doubt and is
  /// committed. For a transactional sink before the first epoch and after every failure, else it changes nothing. Errors: the
  /// sink's; kFailedPrecondition when the target has epochs that this data directory does not know, or lacks some that it knows.
  Result<Position> recover(Position committed);

 private:
  Status commit_local(const port::Epoch& epoch, store::Batch batch);
  Status commit_transaction(const port::Epoch& epoch, store::Batch batch);
  Status commit_group(const port::Epoch& epoch, const Position& next, store::Batch letters);
  Result<Position> adopt(std::string_view intent);

  const std::string query_;
  port::Sink& sink_;
  store::Store& store_;
  port::GroupSource* const group_;
};

}  // namespace millrace::stream
