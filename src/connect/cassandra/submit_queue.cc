#include "connect/cassandra/submit_queue.h"

#include <sys/eventfd.h>
#include <unistd.h>

#include "base/check.h"

namespace millrace::connect::cassandra {

SubmitQueue::SubmitQueue() : event_(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) { CHECK(event_ >= 0, "eventfd"); }
SubmitQueue::~SubmitQueue() { ::close(event_); }

void SubmitQueue::raise() {
  if (raised_) return;
  raised_ = true;
  eventfd_write(event_, 1);
}

Status SubmitQueue::push(std::vector<std::unique_ptr<Request>>& requests, const std::atomic<bool>& cancelled) {
  size_t taken = 0;
  Status status;
  {
    MutexLock lock(mutex_);
    for (; taken < requests.size(); ++taken) {
      while (!stopped_ && !cancelled && (requests_.size() >= kRequestsMax || bytes_ >= kBytesMax)) {
        raise();
        room_.wait(mutex_);
      }
      if (stopped_ || cancelled) {
        status = fail(Errc::kCancelled, "the request to Cassandra was cancelled");
        break;
      }
      bytes_ += requests[taken]->bytes.size();
      requests_.push_back(std::move(requests[taken]));
    }
    raise();
  }
  requests.erase(requests.begin(), requests.begin() + static_cast<ptrdiff_t>(taken));
  return status;
}

void SubmitQueue::nudge() {
  MutexLock lock(mutex_);
  raise();
  room_.notify_all();
}

void SubmitQueue::take(size_t count, std::vector<std::unique_ptr<Request>>& out) {
  MutexLock lock(mutex_);
  bool was_full = requests_.size() >= kRequestsMax || bytes_ >= kBytesMax;
  for (; count > 0 && !requests_.empty(); --count) {
    bytes_ -= requests_.front()->bytes.size();
    out.push_back(std::move(requests_.front()));
    requests_.pop_front();
  }
  if (was_full) room_.notify_all();
}

bool SubmitQueue::stopped() {
  MutexLock lock(mutex_);
  return stopped_;
}

void SubmitQueue::stop() {
  MutexLock lock(mutex_);
  stopped_ = true;
  raise();
  room_.notify_all();
}

void SubmitQueue::clear_event() {
  MutexLock lock(mutex_);
  if (!raised_) return;
  eventfd_t ignored;
  eventfd_read(event_, &ignored);
  raised_ = false;
}

}  // namespace millrace::connect::cassandra
