#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "codec/cql/frame.h"
#include "codec/cql/primitive.h"

namespace millrace::codec::cql {

/// Codes of ERROR (native protocol v5, section 8).
enum class ErrorCode : int32_t {
  kServer = 0x0000,
  kProtocol = 0x000A,
  kBadCredentials = 0x0100,
  kUnavailable = 0x1000,
  kOverloaded = 0x1001,
  kBootstrapping = 0x1002,
  kTruncate = 0x1003,
  kWriteTimeout = 0x1100,
  kReadTimeout = 0x1200,
  kReadFailure = 0x1300,
  kFunctionFailure = 0x1400,
  kWriteFailure = 0x1500,
  kCdcWriteFailure = 0x1600,
  kCasWriteUnknown = 0x1700,
  kSyntax = 0x2000,
  kUnauthorized = 0x2100,
  kInvalid = 0x2200,
  kConfig = 0x2300,
  kAlreadyExists = 0x2400,
  kUnprepared = 0x2500,
};
/// `write timeout`; `error 0x1234` for one that is unknown.
std::string error_code_name(ErrorCode code);

/// The fields behind `message` are those of the code; the others keep their defaults.
struct ErrorResponse {
  ErrorCode code = ErrorCode::kServer;
  std::string message;

  // kUnavailable, the timeouts and failures, kCasWriteUnknown
  Consistency consistency = Consistency::kAny;
  int32_t received = 0;       // answers that came; unavailable: replicas alive
  int32_t required = 0;       // answers that were waited for
  int32_t failures = 0;       // read and write failure
  bool data_present = false;  // read timeout and failure
  std::string write_type;     // write timeout and failure: SIMPLE, BATCH, UNLOGGED_BATCH, COUNTER, BATCH_LOG, CAS, VIEW, CDC
  uint16_t contentions = 0;   // write timeout of CAS, v5
  /// v5, read and write failure: why, by replica.
  std::vector<std::pair<InetAddress, uint16_t>> reasons;
  // kAlreadyExists, kFunctionFailure
  std::string keyspace;
  std::string name;                    // the table (empty: the keyspace itself), the function
  std::vector<std::string> arguments;  // kFunctionFailure
  std::string unprepared_id;           // kUnprepared

  friend bool operator==(const ErrorResponse&, const ErrorResponse&) = default;
};

/// The body of ERROR. In v5 `failures` is the number of `reasons`. When the fields behind the message are
/// cut short they keep their defaults.
void put_error(std::string& out, Version version, const ErrorResponse& error);
ErrorResponse read_error(Reader& in, Version version);

}  // namespace millrace::codec::cql
