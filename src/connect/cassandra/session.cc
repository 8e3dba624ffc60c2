#include "connect/cassandra/session.h"

#include <fmt/format.h>

#include <set>

namespace millrace::connect::cassandra {
namespace {

constexpr Duration kAgreementMax = std::chrono::seconds(20);

/// One request that somebody waits for.
class Waiting : public RequestGroup {
 public:
  void done(Request&, const Answer& answer) override EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    if (answer.ok()) {
      body_ = std::make_unique<const std::string>(answer.envelope->body);
      envelope_ = *answer.envelope;
      envelope_.body = *body_;
    } else {
      error_ = answer.error;
    }
    ended_ = true;
    changed_.notify_all();
  }
  Result<Reply> wait() EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    while (!ended_) changed_.wait(mutex_);
    if (body_ == nullptr) return fail(error_);
    TRY(cql::Response response, cql::decode_response(envelope_));
    return Reply{std::move(body_), std::move(response)};
  }

 private:
  Mutex mutex_;
  CondVar changed_;
  bool ended_ GUARDED_BY(mutex_) = false;
  std::unique_ptr<const std::string> body_ GUARDED_BY(mutex_);
  cql::Envelope envelope_ GUARDED_BY(mutex_);
  Error error_ GUARDED_BY(mutex_);
};

std::string places(const Settings& settings) {
  std::string text;
  for (const Endpoint& endpoint : settings.contact_points) text += (text.empty() ? "" : ", ") + to_text(endpoint);
  return text;
}

}  // namespace

Session::Session(Settings settings, std::unique_ptr<TlsContext> tls, env::Clock& clock)
    : settings_(std::move(settings)), tls_(std::move(tls)), clock_(clock) {
  thread_ = std::thread([this] { IoLoop(settings_, tls_.get(), clock_, queue_, state_).run(); });
}

Session::~Session() {
  queue_.stop();
  thread_.join();
}

Result<std::unique_ptr<Session>> Session::open(Settings settings, env::Clock& clock) {
  TRY(auto tls, TlsContext::create(settings));
  std::unique_ptr<Session> session(new Session(std::move(settings), std::move(tls), clock));
  SessionState state = session->state_.wait_open(session->settings_.connect_timeout * 2);
  if (state.phase == SessionState::Phase::kOpen) {
    session->version_ = state.version;
    return session;
  }
  Error error = state.error;
  if (error.message.empty()) error = {Errc::kUnavailable, "no answer", ""};
  if (state.phase == SessionState::Phase::kOpening) error.code = Errc::kUnavailable;
  return fail(at("Cassandra at " + places(session->settings_), std::move(error)));
}

cql::QueryParams Session::write_params() const {
  cql::QueryParams params;
  params.consistency = settings_.consistency;
  return params;
}

cql::QueryParams Session::read_params() const {
  cql::QueryParams params = write_params();
  if (params.consistency == cql::Consistency::kAny) params.consistency = cql::Consistency::kOne;
  if (params.consistency == cql::Consistency::kEachQuorum) params.consistency = cql::Consistency::kLocalQuorum;
  return params;
}

Result<Reply> Session::ask(const cql::Request& message, bool idempotent, std::string node) {
  auto waiting = std::make_shared<Waiting>();
  auto request = make_request(waiting, version_, message);
  request->once = false;
  request->idempotent = idempotent;
  request->at = std::move(node);
  std::vector<std::unique_ptr<Request>> requests;
  requests.push_back(std::move(request));
  TRY_DO(queue_.push(requests, waiting->cancelled));
  return waiting->wait();
}

Result<Reply> Session::query_system(std::string_view text, const cql::Values& values) {
  cql::QueryRequest request;
  request.query = text;
  request.params.consistency = cql::Consistency::kOne;
  request.values = values;
  return ask(request);
}

Status Session::change_schema(std::string_view text) {
  cql::QueryRequest request;
  request.query = text;
  request.params = read_params();
  TRY_DO(ask(request, false));
  return agree_on_schema();
}

/// Tables that one node knows and another does not yet make writes fail. Nodes that are down learn of it when they are back.
Status Session::agree_on_schema() {
  Duration until = clock_.monotonic() + kAgreementMax;
  while (true) {
    std::set<Uuid> versions;
    for (const std::string& node : state_.get().live) {
      cql::QueryRequest request;
      request.query = kLocalQuery;
      request.params.consistency = cql::Consistency::kOne;
      auto reply = ask(request, true, node);
      if (!reply || reply->rows() == nullptr) continue;
      TRY_DO(for_each_row(*reply->rows(), [&](const RowView& row) { versions.insert(row.uuid("schema_version")); }));
    }
    if (versions.size() == 1) return {};
    if (clock_.monotonic() > until)
      return fail(Errc::kUnavailable, "the nodes of the Cassandra cluster do not agree on the schema",
                  "`nodetool describecluster` shows which node differs");
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
  }
}

Result<Prepared> Session::prepare(std::string text) {
  cql::PrepareRequest message{text, std::nullopt};
  TRY(Reply reply, ask(message));
  auto* prepared = std::get_if<cql::PreparedResult>(&reply.response);
  if (prepared == nullptr) return fail(Errc::kCorruption, "PREPARE was answered with something else");
  return Prepared{std::move(text), std::move(prepared->id), std::move(prepared->result_metadata_id)};
}

}  // namespace millrace::connect::cassandra
