#include "connect/cassandra/ring.h"

#include <gtest/gtest.h>

namespace millrace::connect::cassandra {
namespace {

std::vector<uint32_t> replicas(const Ring& ring, int64_t token) {
  auto found = ring.replicas(token);
  return {found.begin(), found.end()};
}
using Nodes = std::vector<uint32_t>;

TEST(CassandraRing, ATokenBelongsToTheNodeAtTheEndOfItsRange) {
  std::vector<RingNode> nodes = {{"a", "r", {0}}, {"a", "r", {100}}, {"b", "r", {-100}}};
  Ring ring(nodes, {Replication::Strategy::kSimple, 1, {}});
  EXPECT_EQ(replicas(ring, -101), Nodes{2});
  EXPECT_EQ(replicas(ring, -100), Nodes{2});
  EXPECT_EQ(replicas(ring, -99), Nodes{0});
  EXPECT_EQ(replicas(ring, 0), Nodes{0});
  EXPECT_EQ(replicas(ring, 1), Nodes{1});
  EXPECT_EQ(replicas(ring, 101), Nodes{2});
  EXPECT_EQ(replicas(ring, INT64_MAX), Nodes{2});
}

TEST(CassandraRing, SimpleStrategyTakesTheNextDistinctNodes) {
  std::vector<RingNode> nodes = {{"a", "r", {0, 10}}, {"a", "r", {20}}, {"b", "r", {30}}};
  EXPECT_EQ(replicas(Ring(nodes, {Replication::Strategy::kSimple, 2, {}}), 0), (Nodes{0, 1}));
  EXPECT_EQ(replicas(Ring(nodes, {Replication::Strategy::kSimple, 3, {}}), 25), (Nodes{2, 0, 1}));
  EXPECT_EQ(replicas(Ring(nodes, {Replication::Strategy::kSimple, 9, {}}), 25), (Nodes{2, 0, 1}));
}

TEST(CassandraRing, NetworkTopologyCountsEachDatacenterAndSpreadsOverRacks) {
  std::vector<RingNode> nodes = {{"a", "r1", {0}},  {"a", "r1", {10}}, {"b", "r1", {15}},
                                 {"a", "r2", {20}}, {"b", "r1", {25}}, {"a", "r2", {30}}};
  Replication two{Replication::Strategy::kNetworkTopology, 0, {{"a", 2}, {"b", 1}}};
  // The second node of rack r1 is passed over: r2 has none yet.
  EXPECT_EQ(replicas(Ring(nodes, two), 0), (Nodes{0, 2, 3}));
  EXPECT_EQ(replicas(Ring(nodes, two), 12), (Nodes{2, 3, 0}));
  Replication three{Replication::Strategy::kNetworkTopology, 0, {{"a", 3}}};
  // Three replicas on two racks: one of them may repeat.
  EXPECT_EQ(replicas(Ring(nodes, three), 0), (Nodes{0, 1, 3}));
  Replication many{Replication::Strategy::kNetworkTopology, 0, {{"b", 5}, {"nowhere", 2}}};
  EXPECT_EQ(replicas(Ring(nodes, many), 0), (Nodes{2, 4}));
}

TEST(CassandraRing, NothingIsKnownOfOtherStrategies) {
  std::vector<RingNode> nodes = {{"a", "r", {0}}};
  EXPECT_TRUE(Ring(nodes, {}).replicas(1).empty());
  EXPECT_TRUE(Ring().replicas(1).empty());
}

TEST(CassandraReplication, IsReadFromTheSystemTableAndWrittenAsCql) {
  EXPECT_EQ(replication_from({{"class", "org.apache.cassandra.locator.SimpleStrategy"}, {"replication_factor", "2"}}),
            (Replication{Replication::Strategy::kSimple, 2, {}}));
  EXPECT_EQ(replication_from({{"class", "org.apache.cassandra.locator.NetworkTopologyStrategy"}, {"dc1", "3"}, {"dc2", "3/1"}}),
            (Replication{Replication::Strategy::kNetworkTopology, 0, {{"dc1", 3}, {"dc2", 3}}}));
  EXPECT_EQ(replication_from({{"class", "org.apache.cassandra.locator.LocalStrategy"}}), Replication());
  EXPECT_EQ(to_cql(*parse_replication("3"), "it's"), "{'class': 'NetworkTopologyStrategy', 'it''s': 3}");
  EXPECT_EQ(to_cql(*parse_replication("a:1,b:2"), "x"), "{'class': 'NetworkTopologyStrategy', 'a': 1, 'b': 2}");
}

}  // namespace
}  // namespace millrace::connect::cassandra
