#pragma once

#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/uuid.h"
#include "codec/cql/rows.h"
#include "connect/cassandra/ring.h"
#include "connect/cassandra/settings.h"

/// What the system tables say of the cluster. Pure.
namespace millrace::connect::cassandra {

namespace cql = codec::cql;

struct NodeInfo {
  Uuid host_id;
  Endpoint address;
  RingNode place;
};

struct ClusterInfo {
  std::string partitioner;
  std::vector<NodeInfo> nodes;  // the one that was asked first
  std::map<std::string, Replication> keyspaces;

  bool murmur3() const { return partitioner.ends_with("Murmur3Partitioner"); }
};

inline constexpr std::string_view kLocalQuery =
    "SELECT partitioner, host_id, data_center, rack, tokens, schema_version FROM system.local WHERE key = 'local'";
inline constexpr std::string_view kPeersQuery =
    "SELECT native_address, native_port, peer, host_id, data_center, rack, tokens FROM system.peers_v2";
/// Before Cassandra 4, and Scylla.
inline constexpr std::string_view kOldPeersQuery =
    "SELECT rpc_address, peer, host_id, data_center, rack, tokens FROM system.peers";
inline constexpr std::string_view kKeyspacesQuery = "SELECT keyspace_name, replication FROM system_schema.keyspaces";

/// `asked`: how the node that answers kLocalQuery was reached.
Status read_local(const cql::RowsResult& rows, const Endpoint& asked, ClusterInfo& to);
/// Peers that lack their address, id or datacenter are left out: they are on their way in or out. `port` is where peers listen
/// that do not say it.
Status read_peers(const cql::RowsResult& rows, uint16_t port, ClusterInfo& to);
Status read_keyspaces(const cql::RowsResult& rows, ClusterInfo& to);

/// The cells of a row by their columns' names; what is null or lacking is empty.
class RowView {
 public:
  RowView(const cql::RowsMetadata& metadata, std::span<const cql::Value> row) : metadata_(metadata), row_(row) {}
  std::string_view bytes(std::string_view column) const;
  std::string text(std::string_view column) const { return std::string(bytes(column)); }
  Uuid uuid(std::string_view column) const;
  int32_t integer(std::string_view column, int32_t otherwise) const;
  std::string address(std::string_view column) const;
  std::vector<std::string> texts(std::string_view column) const;
  std::map<std::string, std::string> text_map(std::string_view column) const;

 private:
  const cql::RowsMetadata& metadata_;
  std::span<const cql::Value> row_;
};

/// Calls `use` for each row. Errors: kCorruption.
template <class Use>
Status for_each_row(const cql::RowsResult& rows, Use use) {
  cql::RowsReader reader(rows);
  while (true) {
    TRY(bool more, reader.next());
    if (!more) return {};
    use(RowView(rows.metadata, reader.row()));
  }
}

}  // namespace millrace::connect::cassandra
