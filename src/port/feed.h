#pragma once

#include <optional>
#include <stop_token>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "model/record.h"

namespace millrace::port {

/// Something that is asked again and again for new records: an API, a table with an increasing column, a folder of files.
/// Threading: one thread; the stop token may be triggered from any.
class Feed {
 public:
  virtual ~Feed() = default;
  struct Polled {
    /// What came, also when `error` says that it is not all.
    std::vector<model::Record> records;
    std::optional<Error> error;
    /// How long to wait before the next poll.
    Duration next_delay{0};
    /// Where to go on once the records are durable; empty: the feed keeps no position.
    std::string position;
  };
  virtual Polled poll(std::stop_token stop) = 0;
  /// Before the first poll, and when the records of a poll were not taken: the position of the last poll whose records are
  /// durable, empty before the first. kFailedPrecondition when it means nothing here.
  virtual Status resume(const std::string& position) = 0;
};

}  // namespace millrace::port
