#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "base/result.h"
#include "codec/cql/frame.h"
#include "codec/cql/primitive.h"

/// What clients send (native protocol, section 4.1). Views of a decoded request are into the envelope's body.
/// For the hot path see execute_writer.h.
namespace millrace::codec::cql {

struct OptionsRequest {
  friend bool operator==(const OptionsRequest&, const OptionsRequest&) = default;
};

/// Keys: CQL_VERSION (must be there: "3.0.0"), COMPRESSION ("lz4"), DRIVER_NAME, DRIVER_VERSION, THROW_ON_OVERLOAD ("1"), …
struct StartupRequest {
  StringMap options;
  friend bool operator==(const StartupRequest&, const StartupRequest&) = default;
  /// The value of `key` (upper case; what came is compared without case), none without it.
  std::optional<std::string_view> find(std::string_view key) const;
};

/// The token for PasswordAuthenticator is `\0user\0password` (RFC 4616): plain_token.
struct AuthResponseRequest {
  std::optional<std::string_view> token;
  friend bool operator==(const AuthResponseRequest&, const AuthResponseRequest&) = default;
};
std::string plain_token(std::string_view user, std::string_view password);

/// What QUERY, EXECUTE and BATCH have in common. A BATCH has no skip_metadata, page_size and paging_state: they are left out.
struct QueryParams {
  Consistency consistency = Consistency::kLocalQuorum;
  bool skip_metadata = false;
  std::optional<int32_t> page_size;
  std::optional<std::string_view> paging_state;
  std::optional<Consistency> serial_consistency;
  std::optional<int64_t> timestamp_us;       // of every write that names none itself
  std::optional<std::string_view> keyspace;  // v5, else left out
  std::optional<int32_t> now_in_seconds;     // v5, else left out
  friend bool operator==(const QueryParams&, const QueryParams&) = default;
};

/// `names` is empty or has one name a value (QUERY and EXECUTE only).
struct Values {
  std::vector<Value> values;
  std::vector<std::string_view> names;
  friend bool operator==(const Values&, const Values&) = default;
};

struct QueryRequest {
  std::string_view query;
  QueryParams params;
  Values values;
  friend bool operator==(const QueryRequest&, const QueryRequest&) = default;
};

struct PrepareRequest {
  std::string_view query;
  std::optional<std::string_view> keyspace;  // v5, else left out
  friend bool operator==(const PrepareRequest&, const PrepareRequest&) = default;
};

struct ExecuteRequest {
  std::string_view id;
  std::string_view result_metadata_id;  // v5
  QueryParams params;
  Values values;
  friend bool operator==(const ExecuteRequest&, const ExecuteRequest&) = default;
};

enum class BatchType : uint8_t { kLogged = 0, kUnlogged = 1, kCounter = 2 };

struct BatchRequest {
  struct Statement {
    bool prepared = false;
    std::string_view query_or_id;
    std::vector<Value> values;
    friend bool operator==(const Statement&, const Statement&) = default;
  };
  BatchType type = BatchType::kLogged;
  std::vector<Statement> statements;
  QueryParams params;
  friend bool operator==(const BatchRequest&, const BatchRequest&) = default;
};

/// Of TOPOLOGY_CHANGE, STATUS_CHANGE, SCHEMA_CHANGE.
struct RegisterRequest {
  std::vector<std::string> events;
  friend bool operator==(const RegisterRequest&, const RegisterRequest&) = default;
};

using Request = std::variant<OptionsRequest, StartupRequest, AuthResponseRequest, QueryRequest, PrepareRequest, ExecuteRequest,
                             BatchRequest, RegisterRequest>;

/// Appends the whole envelope. A request has at most 65535 values, and a batch as many statements (a CHECK).
void encode(std::string& out, Version version, int16_t stream, const Request& request);

/// The message behind the prefix (read_prefix). Bytes behind it are ignored, as the protocol wants it. Errors: kCorruption
/// (a server answers ERROR 0x000A), also for an opcode that is no request's.
Result<Request> decode_request(const Envelope& envelope);

}  // namespace millrace::codec::cql
