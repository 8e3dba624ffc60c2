#pragma once

#include <cstdint>
#include <string>

#include "codec/cql/frame.h"
#include "codec/cql/request.h"

/// The parameters of QUERY, EXECUTE and BATCH as bytes. The values stand between head and tail, but for a BATCH's.
namespace millrace::codec::cql {

inline constexpr uint32_t kParamValues = 0x01;
inline constexpr uint32_t kParamSkipMetadata = 0x02;
inline constexpr uint32_t kParamPageSize = 0x04;
inline constexpr uint32_t kParamPagingState = 0x08;
inline constexpr uint32_t kParamSerialConsistency = 0x10;
inline constexpr uint32_t kParamTimestamp = 0x20;
inline constexpr uint32_t kParamNames = 0x40;
inline constexpr uint32_t kParamKeyspace = 0x80;       // v5
inline constexpr uint32_t kParamNowInSeconds = 0x100;  // v5

/// The flags that the fields of `params` ask for.
uint32_t param_flags(Version version, const QueryParams& params);
/// Consistency and flags.
void put_params_head(std::string& out, Version version, const QueryParams& params, uint32_t flags);
/// What the flags announce behind the values.
void put_params_tail(std::string& out, const QueryParams& params, uint32_t flags);

/// Consistency and flags; fails on flags that the version does not have.
uint32_t read_params_head(Reader& in, Version version, QueryParams& params);
void read_params_tail(Reader& in, uint32_t flags, QueryParams& params);

/// What a BATCH cannot say.
inline constexpr uint32_t kParamsNotInBatch =
    kParamValues | kParamSkipMetadata | kParamPageSize | kParamPagingState | kParamNames;

}  // namespace millrace::codec::cql
