#pragma once

#include "codec/kafka_record/record_batch.h"

namespace millrace::codec::kafka_record {

/// Writes all fields over the first kHeaderBytes of a batch whose records are in place; the CRC is computed from them.
void write_header(char* batch, const BatchHeader& header);

}  // namespace millrace::codec::kafka_record
