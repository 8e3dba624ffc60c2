#include "sql/functions.h"

#include "base/bytes.h"
#include "model/column.h"
#include "sql/types.h"

namespace millrace::sql {
namespace {

uint64_t finalize(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

uint64_t absorb(uint64_t lane, const uint64_t (&words)[6]) {
  for (uint64_t word : words) lane = finalize((lane ^ word) + 0x9e3779b97f4a7c15);
  return finalize(lane);
}

CallSeed seed_at(duckdb_data_chunk input, idx_t row) {
  auto* topic = static_cast<model::Int128*>(duckdb_vector_get_data(duckdb_data_chunk_get_vector(input, 0)));
  auto* partition = static_cast<int32_t*>(duckdb_vector_get_data(duckdb_data_chunk_get_vector(input, 1)));
  int64_t numbers[3];
  for (idx_t i = 0; i < 3; ++i) {
    numbers[i] = static_cast<int64_t*>(duckdb_vector_get_data(duckdb_data_chunk_get_vector(input, i + 2)))[row];
  }
  return {model::uuid_from_element(topic[row]), partition[row], numbers[0], numbers[1], numbers[2]};
}

void uuids(duckdb_function_info, duckdb_data_chunk input, duckdb_vector output) {
  auto* out = static_cast<model::Int128*>(duckdb_vector_get_data(output));
  for (idx_t row = 0; row < duckdb_data_chunk_get_size(input); ++row)
    out[row] = model::uuid_to_element(seeded_uuid(seed_at(input, row)));
}

void randoms(duckdb_function_info, duckdb_data_chunk input, duckdb_vector output) {
  auto* out = static_cast<double*>(duckdb_vector_get_data(output));
  for (idx_t row = 0; row < duckdb_data_chunk_get_size(input); ++row) out[row] = seeded_random(seed_at(input, row));
}

Status add(duckdb_connection connection, const char* name, duckdb_type result, duckdb_scalar_function_t body) {
  duckdb_scalar_function function = duckdb_create_scalar_function();
  duckdb_scalar_function_set_name(function, name);
  for (duckdb_type type : {DUCKDB_TYPE_UUID, DUCKDB_TYPE_INTEGER, DUCKDB_TYPE_BIGINT, DUCKDB_TYPE_BIGINT, DUCKDB_TYPE_BIGINT}) {
    LogicalType parameter(duckdb_create_logical_type(type));
    duckdb_scalar_function_add_parameter(function, parameter.get());
  }
  LogicalType returned(duckdb_create_logical_type(result));
  duckdb_scalar_function_set_return_type(function, returned.get());
  duckdb_scalar_function_set_function(function, body);
  duckdb_state state = duckdb_register_scalar_function(connection, function);
  duckdb_destroy_scalar_function(&function);
  if (state != DuckDBSuccess) return fail(Errc::kInternal, std::string("DuckDB refuses the function ") + name);
  return {};
}

}  // namespace

Mixed mix(const CallSeed& seed) {
  auto* topic = reinterpret_cast<const char*>(seed.topic.bytes.data());
  const uint64_t words[6] = {
      load_be<uint64_t>(topic),           load_be<uint64_t>(topic + 8),     static_cast<uint64_t>(seed.partition),
      static_cast<uint64_t>(seed.offset), static_cast<uint64_t>(seed.call), static_cast<uint64_t>(seed.ordinal)};
  return {absorb(0x6d696c6c72616365, words), absorb(0x9216d5d98979fb1b, words)};
}

Uuid seeded_uuid(const CallSeed& seed) {
  Mixed bits = mix(seed);
  Uuid uuid;
  auto* bytes = reinterpret_cast<char*>(uuid.bytes.data());
  store_be(bytes, bits.high);
  store_be(bytes + 8, bits.low);
  uuid.bytes[6] = (uuid.bytes[6] & 0x0f) | 0x40;
  uuid.bytes[8] = (uuid.bytes[8] & 0x3f) | 0x80;
  return uuid;
}

double seeded_random(const CallSeed& seed) { return static_cast<double>(mix(seed).high >> 11) * 0x1.0p-53; }

Status register_functions(duckdb_connection connection) {
  TRY_DO(add(connection, "millrace_uuid", DUCKDB_TYPE_UUID, uuids));
  return add(connection, "millrace_random", DUCKDB_TYPE_DOUBLE, randoms);
}

}  // namespace millrace::sql
