#include "connect/cassandra/node_set.h"

#include <algorithm>

namespace millrace::connect::cassandra {

bool Node::ready() const {
  return std::any_of(connections.begin(), connections.end(), [](const auto& connection) { return connection->ready(); });
}

Connection* Node::least_busy() const {
  Connection* best = nullptr;
  for (const auto& connection : connections) {
    if (!connection->ready() || connection->full()) continue;
    if (best == nullptr || connection->in_flight() < best->in_flight()) best = connection.get();
  }
  return best;
}

std::vector<std::unique_ptr<Connection>> NodeSet::update(ClusterInfo cluster, const std::string& local_dc) {
  std::vector<std::unique_ptr<Node>> before = std::move(nodes_);
  nodes_.clear();
  for (NodeInfo& info : cluster.nodes) {
    auto same = std::find_if(before.begin(), before.end(),
                             [&](const auto& node) { return node != nullptr && node->info.host_id == info.host_id; });
    auto node = same == before.end() ? std::make_unique<Node>() : std::move(*same);
    // The address by which we reach it; the one that it tells of itself may be of another network.
    if (!node->info.address.host.empty() && node->ready()) info.address = node->info.address;
    node->info = info;
    node->local = info.place.dc == local_dc;
    nodes_.push_back(std::move(node));
  }
  std::vector<std::unique_ptr<Connection>> gone;
  auto take = [&](Node& node) {
    for (auto& connection : node.connections) gone.push_back(std::move(connection));
    node.connections.clear();
  };
  for (auto& node : before) {
    if (node != nullptr) take(*node);
  }
  for (auto& node : nodes_) {
    if (!node->local) take(*node);
  }
  cluster_ = std::move(cluster);
  rings_.clear();
  return gone;
}

Node* NodeSet::owner_of(const Connection& connection) {
  for (auto& node : nodes_) {
    for (auto& own : node->connections) {
      if (own.get() == &connection) return node.get();
    }
  }
  return nullptr;
}

bool NodeSet::any_ready() const {
  return std::any_of(nodes_.begin(), nodes_.end(), [](const auto& node) { return node->ready(); });
}

const Ring& NodeSet::ring_of(const std::string& keyspace) {
  auto known = rings_.find(keyspace);
  if (known != rings_.end()) return known->second;
  auto replication = cluster_.keyspaces.find(keyspace);
  Ring ring;
  if (replication != cluster_.keyspaces.end() && cluster_.murmur3()) {
    std::vector<RingNode> places;
    for (const auto& node : nodes_) places.push_back(node->info.place);
    ring = Ring(places, replication->second);
  }
  return rings_.emplace(keyspace, std::move(ring)).first->second;
}

Connection* NodeSet::pick(const std::string& keyspace, std::optional<int64_t> token, const std::string& avoid) {
  Connection* last_choice = nullptr;
  auto try_node = [&](const Node& node) -> Connection* {
    if (!node.local) return nullptr;
    Connection* connection = node.least_busy();
    if (connection == nullptr || avoid.empty() || to_text(node.info.address) != avoid) return connection;
    last_choice = connection;
    return nullptr;
  };
  if (token) {
    for (uint32_t i : ring_of(keyspace).replicas(*token)) {
      if (Connection* connection = try_node(*nodes_[i])) return connection;
    }
  }
  ++turn_;
  for (size_t i = 0; i < nodes_.size(); ++i) {
    if (Connection* connection = try_node(*nodes_[(turn_ + i) % nodes_.size()])) return connection;
  }
  return last_choice;
}

Connection* NodeSet::connection_to(const std::string& address) const {
  for (const auto& node : nodes_) {
    if (to_text(node->info.address) == address) return node->least_busy();
  }
  return nullptr;
}

std::string NodeSet::errors() const {
  std::string text;
  for (const auto& node : nodes_) {
    if (!node->local || node->last_error.empty()) continue;
    text += (text.empty() ? "" : "; ") + node->last_error;
  }
  return text;
}

}  // namespace millrace::connect::cassandra
