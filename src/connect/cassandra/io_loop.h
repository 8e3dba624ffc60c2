#pragma once

#include <functional>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "base/mutex.h"
#include "codec/cql/response.h"
#include "connect/cassandra/node_set.h"
#include "connect/cassandra/submit_queue.h"
#include "connect/cassandra/window.h"
#include "env/clock.h"

namespace millrace::connect::cassandra {

/// How far a session has come; read by any thread.
struct SessionState {
  enum class Phase { kOpening, kOpen, kFailed };
  Phase phase = Phase::kOpening;
  Error error;  // why it failed, or what was last in the way
  ClusterInfo cluster;
  std::vector<std::string> live;  // addresses of the nodes that we are connected to
  std::string local_dc;
  cql::Version version = cql::Version::kV5;
};
class SharedState {
 public:
  SessionState get() EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    return state_;
  }
  template <class Change>
  void change(Change change) EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    change(state_);
    changed_.notify_all();
  }
  /// Waits until the session is open or has failed, or the time is up.
  SessionState wait_open(Duration time_max) EXCLUDES(mutex_);

 private:
  Mutex mutex_;
  CondVar changed_;
  SessionState state_ GUARDED_BY(mutex_);
};

/// The thread that owns the connections: takes requests from the queue as the window allows, sends them coalesced, gives out the
/// answers, tries again, keeps the connections and what is known of the cluster up to date.
class IoLoop : private Connection::Listener {
 public:
  IoLoop(const Settings& settings, const TlsContext* tls, env::Clock& clock, SubmitQueue& queue, SharedState& state);
  ~IoLoop() override;
  /// Until the queue is stopped; then every request has ended.
  void run();

 private:
  void on_ready(Connection& connection) override;
  void on_answer(Connection& connection, std::unique_ptr<Request> request, const cql::Envelope& envelope) override;
  void on_event(const cql::Envelope& envelope) override;

  // The turn of the loop.
  int wait_ms() const;
  void handle_events();
  void take_requests();
  void flush_all();
  void tick();
  void stop_all();

  // Requests.
  void dispatch(std::unique_ptr<Request> request);
  void failed(std::unique_ptr<Request> request, Failure failure, Error cause, Connection* connection, std::string_view id = {});
  void prepare_again(Connection& connection, std::string id, std::unique_ptr<Request> request);
  void prepared_again(Connection* connection, const std::string& id, const Answer& answer);
  void finish(Request& request, const Answer& answer);

  // Connections.
  void watch(Connection& connection);
  void bury(std::unique_ptr<Connection> connection);
  void close(Connection& connection, const Error& error);
  void connect_control();
  void find_candidates();
  void connect_nodes();
  void control_lost(const Error& error, bool version_refused);
  std::vector<Connection*> all();
  bool is_open(const Connection* connection);
  void note_live();
  void note_open();
  void fail_open(const Error& error);

  // What the cluster is.
  void ask_control(cql::Request request, std::function<void(const Answer&)> done);
  void refresh();
  void part_done(Status status);
  void apply(ClusterInfo cluster);

  const Settings& settings_;
  const TlsContext* const tls_;
  env::Clock& clock_;
  SubmitQueue& queue_;
  SharedState& state_;
  const int epoll_;
  Duration now_{0};
  cql::Version version_;
  bool version_agreed_ = false;

  NodeSet nodes_;
  std::string local_dc_;
  Window window_;
  size_t active_ = 0;  // taken from the queue and not ended
  struct Paused {
    Duration due;
    std::unique_ptr<Request> request;
  };
  std::vector<Paused> paused_;
  std::vector<std::unique_ptr<Request>> taken_;
  std::vector<std::unique_ptr<Connection>> closed_;  // in this turn: the events may still name them

  std::unique_ptr<Connection> control_;
  std::vector<Endpoint> candidates_;          // for the control connection, the last to be tried first
  std::map<std::string, std::string> names_;  // of the contact points, by address
  Duration control_at_{0};
  Duration next_tick_{0};
  std::optional<Duration> refresh_at_;
  std::optional<ClusterInfo> reading_;
  size_t parts_left_ = 0;
  std::optional<Error> part_error_;
};

}  // namespace millrace::connect::cassandra
