#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "codec/cql/consistency.h"
#include "connect/cassandra/ring.h"

namespace millrace::connect::cassandra {

inline constexpr uint16_t kDefaultPort = 9042;

struct Endpoint {
  std::string host;  // a name or an address, IPv6 without brackets
  uint16_t port = kDefaultPort;

  friend bool operator==(const Endpoint&, const Endpoint&) = default;
};
/// `host:port`, `[::1]:9042`.
std::string to_text(const Endpoint& endpoint);

/// What a URL and its options say, checked.
struct Settings {
  std::vector<Endpoint> contact_points;
  std::string user;
  std::string password;
  std::string local_dc;  // empty: that of the contact point that answers first
  codec::cql::Consistency consistency = codec::cql::Consistency::kLocalQuorum;
  /// Of keyspaces that we make. None: NetworkTopologyStrategy in the local datacenter, 3 replicas or as many as it has nodes.
  std::optional<Replication> replication;
  bool tls = false;
  bool tls_host = true;  // the certificate must name the host
  std::string tls_ca;    // PEM; empty: the system's
  bool lz4 = false;
  size_t in_flight_max = 1024;
  size_t connections_per_node = 1;
  Duration connect_timeout = std::chrono::seconds(5);
  Duration request_timeout = std::chrono::seconds(10);
  /// How long a request is tried again until it is kUnavailable.
  Duration retry_time = std::chrono::seconds(30);
  uint8_t protocol = 0;  // 0: 5, then 4
  bool nulls_unset = false;
};

/// Reads `cassandra://[user:password@]host[:port][,host[:port]…]` and its options. Errors: kInvalidArgument; no message holds a
/// password.
Result<Settings> read_settings(std::string_view url, const std::map<std::string, std::string>& options);

/// An option as documentation and `check` know it.
struct OptionInfo {
  std::string_view name;
  std::string_view values;
  std::string_view about;
};
std::vector<OptionInfo> option_list();

}  // namespace millrace::connect::cassandra
