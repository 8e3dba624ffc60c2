#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "base/mutex.h"
#include "codec/cql/request.h"
#include "codec/cql/response.h"

namespace millrace::connect::cassandra {

namespace cql = codec::cql;

/// A node for tests: speaks the protocol on a loopback port, answers what drivers ask at connect, and leaves the rest to a
/// script.
class FakeNode {
 public:
  struct Peer {
    std::string address = "127.0.0.1";
    uint16_t port = 0;
    uint8_t id = 0;
    std::string dc = "dc1";
    std::string rack = "r1";
    std::vector<int64_t> tokens;
  };
  struct Options {
    uint8_t version_max = 5;
    bool has_peers_v2 = true;
    std::string user, password;  // with a user a login is wanted
    Peer self{.id = 1, .tokens = {0}};
    std::vector<Peer> peers;
  };
  /// What the script says to a request.
  struct Act {
    std::optional<cql::Response> response;
    bool hold = false;  // answer when release() is called
    bool drop = false;  // close the connection
  };
  using Script = std::function<Act(const cql::Request& request)>;

  FakeNode() : FakeNode(Options()) {}
  explicit FakeNode(Options options);
  ~FakeNode();

  uint16_t port() const { return port_; }
  std::string url() const { return "cassandra://127.0.0.1:" + std::to_string(port_); }
  void set_script(Script script) EXCLUDES(mutex_);
  void set_peers(std::vector<Peer> peers) EXCLUDES(mutex_);
  /// Closes every connection; new ones are taken, unless `refuse`.
  void drop_all(bool refuse = false) EXCLUDES(mutex_);
  /// Sends the answers that were held.
  void release() EXCLUDES(mutex_);
  size_t held() EXCLUDES(mutex_);
  int connections() const { return connections_; }
  /// So many connections end when they ask for the peers.
  std::atomic<int> peer_drops{0};
  /// Connections that have said STARTUP in this version.
  int startups(uint8_t version) const { return startups_[version]; }

  /// A rows answer; every cell is bytes.
  struct Column {
    std::string name;
    cql::CqlTypeId type = cql::CqlTypeId::kText;
  };
  using Row = std::vector<std::string>;
  cql::Response rows(const std::vector<Column>& columns, const std::vector<Row>& rows) EXCLUDES(mutex_);
  static std::string uuid(uint8_t id) { return std::string(15, '\0') + static_cast<char>(id); }

 private:
  struct Link;
  void accept_all();
  void serve(std::shared_ptr<Link> link);
  bool answer(Link& link, const cql::Envelope& envelope);
  std::optional<Act> answer_system(Link& link, const cql::Request& request);
  std::optional<Act> answer_query(std::string_view text);
  cql::Response peer_rows(std::vector<Peer> peers, bool local, bool v2);
  static void send(Link& link, int16_t stream, const cql::Response& response);

  const Options options_;
  int listener_ = -1;
  uint16_t port_ = 0;
  std::atomic<bool> stopped_{false};
  std::atomic<int> connections_{0};
  std::atomic<int> startups_[256] = {};
  std::thread acceptor_;
  Mutex mutex_;
  Script script_ GUARDED_BY(mutex_);
  std::vector<Peer> peers_ GUARDED_BY(mutex_);
  bool refuse_ GUARDED_BY(mutex_) = false;
  std::vector<std::shared_ptr<Link>> links_ GUARDED_BY(mutex_);
  std::vector<std::thread> threads_ GUARDED_BY(mutex_);
  struct Held {
    std::shared_ptr<Link> link;
    int16_t stream;
    cql::Response response;
  };
  std::vector<Held> held_ GUARDED_BY(mutex_);
  std::vector<std::unique_ptr<std::string>> cells_ GUARDED_BY(mutex_);  // what RowsResults point to
};

}  // namespace millrace::connect::cassandra
