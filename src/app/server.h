#pragma once

#include <atomic>
#include <memory>
#include <string>

#include "app/instance.h"
#include "serve/http/server.h"

namespace millrace::app {

/// The API of an instance on a socket, and `<data>/server.json` that tells the command line where: `{pid, url, token_file}`. The
/// token is made anew at each start, in a file that only its owner can read.
class Server {
 public:
  struct Options {
    std::string address = "127.0.0.1";
    uint16_t port = 0;
    std::vector<std::string> allowed_hosts;
  };
  static Result<std::unique_ptr<Server>> start(Instance& instance, const Options& options);
  ~Server();

  std::string url() const { return http_->url(); }
  /// Ends what clients wait for and takes server.json away.
  void stop();

 private:
  Server(Instance& instance) : instance_(instance) {}

  Instance& instance_;
  std::unique_ptr<serve::http::HttpServer> http_;
  std::atomic<serve::http::HttpServer*> counting_{nullptr};  // http_, for the handlers that run before it is set
};

}  // namespace millrace::app
