#include "net/http/client.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>

#include "base/bytes.h"
#include "serve/http/server.h"

namespace millrace::net::http {
namespace {

using namespace std::chrono_literals;
using serve::http::HttpServer;
using serve::http::Request;
using serve::http::Response;

std::unique_ptr<HttpServer> serve_with(serve::http::Handler handler) {
  auto server = HttpServer::start({}, std::move(handler));
  EXPECT_TRUE(server);
  return std::move(*server);
}

TEST(HttpClient, SendsAndReceives) {
  auto server = serve_with([](const Request& request) {
    Response response;
    response.status = 201;
    response.headers = {{"X-Answer", "42"}};
    response.body = request.method + request.path + std::string(request.header("x-a").value_or("")) + request.body;
    return response;
  });
  HttpClient client;
  for (std::string method : {"POST", "PUT", "DELETE"}) {
    auto answer = client.request({.method = method, .url = server->url() + "/p", .headers = {{"X-A", "a"}}, .body = "body"});
    ASSERT_TRUE(answer) << answer.error().message;
    EXPECT_EQ(answer->status, 201);
    EXPECT_EQ(answer->body, method + "/pabody");
    EXPECT_EQ(answer->header("x-answer"), "42");
  }
  EXPECT_EQ(client.get(server->url() + "/p")->body, "GET/p");
  EXPECT_EQ(server->counters().connections_accepted,
            1u);  // one connection for all
}

TEST(HttpClient, FollowsRedirectsUpToTheLimit) {
  auto server = serve_with([](const Request& request) {
    Response response;
    int left = std::stoi(request.segments.at(0));
    if (left == 0) return response.body = "there", response;
    response.status = 302;
    response.headers = {{"Location", "/" + std::to_string(left - 1)}};
    return response;
  });
  HttpClient client;
  EXPECT_EQ(client.get(server->url() + "/5")->body, "there");
  EXPECT_EQ(client.get(server->url() + "/6").error().code, Errc::kFailedPrecondition);
  EXPECT_EQ(client.request({.url = server->url() + "/1", .max_redirects = 0})->status, 302);
}

TEST(HttpClient, SpeaksHttpOnly) {
  auto server = serve_with([](const Request&) {
    Response response;
    response.status = 302;
    response.headers = {{"Location", "file:///etc/passwd"}};
    return response;
  });
  HttpClient client;
  EXPECT_EQ(client.get("file:///etc/passwd").error().code, Errc::kInvalidArgument);
  EXPECT_EQ(client.get("gopher://127.0.0.1/").error().code, Errc::kInvalidArgument);
  EXPECT_EQ(client.get(server->url()).error().code, Errc::kFailedPrecondition);
  EXPECT_EQ(client.get("").error().code, Errc::kInvalidArgument);
  EXPECT_EQ(client.request({.url = server->url(), .headers = {{"A", "b\r\nC: d"}}}).error().code, Errc::kInvalidArgument);
}

TEST(HttpClient, BoundsBodiesAlsoCompressedOnes) {
  auto server = serve_with([](const Request& request) {
    Response response;
    if (request.path == "/gzip") {
      // A gzip member of one stored block would not grow; a fixed-Huffman block
      // of length-258 matches does (RFC 1951, 3.2.6).
      response.headers = {{"Content-Encoding", "gzip"}};
      response.body = std::string("\x1f\x8b\x08\0\0\0\0\0\0\x03", 10);
      std::string bits =
          "110"
          "00110000";  // last block, fixed codes; the literal 0
      for (int i = 0; i < 8000; ++i)
        bits +=
            "11000101"
            "00000";  // length 258, distance 1
      bits += "0000000";
      while (bits.size() % 8 != 0) bits += '0';
      for (size_t i = 0; i < bits.size(); i += 8) {
        int byte = 0;
        for (size_t j = 0; j < 8; ++j) byte |= (bits[i + j] - '0') << j;
        response.body += static_cast<char>(byte);
      }
    } else {
      response.body = std::string(1 << 20, 'x');
    }
    return response;
  });
  HttpClient client;
  for (std::string path : {"/plain", "/gzip"}) {
    auto answer = client.request({.url = server->url() + path, .max_body_bytes = 100'000});
    ASSERT_FALSE(answer) << path;
    EXPECT_EQ(answer.error().code, Errc::kResourceExhausted) << answer.error().message;
  }
  EXPECT_EQ(client.get(server->url() + "/plain")->body.size(), size_t{1} << 20);
}

TEST(HttpClient, StreamsTheGoodBodyAndKeepsTheBad) {
  auto server = serve_with([](const Request& request) {
    if (request.path == "/bad") return serve::http::error_response(400, "invalid_argument", "no");
    Response response;
    response.stream = [](serve::http::BodyWriter& out) -> Status {
      for (int i = 0; i < 1000; ++i) TRY_DO(out.write("line\n"));
      return {};
    };
    return response;
  });
  HttpClient client;
  size_t bytes = 0;
  OnBody count = [&](std::string_view piece) -> Status { return bytes += piece.size(), Status(); };
  auto answer = client.stream({.url = server->url(), .max_body_bytes = 10}, count);
  ASSERT_TRUE(answer) << answer.error().message;
  EXPECT_EQ(bytes, 5000u);
  EXPECT_TRUE(answer->body.empty());
  EXPECT_NE(client.stream({.url = server->url() + "/bad"}, count)->body.find("invalid_argument"), std::string::npos);
  auto broken =
      client.stream({.url = server->url()}, [](std::string_view) -> Status { return fail(Errc::kIo, "stdout is closed"); });
  ASSERT_FALSE(broken);
  EXPECT_EQ(broken.error().code, Errc::kIo);
}

TEST(HttpClient, TimesOutAndIsCancelled) {
  auto server = serve_with([](const Request&) {
    Response response;
    response.delay = 1h;
    return response;
  });
  HttpClient client;
  EXPECT_EQ(client.request({.url = server->url(), .timeout = 20ms}).error().code, Errc::kDeadlineExceeded);
  std::stop_source stop;
  auto waiting =
      std::async(std::launch::async, [&] { return client.request({.url = server->url(), .timeout = 1h}, stop.get_token()); });
  stop.request_stop();
  EXPECT_EQ(waiting.get().error().code, Errc::kCancelled);
}

TEST(HttpClient, SaysNothingSecret) {
  uint16_t port = serve_with([](const Request&) { return Response(); })->port();  // closed again
  HttpClient client;
  auto answer = client.get("http://user:hunter2@127.0.0.1:" + std::to_string(port) + "/p?token=hunter2");
  ASSERT_FALSE(answer);
  EXPECT_EQ(answer.error().code, Errc::kUnavailable);
  EXPECT_EQ(answer.error().message.find("hunter2"), std::string::npos) << answer.error().message;
  EXPECT_NE(answer.error().message.find("GET http://127.0.0.1:"), std::string::npos) << answer.error().message;
}

TEST(RedactUrl, KeepsSchemeHostAndPath) {
  EXPECT_EQ(redact_url("https://u:p@h:1/a/b?q=1#f"), "https://h:1/a/b");
  EXPECT_EQ(redact_url("https://u:p@x@h/a@b"), "https://h/a@b");
  EXPECT_EQ(redact_url("https://h?k=s"), "https://h");
  EXPECT_EQ(redact_url(""), "");
}

}  // namespace
}  // namespace millrace::net::http
