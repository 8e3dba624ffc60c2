#include "connect/cassandra/table_sink.h"

#include <fmt/format.h>

#include "connect/cassandra/system_schema.h"

namespace millrace::connect::cassandra {
namespace {

constexpr size_t kEpochRecordsMax = 50'000;
constexpr Duration kEpochTimeMax = std::chrono::seconds(1);
constexpr size_t kRefusedMax = 10'000;

/// The table, or a column of it, is gone: no other row would fare better.
bool speaks_of_schema(std::string_view message) {
  for (std::string_view word :
       {"unconfigured table", "does not exist", "nconfigured column", "Undefined column", "Unknown identifier"}) {
    if (message.find(word) != std::string_view::npos) return true;
  }
  return false;
}

}  // namespace

/// The requests of one epoch.
class TableSink::Progress : public RequestGroup {
 public:
  explicit Progress(Session& session) : session_(session) {}

  void begin(size_t requests) EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    waiting_ += requests;
  }
  void done(Request& request, const Answer& answer) override EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    if (!answer.ok()) note(request, answer);
    if (--waiting_ == 0 || error_) changed_.notify_all();
  }
  void interrupt() EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    stop({Errc::kCancelled, "writing into Cassandra was interrupted", ""});
  }
  /// Waits for the answers of all requests, or an error.
  Status wait() EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    while (waiting_ > 0 && !error_) changed_.wait(mutex_);
    return status();
  }
  Status outcome() EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    return status();
  }
  struct Refused {
    uint64_t tag;
    std::string message;
  };
  std::vector<Refused> take_refused() EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    return std::move(refused_);
  }

 private:
  Status status() REQUIRES(mutex_) {
    if (error_) return fail(*error_);
    return {};
  }
  void note(const Request& request, const Answer& answer) REQUIRES(mutex_) {
    bool of_the_row = answer.failure == Failure::kInvalid || answer.error.message.find("too large") != std::string::npos;
    if (of_the_row && !speaks_of_schema(answer.error.message)) {
      if (refused_.size() < kRefusedMax) refused_.push_back({request.tag, answer.error.message});
      return;
    }
    stop(answer.error);
  }
  /// Requests that have not gone out yet need not.
  void stop(Error error) REQUIRES(mutex_) {
    if (!error_) error_ = std::move(error);
    cancelled = true;
    changed_.notify_all();
    session_.nudge();
  }

  Session& session_;
  Mutex mutex_;
  CondVar changed_;
  size_t waiting_ GUARDED_BY(mutex_) = 0;
  std::optional<Error> error_ GUARDED_BY(mutex_);
  std::vector<Refused> refused_ GUARDED_BY(mutex_);
};

Result<std::unique_ptr<TableSink>> TableSink::create(Session& session, env::Clock& clock, const port::TableSinkSpec& spec) {
  TRY(TableName name, parse_table_name(spec.def.name));
  TRY(auto table, read_table(session, name));
  if (!table)
    return fail(Errc::kFailedPrecondition, fmt::format("table {} is not in Cassandra", name.text()), "start the pipeline again");
  TRY(WritePlan plan, plan_writes(name, spec.def, *spec.output, *table));
  std::unique_ptr<TableSink> sink(new TableSink(session, clock, std::move(plan), spec.query));
  TRY_DO(sink->prepare());
  return sink;
}

TableSink::TableSink(Session& session, env::Clock& clock, WritePlan plan, std::string query)
    : session_(session),
      clock_(clock),
      plan_(std::move(plan)),
      query_(std::move(query)),
      buffer_(plan_, {session.version(), session.write_params(), session.settings().nulls_unset, true}) {}

TableSink::~TableSink() { interrupt(); }

port::SinkTraits TableSink::traits() const {
  port::SinkTraits traits;
  traits.kind = port::SinkKind::kIdempotent;
  traits.epoch_records_max = kEpochRecordsMax;
  traits.epoch_time_max = kEpochTimeMax;
  return traits;
}

Status TableSink::prepare() {
  TRY(Prepared insert, session_.prepare(plan_.insert_text()));
  TRY(Prepared erase, session_.prepare(plan_.delete_text()));
  statements_ = {std::move(insert), std::move(erase)};
  begin_epoch();
  return {};
}

void TableSink::begin_epoch() {
  auto progress = std::make_shared<Progress>(session_);
  progress->keyspace = plan_.name.keyspace;
  progress->statements = statements_;
  sent_.clear();
  buffer_.clear();
  MutexLock lock(mutex_);
  progress_ = std::move(progress);
  if (interrupted_) progress_->interrupt();
}

void TableSink::note_known_fault(const port::RowOrigin& origin, uint32_t row, port::SinkReport& report) const {
  auto found = refused_.find({origin.partition, origin.offset, origin.ordinal});
  if (found != refused_.end()) report.faults.push_back({row, "refused", found->second});
}

Result<port::SinkReport> TableSink::stage(const model::ColumnBatch& rows, const std::vector<port::RowOrigin>& origins, bool) {
  TRY_DO(outcome());
  port::SinkReport report;
  if (!refused_.empty()) {
    for (uint32_t i = 0; i < rows.rows; ++i) note_known_fault(origins[i], i, report);
  }
  buffer_.add(rows, origins, clock_.now(), report);
  TRY_DO(send(false));
  return report;
}

Status TableSink::send(bool all) {
  std::shared_ptr<Progress> progress;
  {
    MutexLock lock(mutex_);
    progress = progress_;
  }
  std::vector<std::unique_ptr<Request>> requests;
  for (RowBuffer::Out& out : buffer_.take(statements_, all)) {
    out.request->group = progress;
    out.request->tag = sent_.size();
    sent_.push_back(std::move(out.rows));
    requests.push_back(std::move(out.request));
  }
  if (requests.empty()) return {};
  progress->begin(requests.size());
  Status pushed = session_.submit(requests, progress->cancelled);
  if (pushed) return {};
  TRY_DO(outcome());
  return pushed;
}

Status TableSink::outcome() {
  std::shared_ptr<Progress> progress;
  {
    MutexLock lock(mutex_);
    progress = progress_;
  }
  Status status = progress->outcome();
  if (status || !speaks_of_schema(status.error().message)) return status;
  return fail(Errc::kFailedPrecondition,
              fmt::format("table {} in Cassandra was dropped or changed while query {} writes into it: {}", plan_.name.text(),
                          query_, status.error().message),
              "bring the table back, or start the pipeline again to have it made anew");
}

Status TableSink::commit(const port::Epoch&, store::Batch&) {
  TRY_DO(send(true));
  std::shared_ptr<Progress> progress;
  {
    MutexLock lock(mutex_);
    progress = progress_;
  }
  if (!progress->wait()) return outcome();
  std::string refusal = note_refused(*progress);
  if (refusal.empty()) return {};
  return fail(Errc::kUnavailable,
              fmt::format("Cassandra refused rows for table {}; they are dead letters when they come again: {}",
                          plan_.name.text(), refusal));
}

/// The message of one of them; empty when there is none.
std::string TableSink::note_refused(Progress& progress) {
  std::string message;
  for (Progress::Refused& refused : progress.take_refused()) {
    const std::vector<port::RowOrigin>& rows = sent_[refused.tag];
    message = refused.message;
    if (rows.size() == 1) {
      refused_[{rows[0].partition, rows[0].offset, rows[0].ordinal}] = std::move(refused.message);
    } else {
      buffer_.without_batches();  // which row of the batch it was shows when they go one by one
    }
  }
  return message;
}

void TableSink::committed() {
  refused_.clear();
  begin_epoch();
}

void TableSink::abandon() {
  {
    MutexLock lock(mutex_);
    progress_->cancelled = true;
  }
  session_.nudge();
  begin_epoch();
}

void TableSink::interrupt() {
  MutexLock lock(mutex_);
  interrupted_ = true;
  if (progress_ != nullptr) progress_->interrupt();
}

}  // namespace millrace::connect::cassandra
