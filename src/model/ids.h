#pragma once

#include <cstdint>

#include "base/id.h"
#include "base/uuid.h"

namespace millrace::model {

/// A topic keeps its id for life; a topic that was deleted and created again has another one.
using TopicId = Uuid;
using Partition = Id<struct PartitionTag, int32_t>;
using Offset = Id<struct OffsetTag, int64_t>;

}  // namespace millrace::model
