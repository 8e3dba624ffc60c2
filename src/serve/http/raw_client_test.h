#pragma once

#include <arpa/inet.h>
#include <fmt/format.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

#include <string>
#include <string_view>

namespace millrace::serve::http {

/// A client that sends what it is told, right or wrong.
class RawClient {
 public:
  explicit RawClient(uint16_t port) : socket_(::socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0)) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_port = htons(port);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    connected_ = ::connect(socket_, reinterpret_cast<sockaddr*>(&address), sizeof address) == 0;
  }
  ~RawClient() { ::close(socket_); }
  RawClient(const RawClient&) = delete;
  RawClient& operator=(const RawClient&) = delete;

  bool connected() const { return connected_; }
  bool send(std::string_view bytes) {
    while (!bytes.empty()) {
      ssize_t sent = ::send(socket_, bytes.data(), bytes.size(), MSG_NOSIGNAL);
      if (sent <= 0) return false;
      bytes.remove_prefix(static_cast<size_t>(sent));
    }
    return true;
  }
  /// Everything up to the end of the connection.
  std::string read_all() {
    while (read_some()) {
    }
    return std::move(got_);
  }
  /// Everything up to and with `mark`, or to the end of the connection.
  std::string read_until(std::string_view mark) {
    while (got_.find(mark) == std::string::npos && read_some()) {
    }
    size_t end = got_.find(mark);
    if (end == std::string::npos) return std::move(got_);
    std::string out = got_.substr(0, end + mark.size());
    got_.erase(0, out.size());
    return out;
  }

 private:
  bool read_some() {
    char bytes[4096];
    ssize_t size = ::recv(socket_, bytes, sizeof bytes, 0);
    if (size <= 0) return false;
    got_.append(bytes, static_cast<size_t>(size));
    return true;
  }

  int socket_;
  bool connected_ = false;
  std::string got_;
};

}  // namespace millrace::serve::http
