#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.h"
#include "codec/cql/error.h"
#include "codec/cql/frame.h"
#include "codec/cql/primitive.h"
#include "codec/cql/rows.h"
#include "codec/cql/type.h"

/// What servers send (native protocol, section 4.2). A decoded response owns what it holds, but for the views that are named.
namespace millrace::codec::cql {

struct ReadyResponse {
  friend bool operator==(const ReadyResponse&, const ReadyResponse&) = default;
};
/// The class that wants credentials: org.apache.cassandra.auth.PasswordAuthenticator.
struct AuthenticateResponse {
  std::string authenticator;
  friend bool operator==(const AuthenticateResponse&, const AuthenticateResponse&) = default;
};
struct AuthChallengeResponse {
  std::optional<std::string> token;
  friend bool operator==(const AuthChallengeResponse&, const AuthChallengeResponse&) = default;
};
struct AuthSuccessResponse {
  std::optional<std::string> token;
  friend bool operator==(const AuthSuccessResponse&, const AuthSuccessResponse&) = default;
};
/// CQL_VERSION, COMPRESSION, PROTOCOL_VERSIONS (`4/v4`), of Scylla SCYLLA_SHARD and others.
struct SupportedResponse {
  StringMultimap options;
  friend bool operator==(const SupportedResponse&, const SupportedResponse&) = default;
};

struct VoidResult {
  friend bool operator==(const VoidResult&, const VoidResult&) = default;
};
struct SetKeyspaceResult {
  std::string keyspace;
  friend bool operator==(const SetKeyspaceResult&, const SetKeyspaceResult&) = default;
};

struct PreparedResult {
  std::string id;
  std::string result_metadata_id;  // v5
  /// The bind markers, in order.
  std::vector<ColumnSpec> binds;
  /// v4 and v5: which binds are the partition key's columns, in its order; empty when not all of them are bound.
  std::vector<uint16_t> pk_indexes;
  /// Of a SELECT; else no columns.
  RowsMetadata result;
  friend bool operator==(const PreparedResult&, const PreparedResult&) = default;
};

/// The body of a schema change, as a result and as an event.
struct SchemaChange {
  std::string change;  // CREATED, UPDATED, DROPPED
  std::string target;  // KEYSPACE, TABLE, TYPE, FUNCTION, AGGREGATE
  std::string keyspace;
  std::string name;                    // not of a keyspace
  std::vector<std::string> arguments;  // CQL types, of FUNCTION and AGGREGATE
  friend bool operator==(const SchemaChange&, const SchemaChange&) = default;
};
/// TOPOLOGY_CHANGE (NEW_NODE, REMOVED_NODE) and STATUS_CHANGE (UP, DOWN).
struct NodeChange {
  bool status = false;  // else topology
  std::string change;
  Inet node;
  friend bool operator==(const NodeChange&, const NodeChange&) = default;
};
struct EventResponse {
  std::variant<NodeChange, SchemaChange> event;
  friend bool operator==(const EventResponse&, const EventResponse&) = default;
};

using Response =
    std::variant<ErrorResponse, ReadyResponse, AuthenticateResponse, AuthChallengeResponse, AuthSuccessResponse,
                 SupportedResponse, VoidResult, RowsResult, SetKeyspaceResult, PreparedResult, SchemaChange, EventResponse>;

/// Appends the whole envelope. Rows are written by RowsWriter as well, without a copy.
void encode(std::string& out, Version version, int16_t stream, const Response& response);

/// The message behind the prefix (read_prefix). Bytes behind it are ignored. Errors: kCorruption, also for an opcode that is no
/// response's.
Result<Response> decode_response(const Envelope& envelope);

}  // namespace millrace::codec::cql
