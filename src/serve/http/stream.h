#pragma once

#include <atomic>
#include <functional>
#include <string>

#include "base/mutex.h"
#include "serve/http/message.h"

namespace millrace::serve::http {

/// The bounded buffer between a streaming handler's thread and the socket's.
/// The socket's side is told by `on_ready`, once for all that has gathered
/// until it calls `take`.
class StreamBuffer : public BodyWriter {
 public:
  StreamBuffer(size_t bytes_max, const std::atomic<bool>& stopping, std::function<void()> on_ready)
      : bytes_max_(bytes_max), stopping_(stopping), on_ready_(std::move(on_ready)) {}

  Status write(std::string_view bytes) override EXCLUDES(mutex_);
  bool closed() const override { return closed_; }
  bool stopping() const override { return stopping_; }
  /// The handler has returned; `whole` is false when it failed.
  void finish(bool whole) EXCLUDES(mutex_);

  struct Piece {
    std::string bytes;
    bool finished = false;
    bool whole = false;
  };
  Piece take() EXCLUDES(mutex_);
  /// Nobody will take any more.
  void close() EXCLUDES(mutex_);

 private:
  void tell() REQUIRES(mutex_);

  const size_t bytes_max_;
  const std::atomic<bool>& stopping_;
  const std::function<void()> on_ready_;
  std::atomic<bool> closed_{false};

  Mutex mutex_;
  CondVar taken_;
  Piece piece_ GUARDED_BY(mutex_);
  bool told_ GUARDED_BY(mutex_) = false;
};

/// One chunk of RFC 9112, 7.1; nothing for no bytes, since an empty chunk ends
/// the body.
std::string chunk(std::string_view bytes);
inline constexpr std::string_view kLastChunk = "0\r\n\r\n";

}  // namespace millrace::serve::http
