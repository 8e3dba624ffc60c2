#include "codec/cql/request.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"
#include "codec/cql/params.h"

namespace millrace::codec::cql {
namespace {

constexpr int32_t kPrepareWithKeyspace = 0x01;
constexpr size_t kValueBytesMin = 4;
constexpr size_t kStatementBytesMin = 5;  // kind, an empty id, no values

char upper(char c) { return c >= 'a' && c <= 'z' ? static_cast<char>(c - 'a' + 'A') : c; }

void put_values(std::string& out, const std::vector<Value>& values, const std::vector<std::string_view>& names) {
  CHECK(values.size() <= UINT16_MAX, "a statement has at most 65535 values");
  CHECK(names.empty() || names.size() == values.size(), "all values are named, or none");
  put_short(out, static_cast<uint16_t>(values.size()));
  for (size_t i = 0; i < values.size(); ++i) {
    if (!names.empty()) put_string(out, names[i]);
    put_value(out, values[i]);
  }
}

/// Parameters with the values of a QUERY or EXECUTE.
void put_params(std::string& out, Version version, const QueryParams& params, const Values& values) {
  uint32_t flags = param_flags(version, params);
  if (!values.values.empty()) flags |= kParamValues;
  if (!values.names.empty()) flags |= kParamNames;
  put_params_head(out, version, params, flags);
  if ((flags & kParamValues) != 0) put_values(out, values.values, values.names);
  put_params_tail(out, params, flags);
}

struct BodyWriter {
  std::string& out;
  Version version;

  void operator()(const OptionsRequest&) {}
  void operator()(const StartupRequest& r) { put_string_map(out, r.options); }
  void operator()(const AuthResponseRequest& r) { r.token ? put_bytes(out, *r.token) : put_null(out); }
  void operator()(const QueryRequest& r) {
    put_long_string(out, r.query);
    put_params(out, version, r.params, r.values);
  }
  void operator()(const PrepareRequest& r) {
    put_long_string(out, r.query);
    if (version < Version::kV5) return;
    put_int(out, r.keyspace ? kPrepareWithKeyspace : 0);
    if (r.keyspace) put_string(out, *r.keyspace);
  }
  void operator()(const ExecuteRequest& r) {
    put_short_bytes(out, r.id);
    if (version >= Version::kV5) put_short_bytes(out, r.result_metadata_id);
    put_params(out, version, r.params, r.values);
  }
  void operator()(const BatchRequest& r) {
    CHECK(r.statements.size() <= UINT16_MAX, "a batch has at most 65535 statements");
    put_byte(out, static_cast<uint8_t>(r.type));
    put_short(out, static_cast<uint16_t>(r.statements.size()));
    for (const BatchRequest::Statement& statement : r.statements) {
      put_byte(out, statement.prepared ? 1 : 0);
      statement.prepared ? put_short_bytes(out, statement.query_or_id) : put_long_string(out, statement.query_or_id);
      put_values(out, statement.values, {});
    }
    const uint32_t flags = param_flags(version, r.params) & ~kParamsNotInBatch;
    put_params_head(out, version, r.params, flags);
    put_params_tail(out, r.params, flags);
  }
  void operator()(const RegisterRequest& r) { put_string_list(out, r.events); }
};

Opcode opcode_of(const Request& request) {
  static constexpr Opcode kOpcodes[] = {Opcode::kOptions, Opcode::kStartup, Opcode::kAuthResponse, Opcode::kQuery,
                                        Opcode::kPrepare, Opcode::kExecute, Opcode::kBatch,        Opcode::kRegister};
  static_assert(std::size(kOpcodes) == std::variant_size_v<Request>);
  return kOpcodes[request.index()];
}

Value read_value(Reader& in, Version version) {
  Value value = in.value();
  if (value.kind == Value::Kind::kUnset && version < Version::kV4) in.fail("an unset value before v4");
  return value;
}

void read_values(Reader& in, Version version, std::vector<Value>& values, std::vector<std::string_view>* names) {
  const uint16_t count = in.u16();
  values.reserve(std::min<size_t>(count, in.left() / kValueBytesMin));
  for (uint16_t i = 0; i < count && in.ok(); ++i) {
    if (names != nullptr) names->push_back(in.string());
    values.push_back(read_value(in, version));
  }
}

void read_params(Reader& in, Version version, QueryParams& params, Values& values) {
  const uint32_t flags = read_params_head(in, version, params);
  const bool named = (flags & kParamNames) != 0;
  if ((flags & kParamValues) != 0) read_values(in, version, values.values, named ? &values.names : nullptr);
  read_params_tail(in, flags, params);
}

QueryRequest read_query(Reader& in, Version version) {
  QueryRequest r;
  r.query = in.long_string();
  read_params(in, version, r.params, r.values);
  return r;
}

PrepareRequest read_prepare(Reader& in, Version version) {
  PrepareRequest r;
  r.query = in.long_string();
  if (version >= Version::kV5 && (in.i32() & kPrepareWithKeyspace) != 0) r.keyspace = in.string();
  return r;
}

ExecuteRequest read_execute(Reader& in, Version version) {
  ExecuteRequest r;
  r.id = in.short_bytes();
  if (version >= Version::kV5) r.result_metadata_id = in.short_bytes();
  read_params(in, version, r.params, r.values);
  return r;
}

BatchRequest::Statement read_statement(Reader& in, Version version) {
  BatchRequest::Statement statement;
  const uint8_t kind = in.byte();
  if (kind > 1) in.fail("a statement of a batch is neither text nor prepared");
  statement.prepared = kind == 1;
  statement.query_or_id = statement.prepared ? in.short_bytes() : in.long_string();
  read_values(in, version, statement.values, nullptr);
  return statement;
}

BatchRequest read_batch(Reader& in, Version version) {
  BatchRequest r;
  const uint8_t type = in.byte();
  if (type > static_cast<uint8_t>(BatchType::kCounter)) in.fail("a batch of an unknown type");
  r.type = static_cast<BatchType>(type);
  const uint16_t count = in.u16();
  r.statements.reserve(std::min<size_t>(count, in.left() / kStatementBytesMin));
  for (uint16_t i = 0; i < count && in.ok(); ++i) r.statements.push_back(read_statement(in, version));
  const uint32_t flags = read_params_head(in, version, r.params);
  // Cassandra has never been able to take named values in a batch (native protocol v5, section 4.1.7).
  if ((flags & kParamsNotInBatch) != 0) in.fail("a flag that a batch does not have");
  read_params_tail(in, flags, r.params);
  return r;
}

Request read_request(Reader& in, Version version, Opcode opcode) {
  switch (opcode) {
    case Opcode::kOptions: return OptionsRequest{};
    case Opcode::kStartup: return StartupRequest{in.string_map()};
    case Opcode::kAuthResponse: return AuthResponseRequest{in.bytes()};
    case Opcode::kQuery: return read_query(in, version);
    case Opcode::kPrepare: return read_prepare(in, version);
    case Opcode::kExecute: return read_execute(in, version);
    case Opcode::kBatch: return read_batch(in, version);
    case Opcode::kRegister: return RegisterRequest{in.string_list()};
    default: in.fail("this is no request"); return OptionsRequest{};
  }
}

}  // namespace

std::optional<std::string_view> StartupRequest::find(std::string_view key) const {
  for (const auto& [name, value] : options) {
    if (std::ranges::equal(name, key, {}, upper, upper)) return value;
  }
  return std::nullopt;
}

std::string plain_token(std::string_view user, std::string_view password) {
  std::string token(1, '\0');
  token += user;
  token += '\0';
  token += password;
  return token;
}

void encode(std::string& out, Version version, int16_t stream, const Request& request) {
  const size_t at = begin_envelope(out, version, false, stream, opcode_of(request));
  std::visit(BodyWriter{out, version}, request);
  end_envelope(out, at);
}

Result<Request> decode_request(const Envelope& envelope) {
  if (!envelope.version()) return fail(Errc::kCorruption, unsupported_version_text(envelope.version_byte));
  if (envelope.response) return fail(Errc::kCorruption, opcode_name(envelope.opcode) + " came as a response, not as a request");
  Reader in(envelope.body);
  Request request = read_request(in, *envelope.version(), envelope.opcode);
  if (!in.ok()) TRY_DO(in.status(opcode_name(envelope.opcode)));
  return request;
}

}  // namespace millrace::codec::cql
