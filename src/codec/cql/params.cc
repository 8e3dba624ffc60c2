#include "codec/cql/params.h"

namespace millrace::codec::cql {

uint32_t param_flags(Version version, const QueryParams& params) {
  uint32_t flags = 0;
  if (params.skip_metadata) flags |= kParamSkipMetadata;
  if (params.page_size) flags |= kParamPageSize;
  if (params.paging_state) flags |= kParamPagingState;
  if (params.serial_consistency) flags |= kParamSerialConsistency;
  if (params.timestamp_us) flags |= kParamTimestamp;
  if (params.keyspace && version >= Version::kV5) flags |= kParamKeyspace;
  if (params.now_in_seconds && version >= Version::kV5) flags |= kParamNowInSeconds;
  return flags;
}

void put_params_head(std::string& out, Version version, const QueryParams& params, uint32_t flags) {
  put_consistency(out, params.consistency);
  if (version >= Version::kV5) {
    put_int(out, static_cast<int32_t>(flags));
  } else {
    put_byte(out, static_cast<uint8_t>(flags));
  }
}

void put_params_tail(std::string& out, const QueryParams& params, uint32_t flags) {
  if ((flags & kParamPageSize) != 0) put_int(out, *params.page_size);
  if ((flags & kParamPagingState) != 0) put_bytes(out, *params.paging_state);
  if ((flags & kParamSerialConsistency) != 0) put_consistency(out, *params.serial_consistency);
  if ((flags & kParamTimestamp) != 0) put_long(out, *params.timestamp_us);
  if ((flags & kParamKeyspace) != 0) put_string(out, *params.keyspace);
  if ((flags & kParamNowInSeconds) != 0) put_int(out, *params.now_in_seconds);
}

uint32_t read_params_head(Reader& in, Version version, QueryParams& params) {
  params.consistency = in.consistency();
  const bool v5 = version >= Version::kV5;
  uint32_t flags = v5 ? static_cast<uint32_t>(in.i32()) : in.byte();
  if (flags >= (v5 ? kParamNowInSeconds * 2 : kParamKeyspace)) in.fail("a flag that this version does not have");
  params.skip_metadata = (flags & kParamSkipMetadata) != 0;
  return flags;
}

void read_params_tail(Reader& in, uint32_t flags, QueryParams& params) {
  if ((flags & kParamPageSize) != 0) params.page_size = in.i32();
  if ((flags & kParamPagingState) != 0) params.paging_state = in.bytes();
  if ((flags & kParamSerialConsistency) != 0) params.serial_consistency = in.consistency();
  if ((flags & kParamTimestamp) != 0) params.timestamp_us = in.i64();
  if ((flags & kParamKeyspace) != 0) params.keyspace = in.string();
  if ((flags & kParamNowInSeconds) != 0) params.now_in_seconds = in.i32();
}

}  // namespace millrace::codec::cql
