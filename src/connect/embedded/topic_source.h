#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "log/log.h"
#include "port/source.h"

namespace millrace::connect::embedded {

/// A topic of the embedded log as the input of a query. Starts at each partition's start offset until seek is called.
/// Under the poll limit, partitions take turns, so that none starves. Lifetime: must not outlive the Log.
class TopicSource : public port::Source {
 public:
  explicit TopicSource(std::shared_ptr<log::Topic> topic);
  ~TopicSource() override;

  Result<port::SourceInfo> describe() override;
  Result<port::OffsetRange> bounds(model::Partition partition) override;
  /// kOutOfRange names what is kept, also for an offset that is not written yet.
  Status seek(model::Partition partition, model::Offset offset) override;
  Result<std::vector<model::RecordRun>> poll(const port::PollLimit& limit, Duration wait) override;
  void wake() override;

 private:
  Status check(model::Partition partition) const;
  Result<std::vector<model::RecordRun>> take(const port::PollLimit& limit);

  std::shared_ptr<log::Topic> topic_;
  log::Waiter waiter_;
  std::vector<model::Offset> positions_;
  size_t turn_ = 0;
  // A wake that comes between two polls ends the next one.
  std::atomic<uint64_t> wakes_{0};
  uint64_t answered_wakes_ = 0;
};

}  // namespace millrace::connect::embedded
