#include "serve/http/session.h"

#include <fmt/format.h>
#include <sys/socket.h>

#include <algorithm>
#include <boost/asio/post.hpp>
#include <boost/beast/http/error.hpp>
#include <boost/beast/http/read.hpp>
#include <new>

#include "base/log.h"
#include "serve/http/target.h"

namespace millrace::serve::http {
namespace net = boost::asio;
namespace beast = boost::beast;
namespace wire = boost::beast::http;

namespace {

using SteadyClock = net::steady_timer::clock_type;

constexpr size_t kReadBytes = 16 << 10;
constexpr size_t kWriteBytes = 256 << 10;
constexpr Duration kLinger = std::chrono::seconds(2);

std::string lower(std::string_view text) {
  std::string out(text);
  for (char& c : out)
    if (c >= 'A' && c <= 'Z') c = static_cast<char>(c + 32);
  return out;
}

std::string_view view(beast::string_view text) { return {text.data(), text.size()}; }

bool is_clean(std::string_view header) { return header.find_first_of(std::string_view("\r\n\0", 3)) == std::string_view::npos; }

bool is_timeout(const beast::error_code& error) { return error == beast::error::timeout; }

Response parse_failure(const beast::error_code& error) {
  if (is_timeout(error)) return error_response(408, "deadline_exceeded", "the request did not arrive in time");
  if (error == wire::error::header_limit || error == wire::error::buffer_overflow)
    return error_response(431, "resource_exhausted", "the request header is too long");
  if (error == wire::error::body_limit)
    return error_response(413, "resource_exhausted", "the request body is too long", "send it in several requests");
  if (error == wire::error::bad_version) return error_response(505, "invalid_argument", "the server speaks HTTP/1.1");
  return error_response(400, "invalid_argument", "the request is not well-formed HTTP: " + error.message());
}

Response too_large_together() {
  Response response = error_response(503, "resource_exhausted", "too many large requests at a time",
                                     "try again in a second, or send smaller ones");
  response.headers.emplace_back("Retry-After", "1");
  return response;
}

}  // namespace

Session::Session(net::ip::tcp::socket socket, Core& core)
    : core_(core), socket_(std::move(socket)), deadline_(core.io), delay_(core.io) {
  buffer_.max_size(core.limits.header_bytes + 4 * kReadBytes);
}

void Session::start() {
  beast::error_code ignored;
  socket_.set_option(net::ip::tcp::no_delay(true), ignored);
  core_.sessions.insert(this);
  await_request(core_.limits.header_timeout);
}

void Session::drain() {
  keep_alive_ = false;
  if (waiting_) close();
}

std::optional<SteadyClock::time_point> Session::unheard_since() const { return unheard_since_; }

void Session::close() {
  if (std::exchange(closed_, true)) return;
  if (body_stream_) body_stream_->close();
  disarm();
  delay_.cancel();
  beast::error_code ignored;
  socket_.shutdown(net::ip::tcp::socket::shutdown_both, ignored);
  socket_.close(ignored);
  core_.body_bytes -= std::exchange(body_held_, 0);
  core_.sessions.erase(this);
  MutexLock lock(core_.mutex);
  --core_.open_sessions;
  core_.fewer_sessions.notify_all();
}

void Session::arm(SteadyClock::time_point when) {
  timed_out_ = false;
  deadline_.expires_at(when);
  deadline_.async_wait([self = shared_from_this(), number = ++armed_](ErrorCode error) {
    if (error || self->closed_ || number != self->armed_) return;
    self->timed_out_ = true;
    ErrorCode ignored;
    self->socket_.cancel(ignored);
  });
}

void Session::arm_for(Duration timeout) { arm(SteadyClock::now() + timeout); }

void Session::disarm() {
  ++armed_;
  deadline_.cancel();
}

Session::ErrorCode Session::reason(ErrorCode error) const {
  return timed_out_ && error == net::error::operation_aborted ? ErrorCode(beast::error::timeout) : error;
}

void Session::await_request(Duration timeout) {
  parser_.emplace();
  parser_->header_limit(static_cast<uint32_t>(core_.limits.header_bytes));
  parser_->body_limit(core_.limits.body_bytes);
  waiting_ = buffer_.size() == 0;
  unheard_since_ = SteadyClock::now();
  if (!waiting_) return read_header();
  arm_for(timeout);
  socket_.async_read_some(buffer_.prepare(kReadBytes), [self = shared_from_this()](ErrorCode error, size_t size) {
    if (self->closed_) return;
    if (error) return self->close();
    self->buffer_.commit(size);
    self->waiting_ = false;
    self->read_header();
  });
}

void Session::read_header() {
  arm_for(core_.limits.header_timeout);
  wire::async_read_header(socket_, buffer_, *parser_, [self = shared_from_this()](ErrorCode error, size_t) {
    if (self->closed_) return;
    if (error) return self->read_failed(self->reason(error), !self->parser_->got_some());
    self->on_header();
  });
}

void Session::read_failed(ErrorCode error, bool nothing_read) {
  bool hung_up =
      error == wire::error::end_of_stream || error == wire::error::partial_message || (nothing_read && !is_timeout(error));
  if (is_timeout(error)) ++core_.timeouts;
  bool from_parser = error.category() == make_error_code(wire::error::end_of_stream).category();
  if (hung_up || !(from_parser || is_timeout(error))) return close();
  if (from_parser) ++core_.malformed;
  http_1_0_ = false;
  head_only_ = false;
  refuse_request(parse_failure(error));
}

void Session::on_header() {
  http_1_0_ = parser_->get().version() < 11;
  keep_alive_ = parser_->keep_alive() && !core_.draining;
  head_only_ = parser_->get().method() == wire::verb::head;
  if (auto refusal = check_header()) return refuse_request(std::move(*refusal));
  unheard_since_.reset();
  if (parser_->is_done()) return dispatch();
  if (!reserve_body(parser_->content_length().value_or(0))) return refuse_request(too_large_together());
  body_deadline_ = SteadyClock::now() + core_.limits.body_timeout;
  auto expect = parser_->get().find(wire::field::expect);
  bool asks = expect != parser_->get().end() && lower(view(expect->value())) == "100-continue" && buffer_.size() == 0;
  if (!asks) return read_body();
  write("HTTP/1.1 100 Continue\r\n\r\n", [this] { read_body(); });
}

/// Fills `request_` but for its body; the answer when the request is refused as
/// it stands.
std::optional<Response> Session::check_header() {
  const auto& message = parser_->get();
  request_ = {};
  request_.method = view(message.method_string());
  for (const auto& field : message) request_.headers.emplace_back(lower(view(field.name_string())), view(field.value()));

  // A proxy before us might understand any other coding, or two of these
  // headers, in another way: request smuggling (RFC 9112, 6.1).
  auto coding = message.find(wire::field::transfer_encoding);
  bool coded = coding != message.end();
  if (coded && (http_1_0_ || message.count(wire::field::transfer_encoding) != 1 || lower(view(coding->value())) != "chunked" ||
                message.count(wire::field::content_length) != 0)) {
    ++core_.malformed;
    return error_response(400, "invalid_argument", "Transfer-Encoding is not understood",
                          "send chunked alone, or Content-Length");
  }
  auto length = message.find(wire::field::content_length);
  bool one_number = length == message.end() || view(length->value()).find_first_not_of("0123456789") == std::string_view::npos;
  if (message.count(wire::field::content_length) > 1 || !one_number) {
    ++core_.malformed;
    return error_response(400, "invalid_argument", "Content-Length is not one number");
  }
  auto target = parse_target(view(message.target()));
  if (!target) {
    ++core_.malformed;
    return error_response(target.error());
  }
  request_.path = std::move(target->path);
  request_.segments = std::move(target->segments);
  request_.query = std::move(target->query);
  if (!target->authority.empty()) {
    for (auto& [name, value] : request_.headers)
      if (name == "host") value = target->authority;
  }
  if (auto refusal = refuse(core_.guard, request_)) {
    ++core_.refused;
    return refusal;
  }
  auto encoding = request_.header("content-encoding");
  if (encoding && lower(*encoding) != "identity") {
    ++core_.malformed;
    return error_response(415, "unsupported_media_type", "a body with a Content-Encoding is not taken", "send it as it is");
  }
  return std::nullopt;
}

void Session::read_body() {
  arm(std::min(body_deadline_, SteadyClock::now() + core_.limits.body_idle_timeout));
  wire::async_read_some(socket_, buffer_, *parser_, [self = shared_from_this()](ErrorCode error, size_t) {
    if (self->closed_) return;
    if (error) return self->read_failed(self->reason(error), false);
    if (!self->take_body_memory(self->parser_->get().body().size())) return self->refuse_request(too_large_together());
    if (self->parser_->is_done()) return self->dispatch();
    self->read_body();
  });
}

/// The parser would make room for the whole of an announced body at its first byte, where nobody catches that there is none.
bool Session::reserve_body(size_t size) {
  if (!take_body_memory(size)) return false;
  try {
    parser_->get().body().reserve(size);
  } catch (const std::bad_alloc&) {
    log_warn("http", fmt::format("no memory for a request of {} bytes", size));
    return false;
  }
  return true;
}

bool Session::take_body_memory(size_t size) {
  size_t grown = size - std::min(size, body_held_);
  if (core_.body_bytes + grown > core_.limits.body_bytes_total) return false;
  core_.body_bytes += grown;
  body_held_ += grown;
  return true;
}

void Session::dispatch() {
  disarm();
  request_.body = std::move(parser_->get().body());
  core_.bytes_in += request_.body.size();
  HandlerPool& pool = core_.guard.is_exempt(request_.path) ? core_.probes : core_.pool;
  bool queued = pool.submit([self = shared_from_this()] { self->run(self->request_); });
  if (queued) return;
  ++core_.queue_full;
  Response busy = error_response(503, "resource_exhausted", "too many requests are waiting", "try again in a second");
  busy.headers.emplace_back("Retry-After", "1");
  answer(std::move(busy));
}

void Session::run(const Request& request) {
  auto self = shared_from_this();
  Response response;
  try {
    response = core_.handler(request);
  } catch (const std::bad_alloc&) {
    log_warn("http", fmt::format("no memory for {} {}", request.method, request.path));
    response = error_response(503, "resource_exhausted", "there is no memory for this request", "send it in smaller pieces");
  } catch (const std::exception& thrown) {
    log_error("http", fmt::format("the handler of {} {} threw: {}", request.method, request.path, thrown.what()));
    response = error_response(500, "internal", "the server has a bug; its log says more");
  }
  if (!response.stream || head_only_) {
    net::post(core_.io, [self, made = std::move(response)]() mutable { self->answer(std::move(made)); });
    return;
  }
  auto stream =
      std::make_shared<StreamBuffer>(core_.limits.stream_buffer_bytes, core_.draining, [weak = weak_from_this(), &io = core_.io] {
        net::post(io, [weak] {
          if (auto session = weak.lock()) session->pump();
        });
      });
  StreamBody produce = std::move(response.stream);
  net::post(core_.io, [self, made = std::move(response), stream] { self->begin_stream(made, stream); });
  Status status = fail(Errc::kInternal, "the stream threw");
  try {
    status = produce(*stream);
  } catch (const std::exception& thrown) {
    log_error("http", fmt::format("the stream of {} {} threw: {}", request.method, request.path, thrown.what()));
  }
  if (!status && status.error().code != Errc::kCancelled)
    log_warn("http", fmt::format("{}: {}", request.path, status.error().message));
  stream->finish(status.has_value());
}

void Session::refuse_request(Response response) {
  keep_alive_ = false;
  input_is_left_ = true;
  answer(std::move(response));
}

void Session::answer(Response response) {
  if (closed_) return;
  if (response.delay > Duration(0)) {
    delay_.expires_after(std::exchange(response.delay, Duration(0)));
    delay_.async_wait([self = shared_from_this(), made = std::move(response)](ErrorCode error) mutable {
      if (!error) self->answer(std::move(made));
    });
    return;
  }
  std::string bytes = head_of(response, response.stream ? std::nullopt : std::optional<size_t>(response.body.size()));
  if (!head_only_ && !response.stream) {
    bytes += response.body;
    core_.bytes_out += response.body.size();
  }
  write(std::move(bytes), [this] { finish_answer(); });
}

std::string Session::head_of(const Response& response, std::optional<size_t> body_bytes) {
  ++core_.requests;
  ++core_.by_class[std::clamp(response.status / 100, 0, 5)];
  if (core_.draining) keep_alive_ = false;
  if (!body_bytes && http_1_0_) keep_alive_ = false;  // the end of the connection is the end of the body
  beast::string_view reason = wire::obsolete_reason(static_cast<wire::status>(response.status));
  std::string head = fmt::format("HTTP/1.1 {} {}\r\n", response.status, view(reason));
  if (!response.content_type.empty() && is_clean(response.content_type))
    head += fmt::format("Content-Type: {}\r\n", response.content_type);
  if (body_bytes) head += fmt::format("Content-Length: {}\r\n", *body_bytes);
  if (!body_bytes && !http_1_0_) head += "Transfer-Encoding: chunked\r\n";
  for (const auto& [name, value] : response.headers)
    if (is_clean(name) && is_clean(value)) head += fmt::format("{}: {}\r\n", name, value);
  head += "Cache-Control: no-store\r\nX-Content-Type-Options: nosniff\r\n";
  if (!keep_alive_ || http_1_0_) head += keep_alive_ ? "Connection: keep-alive\r\n" : "Connection: close\r\n";
  return head + "\r\n";
}

void Session::begin_stream(const Response& response, std::shared_ptr<StreamBuffer> stream) {
  if (closed_) return stream->close();
  body_stream_ = std::move(stream);
  watch_for_hangup();
  write(head_of(response, std::nullopt), [this] { pump(); });
}

/// Sends what the handler has written meanwhile.
void Session::pump() {
  if (closed_ || !body_stream_ || writing_) return;
  StreamBuffer::Piece piece = body_stream_->take();
  core_.bytes_out += piece.bytes.size();
  if (piece.finished && !piece.whole) return close();
  if (!piece.finished && piece.bytes.empty()) return;
  std::string bytes = http_1_0_ ? std::move(piece.bytes) : chunk(piece.bytes);
  if (!piece.finished) return write(std::move(bytes), [this] { pump(); });
  if (!http_1_0_) bytes += kLastChunk;
  body_stream_.reset();
  beast::error_code ignored;
  socket_.cancel(ignored);  // the watch for a hangup
  write(std::move(bytes), [this] { finish_answer(); });
}

/// A stream that has nothing to write would never learn that its client has
/// gone.
void Session::watch_for_hangup() {
  socket_.async_wait(net::ip::tcp::socket::wait_read, [self = shared_from_this()](ErrorCode error) {
    if (error || self->closed_ || !self->body_stream_) return;
    char byte;
    if (::recv(self->socket_.native_handle(), &byte, 1, MSG_PEEK | MSG_DONTWAIT) <= 0) self->close();
  });
}

void Session::write(std::string bytes, Then then) {
  out_ = std::move(bytes);
  out_sent_ = 0;
  writing_ = true;
  write_rest(std::move(then));
}

void Session::write_rest(Then then) {
  if (out_sent_ == out_.size()) {
    writing_ = false;
    return then();
  }
  arm_for(core_.limits.write_timeout);
  net::const_buffer piece(out_.data() + out_sent_, std::min(kWriteBytes, out_.size() - out_sent_));
  socket_.async_write_some(piece, [self = shared_from_this(), then = std::move(then)](ErrorCode error, size_t size) mutable {
    if (self->closed_) return;
    if (is_timeout(self->reason(error))) ++self->core_.timeouts;
    if (error) return self->close();
    self->out_sent_ += size;
    self->write_rest(std::move(then));
  });
}

void Session::finish_answer() {
  core_.body_bytes -= std::exchange(body_held_, 0);
  request_ = {};
  out_ = {};
  if (input_is_left_) return linger();
  if (!keep_alive_) return close();
  await_request(core_.limits.keep_alive_timeout);
}

/// Closing with unread input would reset the connection and lose the answer, so
/// what still comes is read for a moment and dropped.
void Session::linger() {
  beast::error_code ignored;
  socket_.shutdown(net::ip::tcp::socket::shutdown_send, ignored);
  if (input_is_left_) arm_for(kLinger);
  input_is_left_ = false;
  buffer_.clear();
  socket_.async_read_some(buffer_.prepare(kReadBytes), [self = shared_from_this()](ErrorCode error, size_t) {
    if (self->closed_) return;
    if (error) return self->close();
    self->linger();
  });
}

}  // namespace millrace::serve::http
