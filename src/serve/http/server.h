#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "base/result.h"
#include "base/time.h"
#include "serve/http/guard.h"
#include "serve/http/message.h"
#include "serve/http/metrics.h"

namespace millrace::serve::http {

/// A bound on everything a client can make the server hold or wait for.
struct Limits {
  size_t header_bytes = 16 << 10;       // 431
  size_t body_bytes = 64 << 20;         // 413
  size_t body_bytes_total = 512 << 20;  // of all requests at a time; 503
  size_t stream_buffer_bytes = 256 << 10;
  size_t connections = 256;  // then the one that has been silent longest goes; 503 when all are at work
  size_t handler_threads = 8;
  size_t queued_requests = 256;                            // waiting for a handler thread; 503 with Retry-After
  Duration header_timeout = std::chrono::seconds(10);      // 408, for the whole header
  Duration body_idle_timeout = std::chrono::seconds(30);   // 408, between two pieces of a body
  Duration body_timeout = std::chrono::minutes(10);        // 408, for the whole body
  Duration write_timeout = std::chrono::seconds(30);       // close, for each piece written
  Duration keep_alive_timeout = std::chrono::seconds(60);  // close, between two requests
};

/// What the server counted since its start.
struct ServerCounters {
  uint64_t connections_open = 0;
  uint64_t connections_accepted = 0;
  uint64_t connections_refused = 0;  // over `Limits::connections`
  uint64_t connections_evicted = 0;  // closed to make room for a new one
  uint64_t requests = 0;             // answered, whatever the status
  uint64_t by_class[6] = {};         // [2] = 2xx …
  uint64_t queue_full = 0;
  uint64_t timeouts = 0;
  uint64_t malformed = 0;  // refused by the parser or for a limit
  uint64_t refused = 0;    // by the guard
  uint64_t bytes_in = 0;   // request bodies
  uint64_t bytes_out = 0;  // response bodies
};

/// An HTTP/1.1 server: one thread for sockets, a bounded pool for handlers.
///
/// Threading: every method from any thread, but `stop` and the destructor not
/// from a handler. Lifetime: the handler and what it uses outlive the server,
/// which stops in its destructor at the latest.
class HttpServer {
 public:
  struct Options {
    std::string address = "127.0.0.1";
    uint16_t port = 0;  // 0: a free one
    Limits limits;
    Guard guard;
  };

  /// Errors: kInvalidArgument (address), kUnavailable (the port is taken or the
  /// system refuses).
  static Result<std::unique_ptr<HttpServer>> start(Options options, Handler handler);
  ~HttpServer();

  uint16_t port() const;
  /// "http://127.0.0.1:4711"
  std::string url() const;
  /// Takes no new work, lets running requests end within `grace`, then cuts
  /// what is left; streams see kCancelled. Waits for handlers that do not
  /// return, since their thread cannot be ended. A second call does nothing.
  void stop(Duration grace = std::chrono::seconds(5));

  ServerCounters counters() const;
  /// The counters as `millrace_http_*` families.
  std::vector<MetricFamily> metrics() const;

 private:
  struct Parts;
  explicit HttpServer(std::unique_ptr<Parts> parts);
  std::unique_ptr<Parts> parts_;
};

}  // namespace millrace::serve::http
