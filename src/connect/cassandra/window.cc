#include "connect/cassandra/window.h"

#include <algorithm>

namespace millrace::connect::cassandra {
namespace {
/// Latency grows with the window once the server is busy (Little's law), so a multiple of the best is what "level" can mean.
constexpr int kLevel = 6;
constexpr int kBlowUp = 24;
/// Below it a pause is a collection of garbage, not overload.
constexpr Duration kBlowUpMin = std::chrono::milliseconds(250);
constexpr Duration kLevelMin = std::chrono::milliseconds(5);
}  // namespace

Window::Window(size_t max) : max_(std::max<size_t>(max, 1)), size_(std::min(max_, kStart)) {}

void Window::answered(Duration latency, size_t in_flight) {
  latency_sum_ += latency;
  if (in_flight >= size_) ++full_;
  if (++answers_ >= size_) end_round();
}

void Window::end_round() {
  Duration mean = latency_sum_ / static_cast<int64_t>(answers_);
  bool was_full = full_ * 2 >= answers_;
  if (best_ == Duration(0) || mean < best_) best_ = mean;
  if (mean > std::max(kBlowUpMin, best_ * kBlowUp)) {
    if (!halved_) halve();
  } else if (was_full && !halved_ && mean <= std::max(kLevelMin, best_ * kLevel)) {
    size_ = std::min(max_, size_ + std::max<size_t>(4, size_ / 16));
  }
  best_ += best_ / 64 + Duration(1);  // what was quick an hour ago may never come again
  answers_ = full_ = 0;
  latency_sum_ = Duration(0);
  halved_ = false;
}

void Window::slow_down() {
  if (!halved_) halve();
}

void Window::halve() {
  size_ = std::max(std::min(kMin, max_), size_ / 2);
  halved_ = true;
  answers_ = full_ = 0;
  latency_sum_ = Duration(0);
}

}  // namespace millrace::connect::cassandra
