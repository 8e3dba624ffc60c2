#pragma once

#include <arpa/inet.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <atomic>
#include <mutex>
#include <string>
#include <thread>
#include <vector>

namespace millrace::connect::postgres {

/// Stands between a client and a server on this machine, and can cut the line at a chosen moment.
class Proxy {
 public:
  explicit Proxy(uint16_t server_port) : server_port_(server_port) {
    listener_ = socket(AF_INET, SOCK_STREAM, 0);
    sockaddr_in address = loopback(0);
    socklen_t size = sizeof address;
    (void)bind(listener_, reinterpret_cast<sockaddr*>(&address), size);
    (void)listen(listener_, 16);
    (void)getsockname(listener_, reinterpret_cast<sockaddr*>(&address), &size);
    port_ = ntohs(address.sin_port);
    acceptor_ = std::thread([this] { accept_all(); });
  }
  ~Proxy() {
    stopped_ = true;
    acceptor_.join();
    for (std::thread& line : lines_) line.join();
    close(listener_);
  }
  uint16_t port() const { return port_; }

  /// The next time the client sends `text`, it is passed on, and then nothing more: the client's side of the line is closed at
  /// once, the server's only when release() is called.
  void cut_behind(std::string text) {
    std::lock_guard lock(mutex_);
    cut_behind_ = std::move(text);
    released_ = false;
  }
  void release() { released_ = true; }
  bool has_cut() const { return cuts_ > 0; }

 private:
  static sockaddr_in loopback(uint16_t port) {
    sockaddr_in address{};
    address.sin_family = AF_INET;
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    address.sin_port = htons(port);
    return address;
  }
  static bool readable(int file) {
    pollfd one{file, POLLIN, 0};
    return ::poll(&one, 1, 20) > 0;
  }
  void accept_all() {
    while (!stopped_) {
      if (!readable(listener_)) continue;
      int client = accept(listener_, nullptr, nullptr);
      int server = socket(AF_INET, SOCK_STREAM, 0);
      sockaddr_in address = loopback(server_port_);
      (void)::connect(server, reinterpret_cast<sockaddr*>(&address), sizeof address);
      lines_.emplace_back([this, client, server] { pass_on(client, server); });
    }
  }
  void pass_on(int client, int server) {
    char bytes[16 << 10];
    bool open = true;
    while (open && !stopped_) {
      pollfd both[] = {{client, POLLIN, 0}, {server, POLLIN, 0}};
      if (::poll(both, 2, 20) <= 0) continue;
      for (int side = 0; side < 2 && open; ++side) {
        if (both[side].revents == 0) continue;
        ssize_t size = read(both[side].fd, bytes, sizeof bytes);
        open = size > 0 && send(both[1 - side].fd, bytes, static_cast<size_t>(size), MSG_NOSIGNAL) == size;
        if (open && side == 0 && cuts_here({bytes, static_cast<size_t>(size)})) open = false;
      }
    }
    close(client);
    while (!released_ && !stopped_) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    close(server);
  }
  bool cuts_here(std::string_view sent) {
    std::lock_guard lock(mutex_);
    if (cut_behind_.empty() || sent.find(cut_behind_) == std::string_view::npos) return false;
    cut_behind_.clear();
    ++cuts_;
    return true;
  }

  const uint16_t server_port_;
  int listener_ = -1;
  uint16_t port_ = 0;
  std::atomic<bool> stopped_ = false, released_ = true;
  std::atomic<int> cuts_ = 0;
  std::mutex mutex_;
  std::string cut_behind_;
  std::thread acceptor_;
  std::vector<std::thread> lines_;
};

/// The url of the same database by way of the proxy, which must be able to read what goes by.
inline std::string through(const Proxy& proxy, const std::string& url) {
  size_t host = url.find('@') + 1;
  return url.substr(0, host) + "127.0.0.1:" + std::to_string(proxy.port()) + url.substr(url.find('/', host)) + "?sslmode=disable";
}
inline uint16_t port_of(const std::string& url) {
  size_t host = url.find('@') + 1, slash = url.find('/', host), colon = url.find(':', host);
  return colon < slash ? static_cast<uint16_t>(std::stoi(url.substr(colon + 1))) : 5432;
}

}  // namespace millrace::connect::postgres
