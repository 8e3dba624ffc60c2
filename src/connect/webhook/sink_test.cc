#include "connect/webhook/sink.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <future>
#include <set>

#include "base/mutex.h"
#include "connect/webhook/store.h"
#include "format/json_path.h"
#include "model/column_builder.h"
#include "serve/http/server.h"

namespace millrace::connect::webhook {
namespace {

using namespace std::chrono_literals;
using serve::http::HttpServer;
using serve::http::Request;
using serve::http::Response;
using Texts = std::vector<std::string>;

/// A receiver with a script of answers (the last one repeats), and a sink that waits on paper only.
struct WebhookSinkTest : testing::Test {
  void SetUp() override {
    path_ = std::filesystem::temp_directory_path() / ("millrace_webhook_test_" + format_uuid(env::make_uuid(env::real_random())));
    std::filesystem::create_directories(path_);
    store_ = std::move(*store::Store::open({.path = path_.string()}));
    server_ = std::move(*HttpServer::start({}, [this](const Request& request) {
      MutexLock lock(mutex_);
      asked_.push_back(request);
      return script_[std::min(asked_.size(), script_.size()) - 1];
    }));
    spec_ = {.url = server_->url() + "/hook?token=hunter2", .pipeline = "users", .query = "q"};
    open();
  }
  void TearDown() override {
    sink_.reset();
    store_.reset();
    std::filesystem::remove_all(path_);
  }
  void open() {
    sink_ = std::move(*WebhookSink::open(spec_, *store_, {env::real_file_system(), clock_, random_},
                                         [this](Duration delay, const std::stop_token& stop) {
                                           waits_.push_back(delay);
                                           clock_.advance(delay);
                                           return !stop.stop_requested();
                                         }));
  }
  void answer(std::vector<Response> script) {
    MutexLock lock(mutex_);
    asked_.clear();
    script_ = std::move(script);
  }
  std::vector<Request> asked() {
    MutexLock lock(mutex_);
    return asked_;
  }
  /// Rows {"n": offset} of the offsets [from, to).
  Result<port::SinkReport> stage(int64_t from, int64_t to, int32_t partition = 0) {
    model::BatchBuilder rows(schema_);
    std::vector<port::RowOrigin> origins;
    for (int64_t i = from; i < to; ++i) {
      rows.column(0).append(i);
      origins.push_back({.partition = partition, .offset = i});
    }
    return sink_->stage(std::move(rows).finish(), origins, false);
  }
  Status commit(int64_t end, int32_t partition = 0) {
    store::Batch batch;
    return sink_->commit({.ends = {{model::Partition(partition), model::Offset(end)}}}, batch);
  }
  Texts keys() {
    Texts out;
    for (const Request& request : asked()) out.emplace_back(request.header("idempotency-key").value_or(""));
    return out;
  }
  Texts bodies() {
    Texts out;
    for (const Request& request : asked()) out.push_back(request.body);
    return out;
  }

  std::filesystem::path path_;
  std::unique_ptr<store::Store> store_;
  env::FakeClock clock_{*parse_instant("2026-11-21T05:00:00Z")};
  env::SeededRandom random_{1};
  std::shared_ptr<const model::Schema> schema_ =
      std::make_shared<const model::Schema>(model::Schema{{{"n", {.id = model::TypeId::kBigint}}}});
  Mutex mutex_;
  std::vector<Request> asked_ GUARDED_BY(mutex_);
  std::vector<Response> script_ GUARDED_BY(mutex_){Response{.status = 200, .body = "thanks"}};
  std::unique_ptr<HttpServer> server_;
  WebhookSpec spec_;
  std::vector<Duration> waits_;
  std::unique_ptr<WebhookSink> sink_;
};

TEST_F(WebhookSinkTest, SendsFullRequestsAtOnceAndTheRestAtTheCommit) {
  spec_.rows_max = 2;
  spec_.headers = {{"X-Team", "data"}};
  open();
  ASSERT_TRUE(stage(10, 13));
  EXPECT_EQ(bodies(), Texts{R"([{"n":10},{"n":11}])"});
  ASSERT_TRUE(stage(7, 8, 3));
  ASSERT_TRUE(commit(13));
  EXPECT_EQ(bodies(), (Texts{R"([{"n":10},{"n":11}])", R"([{"n":12}])", R"([{"n":7}])"}));
  EXPECT_EQ(asked()[0].method, "POST");
  EXPECT_EQ(asked()[0].header("content-type"), "application/json");
  EXPECT_EQ(asked()[0].header("x-team"), "data");
  EXPECT_TRUE(keys()[0].starts_with("users/q/0/10.0-11.0/")) << keys()[0];
  EXPECT_TRUE(keys()[2].starts_with("users/q/3/7.0-7.0/")) << keys()[2];
  EXPECT_EQ(sink_->traits().kind, port::SinkKind::kAtLeastOnce);
}

TEST_F(WebhookSinkTest, SendsLines) {
  spec_.lines = true;
  spec_.method = "PUT";
  spec_.bytes_max = 17;
  open();
  ASSERT_TRUE(stage(1, 4));
  ASSERT_TRUE(commit(4));
  EXPECT_EQ(bodies(), (Texts{"{\"n\":1}\n{\"n\":2}\n", "{\"n\":3}\n"}));
  EXPECT_EQ(asked()[0].method, "PUT");
  EXPECT_EQ(asked()[0].header("content-type"), "application/x-ndjson");
}

/// Deliveries of [0, 5) and, after crashes, of longer epochs that begin there: what was sent once comes again under its key only.
TEST_F(WebhookSinkTest, AnEpochThatIsTriedAgainSendsTheSameRequests) {
  spec_.rows_max = 3;
  for (int64_t end : {5, 9, 12}) {
    open();
    ASSERT_TRUE(stage(0, 2));
    ASSERT_TRUE(stage(2, end));
    ASSERT_TRUE(commit(end));
  }
  sink_->abandon();
  ASSERT_TRUE(stage(0, 12));
  ASSERT_TRUE(commit(12));
  std::map<std::string, std::string> requests;
  std::map<std::string, std::set<std::string>> keys_of;  // by row
  for (const Request& request : asked()) {
    std::string key(*request.header("idempotency-key"));
    EXPECT_EQ(requests.emplace(key, request.body).first->second, request.body);
    ASSERT_TRUE(format::select(request.body, *format::JsonPath::parse("$[*]"), [&](std::string_view row) {
      keys_of[std::string(row)].insert(key);
      return Status();
    }));
  }
  EXPECT_EQ(keys_of.size(), 12u);
  for (const auto& [row, keys] : keys_of) EXPECT_EQ(keys.size(), 1u) << row;
}

TEST_F(WebhookSinkTest, ACommittedEpochsEndCutsNothingLater) {
  ASSERT_TRUE(stage(0, 5));
  ASSERT_TRUE(commit(5));
  sink_->committed();
  ASSERT_TRUE(stage(5, 7));
  ASSERT_TRUE(commit(7));
  sink_->committed();
  // As `query reset` does.
  answer({Response{}});
  ASSERT_TRUE(stage(0, 9));
  ASSERT_TRUE(commit(9));
  EXPECT_EQ(bodies().size(), 2u);
}

TEST_F(WebhookSinkTest, TriesAgainAndWaitsAsAsked) {
  Response busy{.status = 503};
  Response limited{.status = 429, .headers = {{"Retry-After", "7"}}};
  answer({busy, limited, Response{}});
  ASSERT_TRUE(stage(0, 1));
  ASSERT_TRUE(commit(1));
  EXPECT_EQ(asked().size(), 3u);
  ASSERT_EQ(waits_.size(), 2u);
  EXPECT_EQ(waits_[1], 7s);
  EXPECT_EQ(keys(), Texts(3, keys()[0]));
}

TEST_F(WebhookSinkTest, GivesUpForNowAndKeepsALongRetryAfter) {
  answer({Response{.status = 503, .headers = {{"Retry-After", "60"}}, .body = "later"}});
  ASSERT_TRUE(stage(0, 1));
  Status failed = commit(1);
  EXPECT_EQ(failed.error().code, Errc::kUnavailable);
  EXPECT_EQ(failed.error().message, "POST " + server_->url() + "/hook answered 503: later (attempt 1)");
  sink_->abandon();
  answer({Response{}});
  ASSERT_TRUE(stage(0, 1));
  EXPECT_EQ(commit(1).error().code, Errc::kUnavailable);
  EXPECT_TRUE(asked().empty());
  clock_.advance(60s);
  sink_->abandon();
  ASSERT_TRUE(stage(0, 1));
  EXPECT_TRUE(commit(1));
}

TEST_F(WebhookSinkTest, EndsItsOwnTriesInTime) {
  answer({Response{.status = 500}});
  ASSERT_TRUE(stage(0, 1));
  EXPECT_EQ(commit(1).error().code, Errc::kUnavailable);
  EXPECT_EQ(asked().size(), 6u);
  server_.reset();
  sink_->abandon();
  ASSERT_TRUE(stage(0, 1));
  EXPECT_EQ(commit(1).error().code, Errc::kUnavailable);
}

TEST_F(WebhookSinkTest, WhatIsRefusedFailsTheEpoch) {
  answer({Response{.status = 422, .body = "no such team\n" + std::string(500, 'x')}});
  ASSERT_TRUE(stage(0, 2));
  Status failed = commit(2);
  EXPECT_EQ(failed.error().code, Errc::kFailedPrecondition);
  EXPECT_EQ(failed.error().message,
            "POST " + server_->url() + "/hook answered 422: no such team\\n" + std::string(200 - 13, 'x'));
  EXPECT_NE(failed.error().hint.find("rows_max: 1"), std::string::npos);
  answer({Response{.status = 302, .headers = {{"Location", "/elsewhere"}}}});
  sink_->abandon();
  ASSERT_TRUE(stage(0, 1));
  EXPECT_EQ(commit(1).error().code, Errc::kFailedPrecondition);
  EXPECT_EQ(asked().size(), 1u);
}

TEST_F(WebhookSinkTest, RowByRowARefusedOneIsAFault) {
  spec_.rows_max = 1;
  open();
  answer({Response{}, Response{.status = 422, .body = "no"}, Response{}});
  auto report = stage(0, 3);
  ASSERT_TRUE(report) << report.error().message;
  ASSERT_EQ(report->faults.size(), 1u);
  EXPECT_EQ(report->faults[0].row, 1u);
  EXPECT_EQ(report->faults[0].code, "http_422");
  EXPECT_EQ(asked().size(), 3u);
  answer({Response{.status = 404}});
  EXPECT_EQ(stage(3, 4).error().code, Errc::kFailedPrecondition);
}

TEST_F(WebhookSinkTest, InterruptEndsARequest) {
  answer({Response{.delay = 1h}});
  ASSERT_TRUE(stage(0, 1));
  auto waiting = std::async(std::launch::async, [&] { return commit(1); });
  sink_->interrupt();
  EXPECT_EQ(waiting.get().error().code, Errc::kCancelled);
  sink_->abandon();
  ASSERT_TRUE(stage(0, 1));
  EXPECT_EQ(commit(1).error().code, Errc::kCancelled);
}

TEST_F(WebhookSinkTest, AStoreMakesItOfOptions) {
  auto store = WebhookStore::open({.url = server_->url() + "/to/{name}",
                                   .options = {{"auth.basic.user", "u"}, {"auth.basic.password", "p"}, {"header.X-A", "b"}},
                                   .pipeline = "users"},
                                  *store_, env::real_env());
  ASSERT_TRUE(store) << store.error().message;
  auto sink = *(*store)->sink("new people", "q", schema_);
  sink_.reset(static_cast<WebhookSink*>(sink.release()));
  ASSERT_TRUE(stage(0, 1));
  ASSERT_TRUE(commit(1));
  EXPECT_EQ(asked()[0].path, "/to/new people");
  EXPECT_EQ(asked()[0].header("authorization"), "Basic dTpw");
  EXPECT_EQ(asked()[0].header("x-a"), "b");
}

TEST(WebhookOptions, AreChecked) {
  using Options = std::map<std::string, std::string>;
  EXPECT_TRUE(check_options("https://h/x", {{"format", "ndjson"},
                                            {"method", "PUT"},
                                            {"rows_max", "1"},
                                            {"bytes_max", "1MiB"},
                                            {"timeout", "3s"},
                                            {"header.X-A", "b"},
                                            {"auth.bearer", "t"}}));
  const std::pair<std::string, Options> bad[] = {
      {"ftp://h", {}},
      {"http://h", {{"format", "csv"}}},
      {"http://h", {{"method", "GET"}}},
      {"http://h", {{"rows_max", "0"}}},
      {"http://h", {{"rows_max", "1e3"}}},
      {"http://h", {{"bytes_max", "1GiB"}}},
      {"http://h", {{"timeout", "0s"}}},
      {"http://h", {{"header.", "b"}}},
      {"http://h", {{"header.A B", "b"}}},
      {"http://h", {{"header.A", "b\r\nC: d"}}},
      {"http://h", {{"header.idempotency-Key", "b"}}},
      {"http://h", {{"auth.bearer", "t\n"}}},
      {"http://h", {{"auth.basic.user", "u"}}},
      {"http://h", {{"auth.bearer", "t"}, {"auth.basic.user", "u"}, {"auth.basic.password", "p"}}},
  };
  for (const auto& [url, options] : bad)
    EXPECT_EQ(check_options(url, options).error().code, Errc::kInvalidArgument) << url << options.begin()->first;
  EXPECT_EQ(check_options("http://h", {{"retries", "3"}}).error().message, "there is no option 'retries' for a webhook");
}

TEST(Cuts, AreReadAsTheyWereWritten) {
  Cuts cuts{{0, {5, 1ll << 60}}, {300, {0}}};
  std::string bytes = encode_cuts(cuts);
  EXPECT_EQ(decode_cuts(bytes), cuts);
  EXPECT_EQ(decode_cuts(encode_cuts({})), Cuts());
  for (const std::string& bad : {std::string(), bytes.substr(0, bytes.size() - 1), bytes + "\x01", "\x02" + bytes.substr(1)})
    EXPECT_FALSE(decode_cuts(bad));
}

}  // namespace
}  // namespace millrace::connect::webhook
