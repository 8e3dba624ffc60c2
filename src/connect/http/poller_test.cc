#include "connect/http/poller.h"

#include <gtest/gtest.h>

#include <atomic>

#include "base/mutex.h"
#include "serve/http/server.h"

namespace millrace::connect::http {
namespace {

using namespace std::chrono_literals;
using net::http::Outcome;
using serve::http::HttpServer;
using serve::http::Request;
using serve::http::Response;

Response json(std::string body, int status = 200, serve::http::Pairs headers = {}) {
  return {.status = status, .headers = std::move(headers), .body = std::move(body)};
}

/// A server with a script of answers (the last one repeats), and a poller that
/// waits on paper only.
struct PollerTest : testing::Test {
  std::unique_ptr<HttpPoller> make(std::vector<Response> script, PollerOptions options = {}) {
    script_ = std::move(script);
    server_ = std::move(*HttpServer::start({}, [this](const Request& request) {
      MutexLock lock(mutex_);
      asked_.push_back(request);
      return script_[std::min(asked_.size(), script_.size()) - 1];
    }));
    options.url = server_->url() + "/api?secret=hunter2";
    auto made = HttpPoller::create(options, clock_, random_, [this](Duration delay, const std::stop_token& stop) {
      waits_.push_back(delay);
      return !stop.stop_requested();
    });
    EXPECT_TRUE(made) << made.error().message;
    return std::move(*made);
  }
  std::vector<Request> asked() {
    MutexLock lock(mutex_);
    return asked_;
  }

  env::FakeClock clock_{*parse_instant("2026-11-21T05:00:00Z")};
  env::SeededRandom random_{1};
  std::vector<Duration> waits_;
  std::vector<Response> script_;  // settled before the server starts
  Mutex mutex_;
  std::vector<Request> asked_ GUARDED_BY(mutex_);
  std::unique_ptr<HttpServer> server_;
};

TEST_F(PollerTest, MakesRecordsWithKeys) {
  auto poller = make({json(R"({"results":[{"id":"a\"1","n":1},{"id":2},{"n":3}]})")},
                     {.auth = {Auth::Kind::kBasic, "u:p"}, .interval = 3s, .records = "$.results[*]", .key = "$.id"});
  port::Feed::Polled result = poller->poll({});
  ASSERT_FALSE(result.error) << result.error->message;
  ASSERT_EQ(result.records.size(), 3u);
  EXPECT_EQ(result.records[0].key, "a\"1");
  EXPECT_EQ(result.records[0].value, R"({"id":"a\"1","n":1})");
  EXPECT_EQ(result.records[1].key, "2");
  EXPECT_EQ(result.records[2].key, std::nullopt);
  EXPECT_EQ(result.next_delay, 3s);
  EXPECT_EQ(asked()[0].header("authorization"), "Basic dTpw");
  EXPECT_EQ(poller->counters().records_without_key, 1u);
}

TEST_F(PollerTest, TriesAgainAndThenGoesOn) {
  auto poller = make({json("", 500), json("<html>busy</html>"), json("{\"a\":", 200), json("", 200), json("{}")});
  port::Feed::Polled result = poller->poll({});
  EXPECT_FALSE(result.error);
  EXPECT_EQ(poller->counters().requests, 5u);
  EXPECT_EQ(result.records.size(), 1u);
  EXPECT_EQ(waits_.size(), 4u);
  EXPECT_EQ(poller->counters().by_outcome[static_cast<size_t>(Outcome::kMalformed)], 3u);
  EXPECT_EQ(poller->counters().retries, 4u);
}

TEST_F(PollerTest, SaysWhatWentWrongAndNoSecret) {
  auto poller = make({json("{}", 500)}, {.retry = {.max_attempts = 3}});
  port::Feed::Polled result = poller->poll({});
  ASSERT_TRUE(result.error);
  EXPECT_EQ(result.error->code, Errc::kUnavailable);
  EXPECT_EQ(result.error->message, "GET " + server_->url() + "/api failed three times (last: answered 500: {})");
}

TEST_F(PollerTest, KeepsNoPosition) {
  auto poller = make({json("{}")});
  EXPECT_TRUE(poller->resume(""));
  EXPECT_EQ(poller->resume("7").error().code, Errc::kFailedPrecondition);
  EXPECT_EQ(poller->poll({}).position, "");
}

TEST_F(PollerTest, DoesNotRepeatWhatIsRejected) {
  auto poller = make({json("", 404)});
  port::Feed::Polled result = poller->poll({});
  EXPECT_EQ(poller->counters().requests, 1u);
  EXPECT_EQ(result.error->message, "GET " + server_->url() + "/api answered 404");
}

TEST_F(PollerTest, HonoursRetryAfter) {
  auto poller = make(
      {json("", 429, {{"Retry-After", "7"}}), json("", 503, {{"Retry-After", "Sat, 21 Nov 2026 05:00:09 GMT"}}), json("{}")});
  EXPECT_FALSE(poller->poll({}).error);
  EXPECT_EQ(waits_, (std::vector<Duration>{7s, 9s}));
  auto last = make({json("", 429, {{"Retry-After", "60"}})}, {.retry = {.max_attempts = 1}});
  EXPECT_EQ(last->poll({}).next_delay, 60s);
  auto absurd = make({json("", 429, {{"Retry-After", "99999999999999999999"}})});
  port::Feed::Polled refused = absurd->poll({});
  EXPECT_EQ(absurd->counters().requests, 1u);
  EXPECT_EQ(refused.next_delay, 5min);
  EXPECT_NE(refused.error->message.find("answered 429, asked again after 5m"), std::string::npos) << refused.error->message;
}

TEST_F(PollerTest, SaysWhatTheBodyIsInstead) {
  struct {
    std::string body;
    std::string_view said;
  } cases[] = {
      {" \n", "an empty body"},
      {"<html>", "HTML or XML"},
      {"\xff\xfe{\0}\0", "UTF-16"},
      {"{\"results\":[1]}\n{\"results\":[2]}\n", "one JSON value a line"},
      {"{\"results\":[1}", "what is not JSON"},
      {"{\"error\":\"later\"}", "JSON in which '$.results[*]' finds no list"},
      {"{\"results\":{\"id\":1}}", "finds no list"},
      {"[]", "finds no list"},
  };
  for (const auto& [body, said] : cases) {
    auto poller = make({json(body)}, {.records = "$.results[*]", .retry = {.max_attempts = 1}});
    port::Feed::Polled result = poller->poll({});
    ASSERT_TRUE(result.error) << body;
    EXPECT_NE(result.error->message.find(said), std::string::npos) << result.error->message;
    EXPECT_EQ(poller->counters().by_outcome[static_cast<size_t>(Outcome::kMalformed)], 1u);
  }
}

TEST_F(PollerTest, TakesWhatIsNearlyRight) {
  for (std::string_view body : {"\xef\xbb\xbf{\"results\":[]}", "{\"results\":null}", "null"}) {
    auto poller = make({json(std::string(body))}, {.records = "$.results[*]", .retry = {.max_attempts = 1}});
    EXPECT_FALSE(poller->poll({}).error) << body;
  }
}

TEST_F(PollerTest, TurnsPagesUntilOneIsEmpty) {
  auto poller = make({json("[1,2]"), json("[3]"), json("[]")}, {.records = "$[*]", .paging = {.parameter = "page"}});
  EXPECT_EQ(poller->poll({}).records.size(), 3u);
  std::vector<std::string> pages;
  for (const Request& request : asked()) pages.emplace_back(*request.parameter("page"));
  EXPECT_EQ(pages, (std::vector<std::string>{"1", "2", "3"}));
}

TEST_F(PollerTest, KeepsEarlierPagesWhenALaterOneFails) {
  auto poller =
      make({json("[1,2]"), json("", 404), json("[3]"), json("[]")}, {.records = "$[*]", .paging = {.parameter = "page"}});
  port::Feed::Polled first = poller->poll({});
  EXPECT_EQ(first.records.size(), 2u);
  EXPECT_TRUE(first.error);
  port::Feed::Polled second = poller->poll({});
  EXPECT_EQ(second.records.size(), 1u);
  EXPECT_EQ(asked()[2].parameter("page"), "2");
}

TEST_F(PollerTest, CutsARoundThatIsTooLarge) {
  auto poller = make({json("[1,2]")}, {.records = "$[*]", .paging = {.parameter = "page"}, .round_bytes_max = 10});
  port::Feed::Polled result = poller->poll({});
  EXPECT_EQ(result.records.size(), 4u);
  EXPECT_EQ(result.next_delay, 0s);
  poller->poll({});
  EXPECT_EQ(asked()[2].parameter("page"), "3");
}

TEST_F(PollerTest, StopsWhileWaiting) {
  auto poller = make({json("", 500)});
  std::stop_source stop;
  stop.request_stop();
  EXPECT_EQ(poller->poll(stop.get_token()).error->code, Errc::kCancelled);
}

TEST(HttpPoller, ChecksItsOptions) {
  env::FakeClock clock{Instant()};
  env::SeededRandom random{1};
  for (const PollerOptions& bad :
       {PollerOptions{.url = "ftp://h"}, PollerOptions{.url = "http://h", .headers = {{"a", "b\n"}}},
        PollerOptions{.url = "http://h", .auth = {Auth::Kind::kBearer, "x\n"}},
        PollerOptions{.url = "http://h", .records = "$.a["}, PollerOptions{.url = "http://h", .key = "x y"}})
    EXPECT_EQ(HttpPoller::create(bad, clock, random).error().code, Errc::kInvalidArgument);
}

TEST(HttpPoller, RealWaitEndsWithStop) {
  std::stop_source stop;
  stop.request_stop();
  EXPECT_FALSE(HttpPoller::real_wait()(1h, stop.get_token()));
  EXPECT_TRUE(HttpPoller::real_wait()(1us, {}));
}

}  // namespace
}  // namespace millrace::connect::http
