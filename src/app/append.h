#pragma once

#include <vector>

#include "log/log.h"

namespace millrace::app {

/// One acknowledged batch of an append that may touch several partitions.
struct AppendedBatch {
  int32_t partition = 0;
  int64_t first_offset = 0;
  int64_t count = 0;
};

/// Appends records as a Kafka producer places them: a keyed record goes to its key's partition (murmur2), the others stay
/// together in `sticky` partition. Returns when all of them are durable as the topic's sync mode says. On error some batches may
/// have been written.
Result<std::vector<AppendedBatch>> append_records(log::Topic& topic, std::vector<model::Record> records, int32_t sticky);

}  // namespace millrace::app
