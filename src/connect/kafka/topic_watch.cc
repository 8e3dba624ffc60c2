#include "connect/kafka/topic_watch.h"

#include <fmt/format.h>

namespace millrace::connect::kafka {

Result<TopicShape> TopicWatch::look(const std::atomic<bool>* stop) {
  auto shape = cluster_.shape(topic_, stop);
  if (!shape && known_ && shape.error().code == Errc::kNotFound) {
    return fail(Errc::kFailedPrecondition, fmt::format("topic {} was deleted", topic_));
  }
  if (!shape) return shape;
  if (known_ && shape->id != known_->id) {
    return fail(Errc::kFailedPrecondition, fmt::format("topic {} was deleted and made again: its id was {} and is {}", topic_,
                                                       format_uuid(known_->id), format_uuid(shape->id)));
  }
  known_ = *shape;
  asap_ = false;
  next_ = std::chrono::steady_clock::now() + kInterval;
  return shape;
}

}  // namespace millrace::connect::kafka
