#pragma once

#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "connect/cassandra/connection.h"
#include "connect/cassandra/topology.h"

namespace millrace::connect::cassandra {

/// A node of the cluster and our connections to it; none to nodes in other datacenters.
struct Node {
  static constexpr Duration kBackoffMin = std::chrono::milliseconds(100);
  static constexpr Duration kBackoffMax = std::chrono::seconds(10);

  NodeInfo info;
  bool local = false;
  std::vector<std::unique_ptr<Connection>> connections;
  Duration connect_at{0};
  Duration backoff = kBackoffMin;
  std::string last_error;

  bool ready() const;
  /// The connection with the least to do; null when none can take a request.
  Connection* least_busy() const;
};

/// The nodes, and which of them a request goes to: a live local replica if the token tells, else the local nodes in turn.
/// Threading: the session's thread.
class NodeSet {
 public:
  /// Takes over what the system tables say. Connections of nodes that stay are kept; those of the others are returned.
  std::vector<std::unique_ptr<Connection>> update(ClusterInfo cluster, const std::string& local_dc);
  const ClusterInfo& cluster() const { return cluster_; }
  std::vector<std::unique_ptr<Node>>& nodes() { return nodes_; }
  Node* owner_of(const Connection& connection);
  bool any_ready() const;

  /// `avoid`: the address of the node that has just failed; taken all the same when there is no other. Null when none can take
  /// it.
  Connection* pick(const std::string& keyspace, std::optional<int64_t> token, const std::string& avoid);
  /// To the node of this address; null when it cannot take a request.
  Connection* connection_to(const std::string& address) const;
  /// Why there is no connection, of all local nodes.
  std::string errors() const;

 private:
  const Ring& ring_of(const std::string& keyspace);

  ClusterInfo cluster_;
  std::vector<std::unique_ptr<Node>> nodes_;  // as in cluster_.nodes
  std::map<std::string, Ring> rings_;         // of the keyspaces that were asked for
  size_t turn_ = 0;
};

}  // namespace millrace::connect::cassandra
