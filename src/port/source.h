#pragma once

#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "model/ids.h"
#include "model/record.h"

namespace millrace::port {

struct SourceInfo {
  model::TopicId topic_id;
  int32_t partitions = 1;
  /// Reading again from a position gives the same records.
  bool replayable = true;
};

struct PollLimit {
  size_t records_max = 1'000'000;
  size_t bytes_max = 256 << 20;
};

/// Records by partition and offset: a topic, embedded or foreign. Threading: one thread, but for wake().
class Source {
 public:
  virtual ~Source() = default;
  virtual Result<SourceInfo> describe() = 0;
  /// Reads on at `offset`. kOutOfRange says what is kept when the offset is gone.
  virtual Status seek(model::Partition partition, model::Offset offset) = 0;
  /// What is there, in partition order, up to the limit; waits up to `wait` for the first record. Empty when nothing came or
  /// wake() was called.
  virtual Result<std::vector<model::RecordRun>> poll(const PollLimit& limit, Duration wait) = 0;
  /// Ends a waiting poll, from any thread.
  virtual void wake() = 0;
};

}  // namespace millrace::port
