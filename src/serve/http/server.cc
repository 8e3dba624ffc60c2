#include "serve/http/server.h"

#include <fmt/format.h>

#include <boost/asio/executor_work_guard.hpp>
#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/post.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/asio/write.hpp>
#include <thread>

#include "base/log.h"
#include "serve/http/core.h"
#include "serve/http/session.h"

namespace millrace::serve::http {
namespace net = boost::asio;
using Tcp = net::ip::tcp;
using ErrorCode = boost::system::error_code;

struct HttpServer::Parts {
  Parts(const Options& options, Handler handler)
      : core(options, std::move(handler)), acceptor(core.io), retry(core.io), work(net::make_work_guard(core.io)) {}

  Status listen(const Options& options);
  void accept();
  void admit(Tcp::socket socket);
  bool make_room();

  Core core;
  Tcp::acceptor acceptor;
  net::steady_timer retry;
  // While handlers run there may be nothing to wait for on sockets.
  net::executor_work_guard<net::io_context::executor_type> work;
  Tcp::endpoint endpoint;
  std::thread thread;
  std::atomic<bool> stopped{false};
};

Status HttpServer::Parts::listen(const Options& options) {
  ErrorCode error;
  auto address = net::ip::make_address(options.address == "localhost" ? "127.0.0.1" : options.address, error);
  if (error) return fail(Errc::kInvalidArgument, fmt::format("'{}' is not an IP address to listen on", options.address));
  core.guard.any_ip_literal = core.guard.any_ip_literal || !address.is_loopback();
  endpoint = Tcp::endpoint(address, options.port);
  acceptor.open(endpoint.protocol(), error);
  if (!error) acceptor.set_option(Tcp::acceptor::reuse_address(true), error);
  if (!error) acceptor.bind(endpoint, error);
  if (!error) acceptor.listen(net::socket_base::max_listen_connections, error);
  if (error)
    return fail(Errc::kUnavailable, fmt::format("cannot listen on {}:{}: {}", options.address, options.port, error.message()),
                "choose another port, or 0 for a free one");
  endpoint = acceptor.local_endpoint(error);
  return {};
}

void HttpServer::Parts::accept() {
  acceptor.async_accept([this](ErrorCode error, Tcp::socket socket) {
    if (error == net::error::operation_aborted || !acceptor.is_open()) return;
    if (!error) {
      admit(std::move(socket));
      return accept();
    }
    // Out of descriptors, most likely: the connection stays in the backlog, and
    // asking at once would spin.
    log_warn("http", "cannot accept a connection: " + error.message());
    retry.expires_after(std::chrono::milliseconds(100));
    retry.async_wait([this](ErrorCode cancelled) {
      if (!cancelled) accept();
    });
  });
}

/// Connections that only stay open must not keep others out: the one that has
/// been without a sound request for longest makes room. False when there is
/// none.
bool HttpServer::Parts::make_room() {
  Session* oldest = nullptr;
  for (Session* session : core.sessions) {
    if (!session->unheard_since()) continue;
    if (oldest == nullptr || *session->unheard_since() < *oldest->unheard_since()) oldest = session;
  }
  if (oldest == nullptr) return false;
  ++core.evicted;
  oldest->close();
  return true;
}

void HttpServer::Parts::admit(Tcp::socket socket) {
  ++core.accepted;
  if (core.sessions.size() >= core.limits.connections && !make_room()) {
    ++core.over_limit;
    static constexpr std::string_view kFull =
        "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\nRetry-After: "
        "1\r\nConnection: close\r\n\r\n";
    ErrorCode ignored;
    socket.non_blocking(true, ignored);
    socket.write_some(net::buffer(kFull), ignored);
    return;
  }
  {
    MutexLock lock(core.mutex);
    ++core.open_sessions;
  }
  std::make_shared<Session>(std::move(socket), core)->start();
}

HttpServer::HttpServer(std::unique_ptr<Parts> parts) : parts_(std::move(parts)) {}
HttpServer::~HttpServer() { stop(Duration(0)); }

Result<std::unique_ptr<HttpServer>> HttpServer::start(Options options, Handler handler) {
  auto parts = std::make_unique<Parts>(options, std::move(handler));
  TRY_DO(parts->listen(options));
  parts->accept();
  parts->thread = std::thread([&core = parts->core] { core.io.run(); });
  return std::unique_ptr<HttpServer>(new HttpServer(std::move(parts)));
}

uint16_t HttpServer::port() const { return parts_->endpoint.port(); }

std::string HttpServer::url() const {
  auto address = parts_->endpoint.address();
  std::string host = address.is_unspecified() ? "127.0.0.1"
                     : address.is_v6()        ? "[" + address.to_string() + "]"
                                              : address.to_string();
  return fmt::format("http://{}:{}", host, port());
}

void HttpServer::stop(Duration grace) {
  if (parts_->stopped.exchange(true)) return;
  Core& core = parts_->core;
  core.draining = true;
  auto each_session = [&core](void (Session::*action)()) {
    auto sessions = core.sessions;  // the action takes itself out of the set
    for (Session* session : sessions) (session->*action)();
  };
  net::post(core.io, [this, each_session] {
    ErrorCode ignored;
    parts_->acceptor.close(ignored);
    parts_->retry.cancel();
    each_session(&Session::drain);
  });
  {
    auto deadline = std::chrono::steady_clock::now() + grace;
    MutexLock lock(core.mutex);
    while (core.open_sessions != 0) {
      auto left = std::chrono::duration_cast<Duration>(deadline - std::chrono::steady_clock::now());
      if (left <= Duration(0) || !core.fewer_sessions.wait_for(core.mutex, left)) break;
    }
  }
  net::post(core.io, [each_session] { each_session(&Session::close); });
  core.pool.stop();
  core.probes.stop();
  // Not io.stop(): an accepted socket whose completion still waits in the queue would stay open.
  parts_->work.reset();
  parts_->thread.join();
}

ServerCounters HttpServer::counters() const {
  Core& core = parts_->core;
  ServerCounters out;
  {
    MutexLock lock(core.mutex);
    out.connections_open = core.open_sessions;
  }
  out.connections_accepted = core.accepted;
  out.connections_refused = core.over_limit;
  out.connections_evicted = core.evicted;
  out.requests = core.requests;
  for (size_t i = 0; i < 6; ++i) out.by_class[i] = core.by_class[i];
  out.queue_full = core.queue_full;
  out.timeouts = core.timeouts;
  out.malformed = core.malformed;
  out.refused = core.refused;
  out.bytes_in = core.bytes_in;
  out.bytes_out = core.bytes_out;
  return out;
}

std::vector<MetricFamily> HttpServer::metrics() const {
  ServerCounters now = counters();
  auto one = [](const char* name, const char* help, MetricType type, uint64_t value) {
    return MetricFamily{name, help, type, {Sample{.value = static_cast<double>(value)}}};
  };
  std::vector<MetricFamily> out = {
      one("millrace_http_connections", "Open HTTP connections.", MetricType::kGauge, now.connections_open),
      one("millrace_http_connections_accepted_total", "HTTP connections taken.", MetricType::kCounter, now.connections_accepted),
      one("millrace_http_connections_refused_total", "HTTP connections over the limit.", MetricType::kCounter,
          now.connections_refused),
      one("millrace_http_connections_evicted_total", "Silent HTTP connections closed to make room.", MetricType::kCounter,
          now.connections_evicted),
      one("millrace_http_queue_full_total", "Requests refused because too many waited.", MetricType::kCounter, now.queue_full),
      one("millrace_http_timeouts_total", "Reads and writes that took too long.", MetricType::kCounter, now.timeouts),
      one("millrace_http_malformed_total", "Requests that were not well-formed or over a limit.", MetricType::kCounter,
          now.malformed),
      one("millrace_http_refused_total", "Requests refused for host, origin or token.", MetricType::kCounter, now.refused),
      one("millrace_http_request_bytes_total", "Bytes of request bodies.", MetricType::kCounter, now.bytes_in),
      one("millrace_http_response_bytes_total", "Bytes of response bodies.", MetricType::kCounter, now.bytes_out),
  };
  MetricFamily requests{"millrace_http_requests_total", "Answered requests by class of status.", MetricType::kCounter, {}};
  for (int i = 2; i < 6; ++i)
    requests.samples.push_back({.labels = {{"class", fmt::format("{}xx", i)}}, .value = static_cast<double>(now.by_class[i])});
  out.push_back(std::move(requests));
  return out;
}

}  // namespace millrace::serve::http
