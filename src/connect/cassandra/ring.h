#pragma once

#include <cstdint>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"

namespace millrace::connect::cassandra {

/// How often a keyspace's rows are kept.
struct Replication {
  enum class Strategy {
    kSimple,           // `factor` nodes along the ring, whatever their datacenter
    kNetworkTopology,  // `per_dc` nodes in each datacenter, on different racks as far as there are
    kOther,            // we cannot tell which nodes have a row
  };
  Strategy strategy = Strategy::kOther;
  int32_t factor = 0;
  std::map<std::string, int32_t> per_dc;

  friend bool operator==(const Replication&, const Replication&) = default;
};

/// Reads `3` (NetworkTopologyStrategy in the local datacenter, whose name stands as "" here) or `dc1:3,dc2:2`.
Result<Replication> parse_replication(std::string_view text);
/// From system_schema.keyspaces.replication.
Replication replication_from(const std::map<std::string, std::string>& column);
/// What stands behind WITH replication =; "" is the local datacenter.
std::string to_cql(const Replication& replication, std::string_view local_dc);

/// Where a node stands, as the ring sees it.
struct RingNode {
  std::string dc;
  std::string rack;
  std::vector<int64_t> tokens;
};

/// Which nodes keep a row, by its token. Pure. The rules are those of Cassandra's SimpleStrategy and NetworkTopologyStrategy.
class Ring {
 public:
  Ring() = default;
  Ring(std::span<const RingNode> nodes, const Replication& replication);
  /// Indexes of the nodes, the first replica first; empty when they cannot be told.
  std::span<const uint32_t> replicas(int64_t token) const;

 private:
  struct Point {
    int64_t token;
    uint32_t node;
  };
  std::vector<uint32_t> walk(std::span<const RingNode> nodes, const Replication& replication, size_t from) const;

  std::vector<Point> points_;
  std::vector<std::vector<uint32_t>> replicas_;  // of the range that ends at the point
};

}  // namespace millrace::connect::cassandra
