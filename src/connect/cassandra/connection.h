#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "codec/cql/frame.h"
#include "connect/cassandra/request.h"
#include "connect/cassandra/settings.h"
#include "connect/cassandra/socket.h"

namespace millrace::connect::cassandra {

/// One connection to a node: handshake, login, stream ids, segments. Threading: the session's thread. An error of any call means
/// that the connection is no use any more: what it had in flight is taken back with take_waiting.
class Connection {
 public:
  /// What it hears, as it hears it.
  class Listener {
   public:
    virtual ~Listener() = default;
    virtual void on_ready(Connection& connection) = 0;
    virtual void on_answer(Connection& connection, std::unique_ptr<Request> request, const cql::Envelope& envelope) = 0;
    virtual void on_event(const cql::Envelope& envelope) = 0;
  };

  /// `host` is what a certificate must name. `streams_max`: so many requests at once.
  static Result<std::unique_ptr<Connection>> open(const Settings& settings, const TlsContext* tls, cql::Version version,
                                                  const Endpoint& address, const std::string& host, Duration now);

  const Endpoint& address() const { return address_; }
  int descriptor() const { return socket_->descriptor(); }
  bool ready() const { return state_ == State::kReady; }
  /// Nothing more should be given to it for now: ids or buffer are used up.
  bool full() const { return free_.empty() || wire_.size() - wire_at_ + out_.size() > kBufferMax; }
  size_t in_flight() const { return slots_.size() - free_.size(); }
  bool wants_write() const { return wants_write_; }
  /// The server spoke of an unsupported version: another one may work.
  bool version_refused() const { return version_refused_; }

  /// Queues the request; flush sends it. Only when ready and not full.
  void send(std::unique_ptr<Request> request, Duration now);
  /// Writes what was queued, as far as the socket takes it.
  Status flush();
  /// Reads what is there; goes on with the handshake.
  Status receive(Listener& listener, Duration now);
  Status writable();
  /// Requests that have waited longer than `limit`; their ids stay reserved until the answers come.
  /// Errors: kUnavailable when too many ids are lost, or a heartbeat was not answered.
  Status take_overdue(Duration now, Duration limit, std::vector<std::unique_ptr<Request>>& out);
  /// All that are in flight; for a connection that is given up.
  std::vector<std::unique_ptr<Request>> take_waiting();

  /// Requests that wait for a statement to be prepared again on this connection, by the statement's id.
  std::map<std::string, std::vector<std::unique_ptr<Request>>> unprepared;
  /// Whether its owner is told when it can be written to.
  bool watched_for_write = false;

 private:
  enum class State { kConnecting, kStarting, kLoggingIn, kReady };
  struct Slot {
    std::unique_ptr<Request> request;
    Duration sent{0};
    bool used = false;  // with no request: nobody waits for the answer any more
  };
  static constexpr size_t kBufferMax = 4 << 20;
  static constexpr size_t kAnswerBytesMax = 256 << 20;  // the protocol's limit
  static constexpr Duration kIdleMax = std::chrono::seconds(15);

  Connection(const Settings& settings, cql::Version version, Endpoint address, std::unique_ptr<Socket> socket, Duration now);
  Status connected();
  Status take(Listener& listener, cql::Envelope& envelope);
  Status shake_hands(Listener& listener, const cql::Envelope& envelope);
  Status log_in();
  void become_ready(Listener& listener);
  void use_segments();
  int16_t reserve(Duration now);

  const Settings& settings_;
  const cql::Version version_;
  const Endpoint address_;
  const Duration opened_at_;
  std::unique_ptr<Socket> socket_;
  State state_ = State::kConnecting;
  bool wants_write_ = true;
  bool version_refused_ = false;
  bool segments_ = false;
  cql::FrameReader reader_{kAnswerBytesMax};
  std::string out_;   // whole envelopes that wait for their segment
  std::string wire_;  // bytes for the socket, from wire_at_ on
  size_t wire_at_ = 0;
  std::vector<Slot> slots_;
  std::vector<int16_t> free_;
  size_t orphans_ = 0;
  Duration heard_{0};
  Duration heartbeat_at_{0};
  int16_t heartbeat_ = -1;  // the stream of one that is not answered
};

}  // namespace millrace::connect::cassandra
