#include "serve/http/server.h"

#include <gtest/gtest.h>

#include <atomic>
#include <future>
#include <thread>

#include "serve/http/raw_client_test.h"

namespace millrace::serve::http {
namespace {

using namespace std::chrono_literals;

/// Says what it was asked.
Response echo(const Request& request) {
  Response response;
  response.content_type = "text/plain";
  response.body = request.method + " ";
  for (const std::string& segment : request.segments) response.body += "[" + segment + "]";
  for (const auto& [name, value] : request.query) response.body += " " + name + "=" + value;
  response.body += " <" + request.body + ">";
  return response;
}

std::unique_ptr<HttpServer> start(Handler handler = echo, HttpServer::Options options = {}) {
  auto server = HttpServer::start(std::move(options), std::move(handler));
  EXPECT_TRUE(server) << server.error().message;
  return std::move(*server);
}

/// One request on a connection of its own; the server closes it for
/// `Connection: close` or by itself.
std::string ask(const HttpServer& server, std::string_view bytes) {
  RawClient client(server.port());
  client.send(bytes);
  return client.read_all();
}

std::string get(std::string_view target, std::string_view more = {}) {
  return fmt::format("GET {} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n{}\r\n", target, more);
}

std::string status_of(const std::string& answer) { return answer.size() < 12 ? "closed" : answer.substr(9, 3); }

TEST(HttpServer, DecodesSegmentsAfterSplitting) {
  auto server = start();
  std::string answer = ask(*server, get("/v1/a%2Fb/%C3%A9?x=1+2&y=%26"));
  EXPECT_EQ(status_of(answer), "200");
  EXPECT_TRUE(answer.ends_with("GET [v1][a/b][é] x=1 2 y=& <>")) << answer;
}

TEST(HttpServer, ReadsSizedAndChunkedBodies) {
  auto server = start();
  std::string head = "POST / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n";
  EXPECT_TRUE(ask(*server, head + "Content-Length: 5\r\n\r\nhello").ends_with("<hello>"));
  EXPECT_TRUE(ask(*server, head + "Transfer-Encoding: "
                                  "chunked\r\n\r\n3\r\nhel\r\n2\r\nlo\r\n0\r\n\r\n")
                  .ends_with("<hello>"));
  RawClient client(server->port());
  client.send(head + "Expect: 100-continue\r\nContent-Length: 5\r\n\r\n");
  EXPECT_EQ(client.read_until("\r\n\r\n"), "HTTP/1.1 100 Continue\r\n\r\n");
  client.send("hello");
  EXPECT_TRUE(client.read_all().ends_with("<hello>"));
}

TEST(HttpServer, AnswersPipelinedRequestsInOrder) {
  auto server = start();
  std::string answers = ask(*server,
                            "GET /1 HTTP/1.1\r\nHost: localhost\r\n\r\nGET /2 "
                            "HTTP/1.1\r\nHost: localhost\r\n\r\n" +
                                get("/3"));
  size_t one = answers.find("[1]"), two = answers.find("[2]"), three = answers.find("[3]");
  ASSERT_NE(three, std::string::npos);
  EXPECT_LT(one, two);
  EXPECT_LT(two, three);
}

TEST(HttpServer, HeadHasNoBody) {
  auto server = start();
  std::string answer = ask(*server, "HEAD /x HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n");
  EXPECT_NE(answer.find("Content-Length: 11\r\n"), std::string::npos) << answer;
  EXPECT_TRUE(answer.ends_with("\r\n\r\n"));
}

TEST(HttpServer, RefusesBadRequests) {
  HttpServer::Options options;
  options.limits.header_bytes = 1024;
  options.limits.body_bytes = 100;
  auto server = start(echo, options);
  const std::string post = "POST / HTTP/1.1\r\nHost: localhost\r\n";
  const std::pair<std::string, std::string> cases[] = {
      {"rubbish\r\n\r\n", "400"},
      {get("/../etc/passwd"), "400"},
      {get("/a/%2e%2E/b"), "400"},
      {get("/%zz"), "400"},
      {get("/%00"), "400"},
      {get("nopath"), "400"},
      {"GET / HTTP/1.1\r\nConnection: close\r\n\r\n", "400"},
      {"GET / HTTP/1.1\r\nHost: localhost\r\nHost: localhost\r\n\r\n", "400"},
      {"GET / HTTP/1.1\r\nHost: evil.example\r\n\r\n", "421"},
      {"GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\n\r\n", "421"},
      {"GET / HTTP/1.1\r\nHost: localhost:99999x\r\n\r\n", "400"},
      {get("/", "Origin: http://evil.example\r\n"), "403"},
      {get("/", "Origin: null\r\n"), "403"},
      {get("/", "X: " + std::string(2000, 'x') + "\r\n"), "431"},
      {post + "Content-Length: 101\r\n\r\n", "413"},
      {post + "Transfer-Encoding: chunked\r\n\r\nff\r\n" + std::string(255, 'x') + "\r\n0\r\n\r\n", "413"},
      {post + "Content-Length: 5\r\nContent-Length: 6\r\n\r\nhello!", "400"},
      {post + "Content-Length: 5\r\nContent-Length: 5\r\n\r\nhello", "400"},
      {post + "Content-Length: 5, 5\r\n\r\nhello", "400"},
      {post + "Content-Encoding: gzip\r\nContent-Length: 5\r\n\r\nhello", "415"},
      {"POST /livez HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1\r\n\r\n", "400"},
      {post + "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n", "400"},
      {post + "Transfer-Encoding: chunked\r\nContent-Length: 5\r\n\r\n0\r\n\r\n", "400"},
      {post + "Transfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n", "400"},
      {post + "Transfer-Encoding: xchunked\r\n\r\n0\r\n\r\n", "400"},
      {post + "Content-Length: -1\r\n\r\n", "400"},
      {post + "Content-Length: 99999999999999999999\r\n\r\n", "400"},
      {post + "Transfer-Encoding: chunked\r\n\r\nzz\r\n", "400"},
      {post + "Transfer-Encoding: chunked\r\n\r\n3\r\nabcdef\r\n", "400"},
  };
  for (const auto& [request, status] : cases) {
    std::string answer = ask(*server, request);
    EXPECT_EQ(status_of(answer), status) << request.substr(0, 120) << "\n" << answer;
    EXPECT_NE(answer.find("{\"code\":\""), std::string::npos) << request.substr(0, 120);
  }
  EXPECT_EQ(status_of(ask(*server, get("/", "Origin: http://localhost\r\n"))), "200");
}

TEST(HttpServer, WantsTheToken) {
  HttpServer::Options options;
  options.guard.bearer_token = "s3cret";
  auto server = start(echo, options);
  EXPECT_EQ(status_of(ask(*server, get("/"))), "401");
  EXPECT_EQ(status_of(ask(*server, get("/", "Authorization: Bearer s3creT\r\n"))), "401");
  EXPECT_EQ(status_of(ask(*server, get("/", "Authorization: Bearer s3cret\r\n"))), "200");
  EXPECT_EQ(status_of(ask(*server, get("/", "Authorization: Bearer s3cret\r\nAuthorization: Bearer x\r\n"))), "401");
  EXPECT_EQ(status_of(ask(*server, get("/livez"))), "200");
  EXPECT_EQ(status_of(ask(*server, get("/livez/x"))), "401");
  EXPECT_EQ(server->counters().refused, 4u);
}

TEST(HttpServer, EndsSlowClients) {
  HttpServer::Options options;
  options.limits.header_timeout = 50ms;
  options.limits.body_idle_timeout = 50ms;
  options.limits.keep_alive_timeout = 50ms;
  auto server = start(echo, options);
  EXPECT_EQ(ask(*server, ""), "");
  EXPECT_EQ(status_of(ask(*server, "GET / HTTP/1.1\r\nHost: loc")), "408");
  EXPECT_EQ(status_of(ask(*server,
                          "POST / HTTP/1.1\r\nHost: "
                          "localhost\r\nContent-Length: 9\r\n\r\nabc")),
            "408");
  EXPECT_EQ(status_of(ask(*server, "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")),
            "200");  // then idle: closed
  EXPECT_GE(server->counters().timeouts, 2u);
}

TEST(HttpServer, BoundsConnectionsAndQueue) {
  std::promise<void> release;
  auto released = release.get_future().share();
  std::promise<void> entered;
  HttpServer::Options options;
  options.limits.connections = 3;
  options.limits.handler_threads = 1;
  options.limits.queued_requests = 1;
  std::atomic<int> calls{0};
  auto server = start(
      [&](const Request& request) {
        if (calls++ == 0) entered.set_value();
        released.wait();
        return echo(request);
      },
      options);
  RawClient running(server->port()), queued(server->port());
  running.send(get("/1"));
  entered.get_future().wait();
  queued.send(get("/2"));
  // The queue has one place: of this and the one before, the later to be read
  // is refused.
  RawClient refused(server->port());
  refused.send(get("/3"));
  while (server->counters().queue_full == 0) std::this_thread::yield();
  release.set_value();
  std::string second = queued.read_all(), third = refused.read_all();
  EXPECT_EQ(status_of(running.read_all()), "200");
  EXPECT_TRUE((status_of(second) == "503") != (status_of(third) == "503"));
  EXPECT_NE((second + third).find("Retry-After: 1"), std::string::npos);
}

TEST(HttpServer, ASilentConnectionMakesRoom) {
  std::promise<void> release;
  auto released = release.get_future().share();
  std::atomic<int> inside{0};
  HttpServer::Options options;
  options.limits.connections = 3;
  auto server = start(
      [&](const Request& request) {
        ++inside;
        released.wait();
        return echo(request);
      },
      options);
  RawClient first(server->port()), second(server->port()), third(server->port());
  first.send("GET / HTTP/1.1\r\nHost: loc");
  second.send("GET /livez HTTP/1.1\r\nContent-Len");
  while (server->counters().connections_open != 3) std::this_thread::yield();
  RawClient working(server->port());
  working.send(get("/1"));
  EXPECT_EQ(first.read_all(), "");  // the oldest went
  second.send("gth: 0\r\nHost: localhost\r\n\r\n");
  third.send(get("/3"));
  while (inside != 3) std::this_thread::yield();
  EXPECT_EQ(status_of(RawClient(server->port()).read_all()), "503");  // all are at work
  EXPECT_EQ(server->counters().connections_refused, 1u);
  EXPECT_EQ(server->counters().connections_evicted, 1u);
  release.set_value();
  EXPECT_EQ(status_of(working.read_all()), "200");
  EXPECT_EQ(status_of(third.read_all()), "200");
}

TEST(HttpServer, AnswersLivezWhileEveryHandlerWorks) {
  std::promise<void> release;
  auto released = release.get_future().share();
  std::atomic<int> inside{0};
  HttpServer::Options options;
  options.limits.handler_threads = 2;
  options.limits.queued_requests = 2;
  auto server = start(
      [&](const Request& request) {
        if (request.path != "/livez") {
          ++inside;
          released.wait();
        }
        return echo(request);
      },
      options);
  RawClient a(server->port()), b(server->port());
  a.send(get("/1"));
  b.send(get("/2"));
  while (inside != 2) std::this_thread::yield();
  EXPECT_EQ(status_of(ask(*server, get("/livez"))), "200");
  release.set_value();
  EXPECT_EQ(status_of(a.read_all()), "200");
  EXPECT_EQ(status_of(b.read_all()), "200");
}

TEST(HttpServer, StreamsInBoundedPieces) {
  HttpServer::Options options;
  options.limits.stream_buffer_bytes = 1000;
  auto server = start(
      [](const Request&) {
        Response response;
        response.stream = [](BodyWriter& out) -> Status {
          for (int i = 0; i < 100; ++i) TRY_DO(out.write(std::string(997, 'x')));
          return {};
        };
        return response;
      },
      options);
  std::string answer = ask(*server, get("/"));
  EXPECT_NE(answer.find("Transfer-Encoding: chunked"), std::string::npos);
  EXPECT_EQ(std::count(answer.begin() + static_cast<long>(answer.find("\r\n\r\n")), answer.end(), 'x'), 99700);
  EXPECT_TRUE(answer.ends_with("\r\n0\r\n\r\n"));
  std::string old = ask(*server, "GET / HTTP/1.0\r\nHost: localhost\r\n\r\n");
  EXPECT_TRUE(old.ends_with("xxx"));
  EXPECT_EQ(old.size() - old.find("\r\n\r\n") - 4, 99700u);
}

TEST(HttpServer, CutsAStreamThatFails) {
  auto server = start([](const Request&) {
    Response response;
    response.stream = [](BodyWriter& out) -> Status {
      TRY_DO(out.write("half"));
      return fail(Errc::kInternal, "no more");
    };
    return response;
  });
  EXPECT_EQ(ask(*server, get("/")).find("0\r\n\r\n"), std::string::npos);
}

TEST(HttpServer, TellsAStreamThatItsClientHasGone) {
  std::promise<bool> saw;
  auto server = start([&](const Request&) {
    Response response;
    response.stream = [&](BodyWriter& out) -> Status {
      TRY_DO(out.write("first"));
      while (!out.closed()) std::this_thread::yield();
      saw.set_value(out.write("x").has_value());
      return {};
    };
    return response;
  });
  {
    RawClient client(server->port());
    client.send(get("/"));
    client.read_until("first");
  }
  EXPECT_FALSE(saw.get_future().get());
}

TEST(HttpServer, HandlerThatThrowsIs500AndTheServerGoesOn) {
  auto server = start([](const Request& request) -> Response {
    if (request.path == "/bad") throw std::runtime_error("oops");
    return echo(request);
  });
  EXPECT_EQ(status_of(ask(*server, get("/bad"))), "500");
  EXPECT_EQ(status_of(ask(*server, get("/good"))), "200");
}

TEST(HttpServer, DropsHeadersThatWouldSplitTheAnswer) {
  auto server = start([](const Request&) {
    Response response;
    response.headers = {{"X-Good", "1"}, {"X-Bad", "1\r\nSet-Cookie: a=b"}};
    return response;
  });
  std::string answer = ask(*server, get("/"));
  EXPECT_NE(answer.find("X-Good: 1"), std::string::npos);
  EXPECT_EQ(answer.find("Set-Cookie"), std::string::npos);
}

TEST(HttpServer, StopsUnderLoad) {
  auto server = start([](const Request& request) {
    Response response = echo(request);
    if (request.path == "/tail") {
      response.stream = [](BodyWriter& out) -> Status {
        while (!out.stopping()) TRY_DO(out.write("tick\n"));
        return {};
      };
    }
    return response;
  });
  std::atomic<bool> done{false};
  std::atomic<int> answers{0};
  std::vector<std::thread> clients;
  for (int i = 0; i < 4; ++i)
    clients.emplace_back([&, i] {
      while (!done) {
        RawClient client(server->port());
        if (!client.connected() || !client.send(get(i == 0 ? "/tail" : "/x"))) continue;
        if (!client.read_until("\r\n\r\n").empty()) ++answers;
        if (i == 0) client.read_all();
      }
    });
  while (answers < 50) std::this_thread::yield();
  server->stop();
  done = true;
  for (std::thread& client : clients) client.join();
  EXPECT_EQ(server->counters().connections_open, 0u);
  server->stop();
}

TEST(HttpServer, StopLetsARunningRequestEnd) {
  std::promise<void> entered, release;
  auto server = start([&](const Request& request) {
    entered.set_value();
    release.get_future().wait();
    return echo(request);
  });
  RawClient client(server->port());
  client.send("GET /x HTTP/1.1\r\nHost: localhost\r\n\r\n");
  entered.get_future().wait();
  std::thread stopper([&] { server->stop(60s); });
  release.set_value();
  EXPECT_EQ(status_of(client.read_all()), "200");
  stopper.join();
}

TEST(HttpServer, SaysWhenThePortIsTaken) {
  auto server = start();
  HttpServer::Options options;
  options.port = server->port();
  auto second = HttpServer::start(options, echo);
  ASSERT_FALSE(second);
  EXPECT_EQ(second.error().code, Errc::kUnavailable);
  options.address = "not-an-address";
  EXPECT_EQ(HttpServer::start(options, echo).error().code, Errc::kInvalidArgument);
}

TEST(HttpServer, CountsItsWork) {
  auto server = start();
  ask(*server, get("/"));
  std::string text = metrics_text(server->metrics());
  EXPECT_NE(text.find("# TYPE millrace_http_requests_total counter"), std::string::npos) << text;
  EXPECT_NE(text.find("millrace_http_requests_total{class=\"2xx\"} 1"), std::string::npos) << text;
}

}  // namespace
}  // namespace millrace::serve::http
