#include "connect/cassandra/io_loop.h"

#include <fmt/format.h>
#include <sys/epoll.h>
#include <unistd.h>

#include <algorithm>
#include <array>

#include "base/check.h"

namespace millrace::connect::cassandra {
namespace {
constexpr Duration kTick = std::chrono::milliseconds(100);
}  // namespace

SessionState SharedState::wait_open(Duration time_max) {
  MutexLock lock(mutex_);
  auto until = std::chrono::steady_clock::now() + time_max;
  while (state_.phase == SessionState::Phase::kOpening) {
    auto left = std::chrono::duration_cast<Duration>(until - std::chrono::steady_clock::now());
    if (left <= Duration(0) || !changed_.wait_for(mutex_, left)) break;
  }
  return state_;
}

IoLoop::IoLoop(const Settings& settings, const TlsContext* tls, env::Clock& clock, SubmitQueue& queue, SharedState& state)
    : settings_(settings),
      tls_(tls),
      clock_(clock),
      queue_(queue),
      state_(state),
      epoll_(epoll_create1(EPOLL_CLOEXEC)),
      now_(clock.monotonic()),
      version_(settings.protocol == 4 ? cql::Version::kV4 : cql::Version::kV5),
      local_dc_(settings.local_dc),
      window_(settings.in_flight_max) {
  CHECK(epoll_ >= 0, "epoll");
  epoll_event event{EPOLLIN, {.ptr = nullptr}};
  epoll_ctl(epoll_, EPOLL_CTL_ADD, queue_.event(), &event);
}

IoLoop::~IoLoop() { ::close(epoll_); }

void IoLoop::run() {
  while (!queue_.stopped()) {
    handle_events();
    if (now_ >= next_tick_) tick();
    take_requests();
    flush_all();
    closed_.clear();
  }
  stop_all();
}

int IoLoop::wait_ms() const {
  Duration wait = next_tick_ - now_;
  for (const Paused& paused : paused_) wait = std::min(wait, paused.due - now_);
  return static_cast<int>(std::clamp<int64_t>((wait.count() + 999) / 1000, 0, 100));
}

void IoLoop::handle_events() {
  std::array<epoll_event, 64> events;
  int count = epoll_wait(epoll_, events.data(), static_cast<int>(events.size()), wait_ms());
  now_ = clock_.monotonic();
  for (int i = 0; i < count; ++i) {
    auto* connection = static_cast<Connection*>(events[static_cast<size_t>(i)].data.ptr);
    if (connection == nullptr) {
      queue_.clear_event();
      continue;
    }
    if (!is_open(connection)) continue;
    uint32_t what = events[static_cast<size_t>(i)].events;
    Status status;
    if ((what & EPOLLOUT) != 0) status = connection->writable();
    if (status && (what & (EPOLLIN | EPOLLERR | EPOLLHUP)) != 0) status = connection->receive(*this, now_);
    if (!status) close(*connection, status.error());
  }
}

void IoLoop::take_requests() {
  std::vector<std::unique_ptr<Request>> due;
  for (size_t i = 0; i < paused_.size();) {
    if (paused_[i].due > now_) {
      ++i;
      continue;
    }
    due.push_back(std::move(paused_[i].request));
    std::swap(paused_[i], paused_.back());
    paused_.pop_back();
  }
  // Room for a few is left alone until it is room for many: one send and one segment then carry them all.
  size_t room = window_.size() > active_ ? window_.size() - active_ : 0;
  if (room > 0 && room >= window_.size() / 8) {
    queue_.take(room, taken_);
    active_ += taken_.size();
    for (auto& request : taken_) request->began = now_;
    std::move(taken_.begin(), taken_.end(), std::back_inserter(due));
    taken_.clear();
  }
  for (auto& request : due) dispatch(std::move(request));
}

void IoLoop::dispatch(std::unique_ptr<Request> request) {
  if (request->group->cancelled) {
    finish(*request, {nullptr, Failure::kNotSent, {Errc::kCancelled, "the request to Cassandra was cancelled", ""}});
    return;
  }
  bool anywhere = request->at.empty();
  Connection* connection =
      anywhere ? nodes_.pick(request->group->keyspace, request->token, request->node) : nodes_.connection_to(request->at);
  if (connection == nullptr && anywhere && nodes_.any_ready()) {
    paused_.push_back({now_ + std::chrono::milliseconds(2), std::move(request)});
    return;
  }
  ++request->tries;
  if (connection == nullptr) {
    std::string why = nodes_.errors();
    failed(std::move(request), Failure::kNotSent, {Errc::kUnavailable, why.empty() ? "no node is connected" : why, ""}, nullptr);
    return;
  }
  connection->send(std::move(request), now_);
}

void IoLoop::flush_all() {
  for (Connection* connection : all()) {
    if (!is_open(connection)) continue;
    if (connection->ready()) {
      Status status = connection->flush();
      if (!status) {
        close(*connection, status.error());
        continue;
      }
    }
    if (connection->wants_write() == connection->watched_for_write) continue;
    connection->watched_for_write = connection->wants_write();
    epoll_event event{connection->wants_write() ? EPOLLIN | EPOLLOUT : uint32_t{EPOLLIN}, {.ptr = connection}};
    epoll_ctl(epoll_, EPOLL_CTL_MOD, connection->descriptor(), &event);
  }
}

void IoLoop::tick() {
  next_tick_ = now_ + kTick;
  for (Connection* connection : all()) {
    if (!is_open(connection)) continue;
    std::vector<std::unique_ptr<Request>> overdue;
    Status status = connection->take_overdue(now_, settings_.request_timeout, overdue);
    for (auto& request : overdue) failed(std::move(request), Failure::kNoAnswer, {Errc::kUnavailable, "", ""}, connection);
    if (!status) close(*connection, status.error());
  }
  if (refresh_at_ && now_ >= *refresh_at_ && control_ != nullptr && control_->ready() && !reading_) refresh();
  if (control_ == nullptr && now_ >= control_at_) connect_control();
  connect_nodes();
}

void IoLoop::on_answer(Connection& connection, std::unique_ptr<Request> request, const cql::Envelope& envelope) {
  if (envelope.opcode != cql::Opcode::kError) {
    if (!request->once) window_.answered(now_ - request->sent, active_);
    Answer answer;
    answer.envelope = &envelope;
    finish(*request, answer);
    return;
  }
  auto response = cql::decode_response(envelope);
  const auto* error = response ? std::get_if<cql::ErrorResponse>(&*response) : nullptr;
  if (error == nullptr) {
    failed(std::move(request), Failure::kServerError, {Errc::kCorruption, "an error that cannot be read", ""}, &connection);
    return;
  }
  Failure failure = failure_from_code(static_cast<int32_t>(error->code));
  failed(std::move(request), failure, {errc_of(failure), error->message, ""}, &connection, error->unprepared_id);
}

void IoLoop::failed(std::unique_ptr<Request> request, Failure failure, Error cause, Connection* connection, std::string_view id) {
  if (request->began < Duration(0)) request->began = request->sent;
  Verdict verdict = after_failure({failure, request->idempotent, request->tries, now_ - request->began, settings_.retry_time});
  if (verdict.slow_down) window_.slow_down();
  std::string node = connection == nullptr ? "" : to_text(connection->address());
  bool cancelled = request->group->cancelled;
  bool final = request->once || !request->at.empty() || cancelled;
  if (!final && verdict.action == Action::kPrepare && connection != nullptr) {
    prepare_again(*connection, std::string(id), std::move(request));
    return;
  }
  if (!final && verdict.action != Action::kGiveUp) {
    request->node = verdict.action == Action::kNextNode ? node : "";
    paused_.push_back({now_ + verdict.pause, std::move(request)});
    return;
  }
  Error error{errc_of(failure), fmt::format("Cassandra{}{}: {}", node.empty() ? "" : " node ", node, failure_name(failure)), ""};
  if (!cause.message.empty()) error.message += ": " + cause.message;
  if (request->tries > 1)
    error.message += fmt::format(" (tried {} times in {})", request->tries,
                                 format_duration(std::chrono::floor<std::chrono::milliseconds>(now_ - request->began)));
  if (cancelled) error.code = Errc::kCancelled;
  finish(*request, {nullptr, failure, std::move(error)});
}

/// The statement with this id becomes known to the node again; requests that need it meanwhile wait together.
void IoLoop::prepare_again(Connection& connection, std::string id, std::unique_ptr<Request> request) {
  const auto& statements = request->group->statements;
  auto statement = std::find_if(statements.begin(), statements.end(), [&](const Prepared& s) { return s.id == id; });
  if (statement == statements.end() || connection.full()) {
    paused_.push_back({now_ + std::chrono::milliseconds(20), std::move(request)});
    return;
  }
  cql::Request prepare = cql::PrepareRequest{statement->text, std::nullopt};
  auto& waiting = connection.unprepared[id];
  waiting.push_back(std::move(request));
  if (waiting.size() > 1) return;
  auto group = std::make_shared<CallGroup>([this, &connection, id](const Answer& answer) {
    if (is_open(&connection)) prepared_again(&connection, id, answer);
  });
  connection.send(make_request(std::move(group), version_, prepare), now_);
}

void IoLoop::prepared_again(Connection* connection, const std::string& id, const Answer& answer) {
  std::vector<std::unique_ptr<Request>> waiting = std::move(connection->unprepared[id]);
  connection->unprepared.erase(id);
  auto response = answer.ok() ? cql::decode_response(*answer.envelope) : Result<cql::Response>(fail(answer.error));
  const auto* prepared = response ? std::get_if<cql::PreparedResult>(&*response) : nullptr;
  for (auto& request : waiting) {
    if (!answer.ok()) {
      failed(std::move(request), answer.failure, answer.error, connection);
    } else if (prepared == nullptr || prepared->id != id) {
      failed(std::move(request), Failure::kInvalid, {Errc::kFailedPrecondition, "a statement got another id", ""}, connection);
    } else {
      paused_.push_back({now_, std::move(request)});
    }
  }
}

void IoLoop::finish(Request& request, const Answer& answer) {
  if (!request.once) --active_;
  request.group->done(request, answer);
}

void IoLoop::stop_all() {
  std::vector<std::unique_ptr<Request>> rest;
  for (Connection* connection : all()) {
    for (auto& request : connection->take_waiting()) rest.push_back(std::move(request));
  }
  for (Paused& paused : paused_) rest.push_back(std::move(paused.request));
  paused_.clear();
  size_t counted = rest.size();
  queue_.take(SIZE_MAX, rest);
  active_ += rest.size() - counted;
  for (auto& request : rest)
    finish(*request, {nullptr, Failure::kNotSent, {Errc::kCancelled, "the session with Cassandra has ended", ""}});
}

}  // namespace millrace::connect::cassandra
