#include "connect/kafka/topic_watch.h"

#include <fmt/format.h>

namespace millrace::connect::kafka {

Result<TopicShape> TopicWatch::look(const std::atomic<bool>* stop) {
  auto shape = cluster_.shape(topic_, stop);
  auto now = std::chrono::steady_clock::now();
  if (!shape && known_ && shape.error().code == Errc::kNotFound) {
    // A broker that starts does not know its topics for a moment.
    if (!missing_since_) missing_since_ = now;
    if (now - *missing_since_ < kMissingMax)
      return fail(Errc::kUnavailable, fmt::format("the cluster knows no topic {}", topic_));
    return fail(Errc::kFailedPrecondition, fmt::format("topic {} was deleted", topic_));
  }
  if (!shape) return shape;
  missing_since_.reset();
  if (known_ && shape->id != known_->id) {
    return fail(Errc::kFailedPrecondition,
                fmt::format("topic {} was deleted and made again: its id was {} and is {}", topic_, format_uuid(known_->id),
                            format_uuid(shape->id)),
                "`millrace query reset QUERY --from earliest` starts on the new topic");
  }
  known_ = *shape;
  asap_ = false;
  next_ = now + kInterval;
  return shape;
}

}  // namespace millrace::connect::kafka
