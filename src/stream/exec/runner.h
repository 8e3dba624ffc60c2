#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "env/clock.h"
#include "port/source.h"
#include "stream/exec/pipeline.h"

namespace millrace::stream {

enum class QueryState { kRunning, kPaused, kFailed, kStopped };
std::string_view query_state_name(QueryState state);

struct QueryStatus {
  QueryState state = QueryState::kStopped;
  std::string reason;   // why it failed
  Position position;    // as committed
  uint64_t epochs = 0;  // since the start of the process
  Duration busy{0};     // time spent on them
};

/// What happens when records are gone before the query came to them.
enum class OnDataLoss { kFail, kContinue };

/// The thread of one query: reads its source, runs epochs, commits. An epoch takes what has arrived; under backlog it grows up to
/// kEpochRecordsMax records, because large commits cost less a row.
///
/// **Threading**: every method from any thread. **Lifetime**: stop() before what the pipeline refers to goes; the destructor
/// calls it.
/// **Errors**: a failed epoch is abandoned and the query stops as kFailed with the reason; resume() tries again from the
/// committed position.
/// What can pass by itself (disk full, a part that does not answer) is tried again after kRetryFirst, then ever more rarely.
class Runner {
 public:
  static constexpr size_t kEpochRecordsMax = 1'000'000;
  static constexpr size_t kEpochBytesMax = 384 << 20;
  static constexpr size_t kSliceRecordsMax = 32'768;
  static constexpr size_t kSliceBytesMax = 8 << 20;
  static constexpr Duration kRetryFirst = std::chrono::seconds(1);
  static constexpr Duration kRetryMax = std::chrono::seconds(30);

  struct Parts {
    std::unique_ptr<port::Source> source;
    port::GroupSource* group = nullptr;  // the source, when it keeps the position
    std::unique_ptr<port::Sink> sink;
    std::unique_ptr<Attempts> attempts;  // may be null
    std::unique_ptr<Pipeline> pipeline;
    OnDataLoss on_data_loss = OnDataLoss::kFail;
  };
  Runner(Parts parts, env::Clock& clock, bool paused);
  ~Runner();

  void start();
  /// Ends soon: the epoch under way is abandoned if it is still in SQL, and processed again at the next start.
  void stop();
  void pause();
  /// Goes on after pause() or a failure.
  void resume();
  QueryStatus status() const;
  const std::shared_ptr<const model::Schema>& output() const { return output_; }

  /// What the topic holds now, by partition; of a group, only the partitions that are this process's.
  Result<std::vector<port::PartitionEnd>> ends();
  /// Records that the topic holds and no commit covers; as of the last time the source answered.
  uint64_t in_flight();
  /// Waits until every partition is committed up to its end. False: the time ran out, `cancelled` said so, or the query failed.
  bool wait_for(const std::vector<port::PartitionEnd>& ends, Duration timeout, const std::function<bool()>& cancelled);
  /// Runs on the query's thread between two epochs (also while paused or failed), and waits for it.
  Result<Pipeline::ReplayReport> replay(std::vector<table::DeadLetter> letters);
  /// Called on the query's thread after each commit; set before start().
  std::function<void(const Position&)> on_commit;

 private:
  void loop();
  /// Settles what is in doubt, and puts the source where the position is.
  Status begin();
  Status seek(model::Partition partition);
  Status run_epoch(Duration wait);
  bool is_stopping() const;
  void publish(std::optional<Error> failure);
  void wait_for_retry(const Error& failure);
  bool run_job();

  struct Job {
    std::vector<table::DeadLetter> letters;
    std::optional<Result<Pipeline::ReplayReport>> result;
  };

  // Used by the query's thread only.
  Parts parts_;
  env::Clock& clock_;
  Duration retry_after_ = kRetryFirst;
  const port::SinkTraits traits_;
  const std::shared_ptr<const model::Schema> output_;

  std::atomic<int32_t> partitions_{0};
  std::atomic<uint64_t> in_flight_{0};
  std::atomic<Duration::rep> ask_again_{0};
  mutable Mutex mutex_;
  CondVar changed_;
  QueryStatus status_ GUARDED_BY(mutex_);
  bool stopping_ GUARDED_BY(mutex_) = false;
  Job* job_ GUARDED_BY(mutex_) = nullptr;
  std::thread thread_;
};

}  // namespace millrace::stream
