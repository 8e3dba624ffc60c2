#pragma once

#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "model/record.h"
#include "port/sink.h"
#include "port/sql_engine.h"
#include "store/store.h"
#include "stream/exec/attempts.h"
#include "stream/exec/committer.h"
#include "stream/exec/narrowing.h"
#include "stream/exec/position.h"
#include "stream/exec/record_decoder.h"
#include "table/dead_letters.h"

namespace millrace::stream {

/// What becomes of a record that cannot be processed.
enum class OnError { kDeadLetter, kFail, kSkip };

/// A query as the pipeline runs it. The statements come from stream/plan.
struct PipelineSpec {
  std::string query;
  std::string topic;
  OnError on_error = OnError::kDeadLetter;
  /// The columns that the statements read; see RecordDecoder.
  std::shared_ptr<const model::Schema> input;
  /// Gives the output columns, then kRowColumn, and kDeleteColumn (boolean) where the table has a rule for deletes.
  std::string statement;
  /// Gives kRowColumn and the name of the first broken rule for each record that breaks one; empty without a contract.
  std::string contract;
};
inline constexpr std::string_view kRowColumn = "__row";
inline constexpr std::string_view kDeleteColumn = "__delete";

/// One query from records to one atomic commit: decode, contract, SQL, sink, position.
///
///   feed(runs) …, then commit() or abandon().
///
/// What was fed between two commits is an epoch. The rows, the position with its counts and the dead letters of an epoch are one
/// store::Batch; nothing of it is visible before, all of it afterwards.
///
/// Threading: one thread. Lifetime: the parts outlive it.
class Pipeline {
 public:
  struct Parts {
    port::SqlEngine& engine;
    port::Sink& sink;
    store::Store& store;
    env::Clock& clock;
    /// Where records that the process dies of are noted; may be null.
    Attempts* attempts = nullptr;
    /// Where the position is kept, when that is not the store.
    port::GroupSource* group = nullptr;
  };
  /// Compiles the statements. `position` is where the query stands; `values` reads the records' values, null: JSON.
  /// Errors: kInvalidArgument with DuckDB's words.
  static Result<std::unique_ptr<Pipeline>> create(PipelineSpec spec, const Parts& parts, Position position,
                                                  std::unique_ptr<port::ValueDecoder> values = nullptr);
  ~Pipeline();

  /// Takes records into the epoch. Errors: of the sink or engine; with OnError::kFail also of a record, naming its place. The
  /// epoch must be abandoned then.
  Status feed(const std::vector<model::RecordRun>& runs);
  /// Commits the epoch. An epoch without records commits nothing.
  Status commit();
  /// Settles an epoch whose commit was cut off; before the first epoch and after every failure. position() may move.
  Status recover();
  /// Goes on at `next`, since `lost` records before it are gone from the topic; counted and committed.
  Status skip_lost(model::Partition partition, model::Offset next, uint64_t lost);
  /// Forgets the epoch; the caller seeks back to position().
  void abandon();

  /// Ends the statement under way and the sink's waiting, and every later one, with kCancelled. From any thread.
  void interrupt();

  struct ReplayReport {
    uint64_t replayed = 0;    // gave rows, or were filtered
    uint64_t superseded = 0;  // rows that were older than what the table has
    uint64_t still_dead = 0;
  };
  /// Runs dead letters of this query again, in an epoch of their own. A letter keeps its record's version, so it never
  /// overwrites what came later.
  Result<ReplayReport> replay(const std::vector<table::DeadLetter>& letters);

  const PipelineSpec& spec() const { return spec_; }
  const std::shared_ptr<const model::Schema>& output() const { return output_; }
  /// As committed.
  const Position& position() const { return committed_; }
  size_t epoch_records() const { return epoch_records_; }
  size_t epoch_bytes() const { return epoch_bytes_; }
  /// So much time went into records that do not end that the epoch should be committed before more is fed.
  bool epoch_is_slow() const { return narrowing_.spent(); }

 private:
  struct Slice;  // records that are decoded and run together
  using Runs = std::vector<model::RecordRun>;

  Pipeline(PipelineSpec spec, const Parts& parts, Position position, std::unique_ptr<port::ValueDecoder> values);
  Status compile();
  void begin_epoch();
  Status feed_together(const Runs& runs);
  /// Each record by itself; the ones that the process died of are dead letters at once.
  Status feed_one_by_one(const Runs& runs);
  Status condemn(const model::RecordRun& one);
  void take(Slice& slice, const Runs& runs);
  Status process(Slice& slice);
  Status decode(Slice& slice);
  Status check_contract(Slice& slice);
  Status run_sql(Slice& slice);
  Status stage(Slice& slice, const model::ColumnBatch& rows);
  /// Does with a bad record what on_error says.
  Status refuse(Slice& slice, size_t item, const RecordFault& fault);

  PipelineSpec spec_;
  Parts parts_;
  RecordDecoder decoder_;
  Committer committer_;
  std::unique_ptr<port::CompiledQuery> query_;
  std::unique_ptr<port::CompiledQuery> contract_;
  std::shared_ptr<const model::Schema> output_;
  bool deletes_ = false;

  Position committed_;
  Position next_;
  store::Batch batch_;
  size_t epoch_records_ = 0;
  size_t epoch_bytes_ = 0;
  NarrowingBudget narrowing_;  // of the epoch
};

}  // namespace millrace::stream
