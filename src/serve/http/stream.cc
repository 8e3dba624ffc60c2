#include "serve/http/stream.h"

#include <fmt/format.h>

#include <algorithm>

namespace millrace::serve::http {

Status StreamBuffer::write(std::string_view bytes) {
  MutexLock lock(mutex_);
  while (!bytes.empty()) {
    while (piece_.bytes.size() >= bytes_max_ && !closed_) taken_.wait(mutex_);
    if (closed_) return fail(Errc::kCancelled, "the client has gone");
    size_t size = std::min(bytes.size(), bytes_max_ - piece_.bytes.size());
    piece_.bytes += bytes.substr(0, size);
    bytes.remove_prefix(size);
    tell();
  }
  return closed_ ? Status(fail(Errc::kCancelled, "the client has gone")) : Status();
}

void StreamBuffer::finish(bool whole) {
  MutexLock lock(mutex_);
  piece_.finished = true;
  piece_.whole = whole;
  tell();
}

StreamBuffer::Piece StreamBuffer::take() {
  MutexLock lock(mutex_);
  Piece out = std::move(piece_);
  piece_ = {};
  told_ = false;
  taken_.notify_all();
  return out;
}

void StreamBuffer::close() {
  MutexLock lock(mutex_);
  closed_ = true;
  taken_.notify_all();
}

void StreamBuffer::tell() {
  if (told_) return;
  told_ = true;
  on_ready_();
}

std::string chunk(std::string_view bytes) {
  return bytes.empty() ? std::string() : fmt::format("{:x}\r\n{}\r\n", bytes.size(), bytes);
}

}  // namespace millrace::serve::http
