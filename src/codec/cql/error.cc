#include "codec/cql/error.h"

#include <fmt/format.h>

namespace millrace::codec::cql {

std::string error_code_name(ErrorCode code) {
  switch (code) {
    case ErrorCode::kServer: return "server error";
    case ErrorCode::kProtocol: return "protocol error";
    case ErrorCode::kBadCredentials: return "bad credentials";
    case ErrorCode::kUnavailable: return "unavailable";
    case ErrorCode::kOverloaded: return "overloaded";
    case ErrorCode::kBootstrapping: return "bootstrapping";
    case ErrorCode::kTruncate: return "truncate error";
    case ErrorCode::kWriteTimeout: return "write timeout";
    case ErrorCode::kReadTimeout: return "read timeout";
    case ErrorCode::kReadFailure: return "read failure";
    case ErrorCode::kFunctionFailure: return "function failure";
    case ErrorCode::kWriteFailure: return "write failure";
    case ErrorCode::kCdcWriteFailure: return "CDC write failure";
    case ErrorCode::kCasWriteUnknown: return "CAS write of unknown outcome";
    case ErrorCode::kSyntax: return "syntax error";
    case ErrorCode::kUnauthorized: return "unauthorized";
    case ErrorCode::kInvalid: return "invalid";
    case ErrorCode::kConfig: return "config error";
    case ErrorCode::kAlreadyExists: return "already exists";
    case ErrorCode::kUnprepared: return "unprepared";
  }
  return fmt::format("error {:#06x}", static_cast<int32_t>(code));
}

namespace {

void put_failures(std::string& out, Version version, const ErrorResponse& e) {
  if (version < Version::kV5) return put_int(out, e.failures);
  put_int(out, static_cast<int32_t>(e.reasons.size()));
  for (const auto& [address, reason] : e.reasons) {
    put_inet_address(out, address);
    put_short(out, reason);
  }
}

void read_failures(Reader& in, Version version, ErrorResponse& e) {
  constexpr size_t kReasonBytesMin = 1 + 4 + 2;
  if (version < Version::kV5) {
    e.failures = in.i32();
    return;
  }
  size_t count = in.count(kReasonBytesMin);
  e.failures = static_cast<int32_t>(count);
  for (; count > 0 && in.ok(); --count) {
    InetAddress address = in.inet_address();
    e.reasons.emplace_back(address, in.u16());
  }
}

void put_counts(std::string& out, const ErrorResponse& e) {
  put_consistency(out, e.consistency);
  put_int(out, e.received);
  put_int(out, e.required);
}

void read_counts(Reader& in, ErrorResponse& e) {
  e.consistency = in.consistency();
  e.received = in.i32();
  e.required = in.i32();
}

}  // namespace

void put_error(std::string& out, Version version, const ErrorResponse& e) {
  put_int(out, static_cast<int32_t>(e.code));
  put_cut_string(out, e.message);
  switch (e.code) {
    case ErrorCode::kUnavailable:
      put_consistency(out, e.consistency);
      put_int(out, e.required);
      return put_int(out, e.received);
    case ErrorCode::kWriteTimeout:
      put_counts(out, e);
      put_string(out, e.write_type);
      if (version >= Version::kV5 && e.write_type == "CAS") put_short(out, e.contentions);
      return;
    case ErrorCode::kReadTimeout: put_counts(out, e); return put_byte(out, e.data_present ? 1 : 0);
    case ErrorCode::kReadFailure:
      put_counts(out, e);
      put_failures(out, version, e);
      return put_byte(out, e.data_present ? 1 : 0);
    case ErrorCode::kWriteFailure:
      put_counts(out, e);
      put_failures(out, version, e);
      return put_string(out, e.write_type);
    case ErrorCode::kCasWriteUnknown: return put_counts(out, e);
    case ErrorCode::kFunctionFailure:
      put_string(out, e.keyspace);
      put_string(out, e.name);
      return put_string_list(out, e.arguments);
    case ErrorCode::kAlreadyExists: put_string(out, e.keyspace); return put_string(out, e.name);
    case ErrorCode::kUnprepared: return put_short_bytes(out, e.unprepared_id);
    default: return;
  }
}

namespace {

void read_details(Reader& in, Version version, ErrorResponse& e) {
  switch (e.code) {
    case ErrorCode::kUnavailable:
      e.consistency = in.consistency();
      e.required = in.i32();
      e.received = in.i32();
      return;
    case ErrorCode::kWriteTimeout:
      read_counts(in, e);
      e.write_type = in.string();
      if (version >= Version::kV5 && e.write_type == "CAS") e.contentions = in.u16();
      return;
    case ErrorCode::kReadTimeout:
      read_counts(in, e);
      e.data_present = in.byte() != 0;
      return;
    case ErrorCode::kReadFailure:
      read_counts(in, e);
      read_failures(in, version, e);
      e.data_present = in.byte() != 0;
      return;
    case ErrorCode::kWriteFailure:
      read_counts(in, e);
      read_failures(in, version, e);
      e.write_type = in.string();
      return;
    case ErrorCode::kCasWriteUnknown: return read_counts(in, e);
    case ErrorCode::kFunctionFailure:
      e.keyspace = in.string();
      e.name = in.string();
      e.arguments = in.string_list();
      return;
    case ErrorCode::kAlreadyExists:
      e.keyspace = in.string();
      e.name = in.string();
      return;
    case ErrorCode::kUnprepared: e.unprepared_id = in.short_bytes(); return;
    default: return;
  }
}

}  // namespace

ErrorResponse read_error(Reader& in, Version version) {
  ErrorResponse e;
  e.code = static_cast<ErrorCode>(in.i32());
  e.message = in.string();
  // The message is worth more than a complaint about what follows it, so details that are cut short only stay out.
  Reader details = in;
  ErrorResponse whole = e;
  read_details(details, version, whole);
  return details.ok() ? whole : e;
}

}  // namespace millrace::codec::cql
