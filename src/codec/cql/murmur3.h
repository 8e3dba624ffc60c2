#pragma once

#include <cstdint>
#include <span>
#include <string>
#include <string_view>

/// Where a partition lies on the ring of org.apache.cassandra.dht.Murmur3Partitioner.
namespace millrace::codec::cql {

/// The token of a partition key's bytes (routing_key): MurmurHash3 x64-128, first half, with the tail's bytes sign-extended as
/// Cassandra does; never INT64_MIN. The token of an empty key is INT64_MIN.
int64_t murmur3_token(std::string_view routing_key);

/// Appends one component of a partition key of several columns: length in two bytes, the bytes, a zero byte. A key of one column
/// is its bytes alone.
void append_key_component(std::string& routing_key, std::string_view component);

}  // namespace millrace::codec::cql
