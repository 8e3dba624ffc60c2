#pragma once

#include <cstdint>
#include <string_view>

namespace millrace::codec::kafka_record {

/// crc32c for machines without the instruction, and what its result is tested against.
uint32_t crc32c_by_table(std::string_view bytes, uint32_t crc = 0);

}  // namespace millrace::codec::kafka_record
