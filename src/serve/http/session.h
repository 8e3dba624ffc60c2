#pragma once

#include <boost/asio/ip/tcp.hpp>
#include <boost/asio/steady_timer.hpp>
#include <boost/beast/core/error.hpp>
#include <boost/beast/core/flat_buffer.hpp>
#include <boost/beast/http/parser.hpp>
#include <boost/beast/http/string_body.hpp>
#include <functional>
#include <memory>
#include <optional>
#include <string>

#include "serve/http/core.h"
#include "serve/http/stream.h"

namespace millrace::serve::http {

/// One connection: reads a request, has it handled, writes the answer, and
/// begins again. Threading: everything on the socket thread but `run`, which is
/// a handler thread's.
class Session : public std::enable_shared_from_this<Session> {
 public:
  Session(boost::asio::ip::tcp::socket socket, Core& core);

  void start();
  /// Ends the connection now if it waits for a request, else after the answer.
  void drain();
  void close();
  /// Since when the server waits for a request that the guard lets pass;
  /// nullopt while one is being read or answered.
  std::optional<boost::asio::steady_timer::time_point> unheard_since() const;

 private:
  using ErrorCode = boost::beast::error_code;
  using Then = std::function<void()>;

  void arm(boost::asio::steady_timer::time_point when);
  void arm_for(Duration timeout);
  void disarm();
  /// A cancelled read or write whose deadline passed is a timeout.
  ErrorCode reason(ErrorCode error) const;

  void await_request(Duration timeout);
  void read_header();
  void on_header();
  std::optional<Response> check_header();
  void read_body();
  bool reserve_body(size_t size);
  bool take_body_memory(size_t size);
  void read_failed(ErrorCode error, bool nothing_read);
  void dispatch();
  void run(const Request& request);
  void answer(Response response);
  void refuse_request(Response response);

  std::string head_of(const Response& response, std::optional<size_t> body_bytes);
  void begin_stream(const Response& response, std::shared_ptr<StreamBuffer> stream);
  void pump();
  void watch_for_hangup();
  void write(std::string bytes, Then then);
  void write_rest(Then then);
  void finish_answer();
  void linger();

  Core& core_;
  boost::asio::ip::tcp::socket socket_;
  boost::asio::steady_timer deadline_;  // of the read or write that runs; cancels it, so that a
                                        // timeout can still be answered
  uint64_t armed_ = 0;
  bool timed_out_ = false;
  boost::asio::steady_timer delay_;
  boost::beast::flat_buffer buffer_;
  std::optional<boost::beast::http::request_parser<boost::beast::http::string_body>> parser_;
  Request request_;

  bool waiting_ = true;  // for a request's first byte
  std::optional<boost::asio::steady_timer::time_point> unheard_since_;
  bool keep_alive_ = true;
  bool input_is_left_ = false;  // refused before the request was read: linger,
                                // or the answer is lost to a reset
  bool head_only_ = false;
  bool http_1_0_ = false;
  bool closed_ = false;
  size_t body_held_ = 0;
  boost::asio::steady_timer::time_point body_deadline_;

  std::shared_ptr<StreamBuffer> body_stream_;
  bool writing_ = false;
  std::string out_;
  size_t out_sent_ = 0;
};

}  // namespace millrace::serve::http
