#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "env/env.h"
#include "serve/http/server.h"

namespace millrace::serve::randomuser {

/// How the API shall fail, for people who want to see what a pipeline does
/// then. Shares are 0 to 1 of the answers.
struct Misbehaviour {
  double error_share = 0;      // HTTP 500 or 503 (with Retry-After)
  double malformed_share = 0;  // JSON cut in the middle, or an HTML page
  Duration delay{0};           // each answer comes so much later
  uint64_t seed = 1;           // which answers are hit
};

/// The API without a socket. Threading: `handle` from any thread.
class RandomUserApi {
 public:
  RandomUserApi(Misbehaviour misbehaviour, env::Clock& clock, env::Random& random)
      : misbehaviour_(misbehaviour), clock_(clock), random_(random) {}
  http::Response handle(const http::Request& request);

 private:
  const Misbehaviour misbehaviour_;
  env::Clock& clock_;
  env::Random& random_;
  std::atomic<uint64_t> answers_{0};
};

/// A server that answers as https://randomuser.me/api/ does, at "/" and
/// "/api/".
class RandomUserServer {
 public:
  struct Options {
    std::string address = "127.0.0.1";
    uint16_t port = 0;
    std::vector<std::string> allowed_hosts;  // see http::Guard
    Misbehaviour misbehaviour;
  };

  static Result<std::unique_ptr<RandomUserServer>> start(Options options, env::Clock& clock, env::Random& random);

  uint16_t port() const { return server_->port(); }
  /// "http://127.0.0.1:4711/api/"
  std::string url() const { return server_->url() + "/api/"; }
  void stop() { server_->stop(); }
  http::ServerCounters counters() const { return server_->counters(); }

 private:
  RandomUserServer(Misbehaviour misbehaviour, env::Clock& clock, env::Random& random) : api_(misbehaviour, clock, random) {}

  RandomUserApi api_;
  std::unique_ptr<http::HttpServer> server_;  // after api_: stops first
};

}  // namespace millrace::serve::randomuser
