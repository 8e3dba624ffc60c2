#include "codec/cql/response.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/check.h"

namespace millrace::codec::cql {
namespace {

constexpr int32_t kKindVoid = 1;
constexpr int32_t kKindRows = 2;
constexpr int32_t kKindSetKeyspace = 3;
constexpr int32_t kKindPrepared = 4;
constexpr int32_t kKindSchemaChange = 5;
constexpr int32_t kGlobalTable = 0x01;
constexpr size_t kCellBytesMin = 4;

constexpr std::string_view kTopologyChange = "TOPOLOGY_CHANGE";
constexpr std::string_view kStatusChange = "STATUS_CHANGE";
constexpr std::string_view kSchemaChange = "SCHEMA_CHANGE";

bool has_arguments(std::string_view target) { return target == "FUNCTION" || target == "AGGREGATE"; }

void put_schema_change(std::string& out, const SchemaChange& change) {
  put_string(out, change.change);
  put_string(out, change.target);
  put_string(out, change.keyspace);
  if (change.target != "KEYSPACE") put_string(out, change.name);
  if (has_arguments(change.target)) put_string_list(out, change.arguments);
}

SchemaChange read_schema_change(Reader& in) {
  SchemaChange change;
  change.change = in.string();
  change.target = in.string();
  change.keyspace = in.string();
  if (change.target != "KEYSPACE") change.name = in.string();
  if (has_arguments(change.target)) change.arguments = in.string_list();
  return change;
}

void put_prepared(std::string& out, Version version, const PreparedResult& prepared) {
  put_short_bytes(out, prepared.id);
  if (version >= Version::kV5) put_short_bytes(out, prepared.result_metadata_id);
  const bool global = same_table(prepared.binds);
  put_int(out, global ? kGlobalTable : 0);
  put_int(out, static_cast<int32_t>(prepared.binds.size()));
  if (version >= Version::kV4) {
    put_int(out, static_cast<int32_t>(prepared.pk_indexes.size()));
    for (uint16_t index : prepared.pk_indexes) put_short(out, index);
  }
  put_column_specs(out, version, prepared.binds, global);
  put_metadata(out, version, prepared.result);
}

PreparedResult read_prepared(Reader& in, Version version) {
  PreparedResult prepared;
  prepared.id = in.short_bytes();
  if (version >= Version::kV5) prepared.result_metadata_id = in.short_bytes();
  const int32_t flags = in.i32();
  const size_t binds = in.count(0, UINT16_MAX);
  if (version >= Version::kV4) {
    for (size_t n = in.count(sizeof(uint16_t)); n > 0 && in.ok(); --n) {
      prepared.pk_indexes.push_back(in.u16());
      if (prepared.pk_indexes.back() >= binds) in.fail("a partition key index beyond the bind markers");
    }
  }
  prepared.binds = read_column_specs(in, binds, (flags & kGlobalTable) != 0);
  prepared.result = read_metadata(in, version);
  return prepared;
}

RowsResult read_rows(Reader& in, Version version) {
  RowsResult rows;
  rows.metadata = read_metadata(in, version);
  const size_t columns = rows.metadata.column_count;
  rows.row_count = in.count(columns * kCellBytesMin, columns == 0 ? 0 : SIZE_MAX);
  rows.cells = in.rest();
  return rows;
}

struct BodyWriter {
  std::string& out;
  Version version;

  void operator()(const ErrorResponse& r) { put_error(out, version, r); }
  void operator()(const ReadyResponse&) {}
  void operator()(const AuthenticateResponse& r) { put_string(out, r.authenticator); }
  void operator()(const AuthChallengeResponse& r) { r.token ? put_bytes(out, *r.token) : put_null(out); }
  void operator()(const AuthSuccessResponse& r) { r.token ? put_bytes(out, *r.token) : put_null(out); }
  void operator()(const SupportedResponse& r) { put_string_multimap(out, r.options); }
  void operator()(const VoidResult&) { put_int(out, kKindVoid); }
  void operator()(const RowsResult& r) {
    put_int(out, kKindRows);
    put_metadata(out, version, r.metadata);
    put_int(out, static_cast<int32_t>(r.row_count));
    out += r.cells;
  }
  void operator()(const SetKeyspaceResult& r) {
    put_int(out, kKindSetKeyspace);
    put_string(out, r.keyspace);
  }
  void operator()(const PreparedResult& r) {
    put_int(out, kKindPrepared);
    put_prepared(out, version, r);
  }
  void operator()(const SchemaChange& r) {
    put_int(out, kKindSchemaChange);
    put_schema_change(out, r);
  }
  void operator()(const EventResponse& r) {
    if (const auto* schema = std::get_if<SchemaChange>(&r.event)) {
      put_string(out, kSchemaChange);
      return put_schema_change(out, *schema);
    }
    const auto& node = std::get<NodeChange>(r.event);
    put_string(out, node.status ? kStatusChange : kTopologyChange);
    put_string(out, node.change);
    put_inet(out, node.node);
  }
};

Opcode opcode_of(const Response& response) {
  static constexpr Opcode kOpcodes[] = {Opcode::kError,       Opcode::kReady,     Opcode::kAuthenticate, Opcode::kAuthChallenge,
                                        Opcode::kAuthSuccess, Opcode::kSupported, Opcode::kResult,       Opcode::kResult,
                                        Opcode::kResult,      Opcode::kResult,    Opcode::kResult,       Opcode::kEvent};
  static_assert(std::size(kOpcodes) == std::variant_size_v<Response>);
  return kOpcodes[response.index()];
}

std::optional<std::string> owned(std::optional<std::string_view> bytes) {
  if (!bytes) return std::nullopt;
  return std::string(*bytes);
}

Response read_result(Reader& in, Version version) {
  switch (in.i32()) {
    case kKindVoid: return VoidResult{};
    case kKindRows: return read_rows(in, version);
    case kKindSetKeyspace: return SetKeyspaceResult{std::string(in.string())};
    case kKindPrepared: return read_prepared(in, version);
    case kKindSchemaChange: return read_schema_change(in);
    default: in.fail("a result of an unknown kind"); return VoidResult{};
  }
}

EventResponse read_event(Reader& in) {
  const std::string_view kind = in.string();
  if (kind == kSchemaChange) return {read_schema_change(in)};
  if (kind != kTopologyChange && kind != kStatusChange) in.fail("an event of an unknown kind");
  NodeChange node;
  node.status = kind == kStatusChange;
  node.change = in.string();
  node.node = in.inet();
  return {std::move(node)};
}

Response read_response(Reader& in, Version version, Opcode opcode) {
  switch (opcode) {
    case Opcode::kError: return read_error(in, version);
    case Opcode::kReady: return ReadyResponse{};
    case Opcode::kAuthenticate: return AuthenticateResponse{std::string(in.string())};
    case Opcode::kAuthChallenge: return AuthChallengeResponse{owned(in.bytes())};
    case Opcode::kAuthSuccess: return AuthSuccessResponse{owned(in.bytes())};
    case Opcode::kSupported: return SupportedResponse{in.string_multimap()};
    case Opcode::kResult: return read_result(in, version);
    case Opcode::kEvent: return read_event(in);
    default: in.fail("this is no response"); return ReadyResponse{};
  }
}

}  // namespace

void encode(std::string& out, Version version, int16_t stream, const Response& response) {
  const size_t at = begin_envelope(out, version, true, stream, opcode_of(response));
  std::visit(BodyWriter{out, version}, response);
  end_envelope(out, at);
}

Result<Response> decode_response(const Envelope& envelope) {
  if (!envelope.version()) return fail(Errc::kCorruption, unsupported_version_text(envelope.version_byte));
  if (!envelope.response) return fail(Errc::kCorruption, opcode_name(envelope.opcode) + " came as a request, not as a response");
  Reader in(envelope.body);
  Response response = read_response(in, *envelope.version(), envelope.opcode);
  if (!in.ok()) TRY_DO(in.status(opcode_name(envelope.opcode)));
  return response;
}

}  // namespace millrace::codec::cql
