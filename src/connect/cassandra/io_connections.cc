#include <fmt/format.h>
#include <sys/epoll.h>

#include <algorithm>

#include "base/log.h"
#include "connect/cassandra/io_loop.h"

/// The half of IoLoop that keeps the connections, and what is known of the cluster.
namespace millrace::connect::cassandra {
namespace {
constexpr Duration kRefreshDelay = std::chrono::seconds(1);
constexpr Duration kControlPause = std::chrono::milliseconds(250);
constexpr std::string_view kRoom = "connect/cassandra";
}  // namespace

void IoLoop::watch(Connection& connection) {
  connection.watched_for_write = true;
  epoll_event event{EPOLLIN | EPOLLOUT, {.ptr = &connection}};
  epoll_ctl(epoll_, EPOLL_CTL_ADD, connection.descriptor(), &event);
}

void IoLoop::bury(std::unique_ptr<Connection> connection) {
  epoll_ctl(epoll_, EPOLL_CTL_DEL, connection->descriptor(), nullptr);
  auto lost = connection->take_waiting();
  Connection* gone = connection.get();
  closed_.push_back(std::move(connection));
  for (auto& request : lost) failed(std::move(request), Failure::kConnectionLost, {Errc::kUnavailable, "", ""}, gone);
}

std::vector<Connection*> IoLoop::all() {
  std::vector<Connection*> list;
  if (control_ != nullptr) list.push_back(control_.get());
  for (auto& node : nodes_.nodes()) {
    for (auto& connection : node->connections) list.push_back(connection.get());
  }
  return list;
}

bool IoLoop::is_open(const Connection* connection) {
  return (control_ != nullptr && control_.get() == connection) || nodes_.owner_of(*connection) != nullptr;
}

void IoLoop::close(Connection& connection, const Error& error) {
  if (error.code == Errc::kPermissionDenied) fail_open(error);
  if (control_.get() == &connection) {
    bool refused = connection.version_refused();
    bury(std::move(control_));
    control_lost(error, refused);
    return;
  }
  Node* node = nodes_.owner_of(connection);
  if (node == nullptr) return;
  bool was_ready = node->ready();
  node->last_error = error.message.find(to_text(node->info.address)) == std::string::npos
                         ? fmt::format("{}: {}", to_text(node->info.address), error.message)
                         : error.message;
  auto own = std::find_if(node->connections.begin(), node->connections.end(), [&](auto& c) { return c.get() == &connection; });
  std::unique_ptr<Connection> gone = std::move(*own);
  node->connections.erase(own);
  if (was_ready && !node->ready()) log_warn(kRoom, "lost node " + node->last_error);
  node->connect_at = now_ + node->backoff;
  node->backoff = std::min(Node::kBackoffMax, node->backoff * 2);
  note_live();
  state_.change([&](SessionState& state) { state.error = {error.code, node->last_error, error.hint}; });
  bury(std::move(gone));
}

void IoLoop::control_lost(const Error& error, bool version_refused) {
  reading_.reset();
  control_at_ = now_ + kControlPause;
  if (version_refused && settings_.protocol == 0 && version_ == cql::Version::kV5 && !version_agreed_) {
    version_ = cql::Version::kV4;
    control_at_ = now_;
    candidates_.clear();
    return;
  }
  state_.change([&](SessionState& state) { state.error = error; });
}

void IoLoop::fail_open(const Error& error) {
  state_.change([&](SessionState& state) {
    if (state.phase != SessionState::Phase::kOpening) return;
    state.phase = SessionState::Phase::kFailed;
    state.error = error;
  });
}

void IoLoop::find_candidates() {
  for (const Endpoint& contact : settings_.contact_points) {
    auto addresses = resolve(contact);
    if (!addresses) {
      state_.change([&](SessionState& state) { state.error = addresses.error(); });
      continue;
    }
    for (const Endpoint& address : *addresses) {
      names_[address.host] = contact.host;
      candidates_.push_back(address);
    }
  }
  std::reverse(candidates_.begin(), candidates_.end());
  for (const auto& node : nodes_.nodes()) {
    if (node->local && node->ready()) candidates_.push_back(node->info.address);
  }
}

void IoLoop::connect_control() {
  if (candidates_.empty()) find_candidates();
  control_at_ = now_ + kControlPause;
  if (candidates_.empty()) return;
  Endpoint address = candidates_.back();
  candidates_.pop_back();
  auto name = names_.find(address.host);
  auto connection =
      Connection::open(settings_, tls_, version_, address, name == names_.end() ? address.host : name->second, now_);
  if (!connection) {
    control_lost(connection.error(), false);
    return;
  }
  control_ = std::move(*connection);
  watch(*control_);
}

void IoLoop::connect_nodes() {
  for (auto& node : nodes_.nodes()) {
    if (!node->local || now_ < node->connect_at || node->connections.size() >= settings_.connections_per_node) continue;
    // One at a time while the node is away.
    if (!node->connections.empty() && !node->ready()) continue;
    const Endpoint& address = node->info.address;
    auto name = names_.find(address.host);
    auto connection =
        Connection::open(settings_, tls_, version_, address, name == names_.end() ? address.host : name->second, now_);
    if (!connection) {
      node->last_error = connection.error().message;
      node->connect_at = now_ + node->backoff;
      node->backoff = std::min(Node::kBackoffMax, node->backoff * 2);
      continue;
    }
    node->connections.push_back(std::move(*connection));
    watch(*node->connections.back());
  }
}

void IoLoop::on_ready(Connection& connection) {
  if (&connection == control_.get()) {
    version_agreed_ = true;
    candidates_.clear();
    ask_control(cql::RegisterRequest{{"TOPOLOGY_CHANGE", "STATUS_CHANGE", "SCHEMA_CHANGE"}}, [](const Answer&) {});
    refresh();
    return;
  }
  if (Node* node = nodes_.owner_of(connection)) {
    if (!node->last_error.empty()) log_info(kRoom, "node " + to_text(node->info.address) + " is back");
    node->backoff = Node::kBackoffMin;
    node->last_error.clear();
  }
  note_open();
}

void IoLoop::note_live() {
  std::vector<std::string> live;
  for (const auto& node : nodes_.nodes()) {
    if (node->ready()) live.push_back(to_text(node->info.address));
  }
  state_.change([&](SessionState& state) { state.live = std::move(live); });
}

void IoLoop::note_open() {
  note_live();
  if (!nodes_.any_ready()) return;
  state_.change([&](SessionState& state) {
    if (state.phase == SessionState::Phase::kOpening) state.phase = SessionState::Phase::kOpen;
    state.version = version_;
  });
}

void IoLoop::on_event(const cql::Envelope& envelope) {
  auto response = cql::decode_response(envelope);
  const auto* event = response ? std::get_if<cql::EventResponse>(&*response) : nullptr;
  if (event == nullptr) return;
  const auto* schema = std::get_if<cql::SchemaChange>(&event->event);
  if (schema != nullptr && schema->target != "KEYSPACE") return;
  if (schema == nullptr) {
    for (auto& node : nodes_.nodes()) node->connect_at = std::min(node->connect_at, now_ + Node::kBackoffMin);
  }
  refresh_at_ = refresh_at_.value_or(now_ + kRefreshDelay);
}

void IoLoop::ask_control(cql::Request request, std::function<void(const Answer&)> done) {
  if (control_ == nullptr || control_->full()) {
    done({nullptr, Failure::kNotSent, {Errc::kUnavailable, "the control connection is lost", ""}});
    return;
  }
  control_->send(make_request(std::make_shared<CallGroup>(std::move(done)), version_, request), now_);
}

/// Reads the three system tables; when all are there, apply.
void IoLoop::refresh() {
  refresh_at_.reset();
  reading_.emplace();
  parts_left_ = 3;
  part_error_.reset();
  auto query = [](std::string_view text) {
    cql::QueryRequest request;
    request.query = text;
    request.params.consistency = cql::Consistency::kOne;
    return request;
  };
  auto read = [this](const Answer& answer, auto use) -> Status {
    if (!answer.ok()) return fail(answer.error);
    TRY(cql::Response response, cql::decode_response(*answer.envelope));
    const auto* rows = std::get_if<cql::RowsResult>(&response);
    if (rows == nullptr || !reading_) return fail(Errc::kCorruption, "a system table was answered with something else than rows");
    return use(*rows);
  };
  uint16_t port = control_->address().port;
  // Peers are read behind the local row, which the answers' order on one connection does not promise.
  auto peers = [this, read, query, port](const Answer& answer) {
    auto use = [this, port](const cql::RowsResult& rows) { return read_peers(rows, port, *reading_); };
    if (answer.ok()) return part_done(read(answer, use));
    ask_control(query(kOldPeersQuery), [this, read, use](const Answer& old) { part_done(read(old, use)); });
  };
  ask_control(query(kLocalQuery), [this, read, query, peers](const Answer& answer) {
    Endpoint asked = control_ == nullptr ? Endpoint{} : control_->address();
    Status status = read(answer, [&](const cql::RowsResult& rows) { return read_local(rows, asked, *reading_); });
    bool ok = status.has_value();
    part_done(std::move(status));
    if (ok) {
      ask_control(query(kPeersQuery), peers);
    } else {
      part_done({});
    }
  });
  ask_control(query(kKeyspacesQuery), [this, read](const Answer& answer) {
    part_done(read(answer, [&](const cql::RowsResult& rows) { return read_keyspaces(rows, *reading_); }));
  });
}

void IoLoop::part_done(Status status) {
  if (!reading_) return;
  if (!status) part_error_ = status.error();
  if (--parts_left_ > 0) return;
  ClusterInfo cluster = std::move(*reading_);
  reading_.reset();
  if (part_error_) {
    state_.change([&](SessionState& state) { state.error = *part_error_; });
    refresh_at_ = now_ + kRefreshDelay;
    return;
  }
  apply(std::move(cluster));
}

void IoLoop::apply(ClusterInfo cluster) {
  if (local_dc_.empty()) local_dc_ = cluster.nodes[0].place.dc;
  std::string dcs;
  bool known = false;
  for (const NodeInfo& node : cluster.nodes) {
    known = known || node.place.dc == local_dc_;
    if (dcs.find(node.place.dc) == std::string::npos) dcs += (dcs.empty() ? "" : ", ") + node.place.dc;
  }
  if (!known) {
    fail_open({Errc::kFailedPrecondition,
               fmt::format("no node of the Cassandra cluster stands in the datacenter {} (option local_dc)", local_dc_),
               fmt::format("the cluster has {}", dcs)});
  }
  for (auto& connection : nodes_.update(std::move(cluster), local_dc_)) bury(std::move(connection));
  state_.change([&](SessionState& state) {
    state.cluster = nodes_.cluster();
    state.local_dc = local_dc_;
  });
  connect_nodes();
}

}  // namespace millrace::connect::cassandra
