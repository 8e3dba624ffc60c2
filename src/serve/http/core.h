#pragma once

#include <atomic>
#include <boost/asio/io_context.hpp>
#include <unordered_set>

#include "base/mutex.h"
#include "serve/http/handler_pool.h"
#include "serve/http/server.h"

namespace millrace::serve::http {

class Session;

/// What the sessions of one server share.
struct Core {
  Core(const HttpServer::Options& options, Handler request_handler)
      : limits(options.limits),
        guard(options.guard),
        handler(std::move(request_handler)),
        pool(options.limits.handler_threads, options.limits.queued_requests),
        probes(1, options.limits.queued_requests) {}

  const Limits limits;
  Guard guard;  // settled before the first connection
  const Handler handler;

  std::atomic<bool> draining{false};
  std::atomic<uint64_t> accepted{0}, over_limit{0}, evicted{0}, requests{0}, queue_full{0}, timeouts{0}, malformed{0}, refused{0},
      bytes_in{0}, bytes_out{0};
  std::atomic<uint64_t> by_class[6] = {};

  // Of the socket thread only.
  std::unordered_set<Session*> sessions;
  size_t body_bytes = 0;

  Mutex mutex;
  CondVar fewer_sessions;
  size_t open_sessions GUARDED_BY(mutex) = 0;

  HandlerPool pool;
  HandlerPool probes;             // of the paths that need no token: whether the server lives can always be asked
  boost::asio::io_context io{1};  // last: handlers that it still holds refer to the rest
};

}  // namespace millrace::serve::http
