#include <fmt/format.h>

#include <atomic>
#include <thread>

#include "app/api.h"
#include "base/mutex.h"
#include "format/json_write.h"

namespace millrace::app {
namespace {

using format::Json;

/// The statement: the body as it is, or `{"sql": "…"}`.
Result<std::string> statement_of(const Call& call) {
  std::string_view type = call.request.header("content-type").value_or("text/plain");
  if (type.substr(0, type.find(';')) != "application/json") return call.request.body;
  TRY(Json body, call.body_object());
  const Json* sql = body.find("sql");
  if (sql == nullptr || sql->as_string() == nullptr) return fail(Errc::kInvalidArgument, "the body must be {\"sql\": \"…\"}");
  return *sql->as_string();
}

constexpr size_t kPieceBytes = 1 << 20;

/// A statement that runs on a thread of its own and hands its JSON over in pieces, one at a time. The first piece, or the failure
/// before it, is known before the answer begins; that way an error of a small result has a status of its own.
class StatementRun {
 public:
  StatementRun(Instance& instance, std::string statement) {
    thread_ = std::thread([this, &instance, statement = std::move(statement)] { run(instance, statement); });
  }
  ~StatementRun() {
    {
      MutexLock lock(mutex_);
      abandoned_ = true;
      changed_.notify_all();
    }
    thread_.join();
  }

  struct Piece {
    std::string json;
    bool last = false;
  };
  Result<Piece> next() {
    MutexLock lock(mutex_);
    while (!piece_) changed_.wait(mutex_);
    Result<Piece> out = std::move(*piece_);
    piece_.reset();
    changed_.notify_all();
    return out;
  }

 private:
  void run(Instance& instance, const std::string& statement) {
    std::string json = "[";
    bool first = true;
    auto on_batch = [&](const model::ColumnBatch& rows) -> Status {
      for (size_t row = 0; row < rows.rows; ++row) {
        if (!first) json += ",\n ";
        first = false;
        format::append_row_json(json, rows, row);
        if (json.size() < kPieceBytes) continue;
        TRY_DO(hand_over(Piece{std::move(json), false}));
        json.clear();
      }
      return {};
    };
    Status done =
        instance.shell_engine().execute(statement, instance.catalog(), {instance.options().statement_time_max}, on_batch);
    if (done) {
      (void)hand_over(Piece{json + "]", true});
    } else {
      (void)hand_over(::millrace::fail(std::move(done.error())));
    }
  }
  Status hand_over(Result<Piece> piece) {
    MutexLock lock(mutex_);
    while (piece_ && !abandoned_) changed_.wait(mutex_);
    if (abandoned_) return fail(Errc::kCancelled, "nobody reads the result any more");
    piece_ = std::move(piece);
    changed_.notify_all();
    return {};
  }

  Mutex mutex_;
  CondVar changed_;
  std::optional<Result<Piece>> piece_ GUARDED_BY(mutex_);
  bool abandoned_ GUARDED_BY(mutex_) = false;
  std::thread thread_;
};

/// Statements at work at a time, so that slow ones leave threads and processors to everybody else.
constexpr int kStatementsMax = 4;
std::atomic<int> statements_at_work{0};

/// One of the kStatementsMax places, for as long as it lives.
struct Place {
  bool taken = statements_at_work.fetch_add(1) < kStatementsMax;
  ~Place() { statements_at_work.fetch_sub(1); }
};

/// The result as a bare array of objects.
Result<Response> run(const Call& call) {
  TRY(std::string statement, statement_of(call));
  auto place = std::make_shared<Place>();
  if (!place->taken) {
    Response busy = serve::http::error_response(
        503, "resource_exhausted", fmt::format("{} statements are at work already", kStatementsMax), "try again in a moment");
    busy.headers.emplace_back("Retry-After", "1");
    return busy;
  }
  auto statement_run = std::make_shared<StatementRun>(call.instance, std::move(statement));
  TRY(StatementRun::Piece first, statement_run->next());
  Response response;
  if (first.last) {
    response.body = std::move(first.json);
    return response;
  }
  response.stream = [place, statement_run, first = std::move(first.json)](serve::http::BodyWriter& out) -> Status {
    TRY_DO(out.write(first));
    while (true) {
      TRY(StatementRun::Piece piece, statement_run->next());
      TRY_DO(out.write(piece.json));
      if (piece.last) return {};
    }
  };
  return response;
}

constexpr Route kRoutes[] = {{"POST", "/v1/sql", true, run}};

}  // namespace

std::span<const Route> sql_routes() { return kRoutes; }

}  // namespace millrace::app
