#include "connect/cassandra/session.h"

#include <gtest/gtest.h>

#include <atomic>

#include "base/log.h"
#include "connect/cassandra/fake_node.h"

namespace millrace::connect::cassandra {
namespace {

using namespace std::chrono_literals;

template <class Condition>
bool wait_until(Condition condition) {
  for (int i = 0; i < 3000 && !condition(); ++i) std::this_thread::sleep_for(5ms);
  return condition();
}

Settings settings_of(const FakeNode& node, std::map<std::string, std::string> options = {}) {
  auto settings = read_settings(node.url(), options);
  EXPECT_TRUE(settings);
  return *settings;
}

std::unique_ptr<Session> open(const Settings& settings) {
  set_log_level(LogLevel::kOff);
  auto session = Session::open(settings, env::real_clock());
  EXPECT_TRUE(session) << (session ? "" : session.error().message);
  return session ? std::move(*session) : nullptr;
}

cql::Response error(cql::ErrorCode code, std::string message = "because", std::string id = {}) {
  cql::ErrorResponse error{.code = code};
  error.message = std::move(message);
  error.unprepared_id = std::move(id);
  return error;
}

/// Requests of EXECUTE, and what became of them.
class Executes : public RequestGroup {
 public:
  void done(Request& request, const Answer& answer) override {
    MutexLock lock(mutex_);
    if (!answer.ok()) errors_.push_back(answer.error);
    tries_ += request.tries;
    ++done_;
  }
  size_t count() EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    return done_;
  }
  std::vector<Error> errors() EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    return errors_;
  }
  size_t tries() EXCLUDES(mutex_) {
    MutexLock lock(mutex_);
    return tries_;
  }

 private:
  Mutex mutex_;
  size_t done_ GUARDED_BY(mutex_) = 0;
  size_t tries_ GUARDED_BY(mutex_) = 0;
  std::vector<Error> errors_ GUARDED_BY(mutex_);
};

std::shared_ptr<Executes> execute(Session& session, size_t count, bool idempotent = true, std::optional<int64_t> token = {}) {
  auto group = std::make_shared<Executes>();
  group->keyspace = "ks";
  group->statements.push_back({"INSERT", "id-1", ""});
  std::vector<std::unique_ptr<Request>> requests;
  for (size_t i = 0; i < count; ++i) {
    requests.push_back(make_request(group, session.version(), cql::ExecuteRequest{"id-1", "meta", {}, {}}));
    requests.back()->once = false;
    requests.back()->idempotent = idempotent;
    requests.back()->token = token;
  }
  EXPECT_TRUE(session.submit(requests, group->cancelled));
  return group;
}

bool is_execute(const cql::Request& request) { return std::holds_alternative<cql::ExecuteRequest>(request); }

TEST(CassandraSession, SpeaksTheNewestVersionThatTheServerHas) {
  for (uint8_t version : {4, 5}) {
    for (const char* compression : {"none", "lz4"}) {
      FakeNode node({.version_max = version});
      auto session = open(settings_of(node, {{"compression", compression}}));
      ASSERT_NE(session, nullptr);
      EXPECT_EQ(static_cast<int>(session->version()), version);
      auto group = execute(*session, 3000);
      EXPECT_TRUE(wait_until([&] { return group->count() == 3000; }));
      EXPECT_TRUE(group->errors().empty());
    }
  }
}

TEST(CassandraSession, AVersionThatIsWantedIsNotLowered) {
  FakeNode node({.version_max = 4});
  Settings settings = settings_of(node, {{"protocol", "5"}, {"connect_timeout", "300ms"}});
  auto session = Session::open(settings, env::real_clock());
  ASSERT_FALSE(session);
  EXPECT_EQ(session.error().code, Errc::kUnavailable);
  EXPECT_NE(session.error().message.find("unsupported protocol version"), std::string::npos) << session.error().message;
}

TEST(CassandraSession, LogsIn) {
  for (uint8_t version : {4, 5}) {
    FakeNode node({.version_max = version, .user = "ann", .password = "se:cret"});
    EXPECT_NE(open(settings_of(node, {{"user", "ann"}, {"password", "se:cret"}})), nullptr);
    auto wrong = Session::open(settings_of(node, {{"user", "ann"}, {"password", "guess-1"}}), env::real_clock());
    ASSERT_FALSE(wrong);
    EXPECT_EQ(wrong.error().code, Errc::kPermissionDenied);
    EXPECT_EQ(wrong.error().message.find("guess-1"), std::string::npos);
    auto none = Session::open(settings_of(node), env::real_clock());
    ASSERT_FALSE(none);
    EXPECT_EQ(none.error().code, Errc::kPermissionDenied);
  }
}

TEST(CassandraSession, NobodyThereIsUnavailableWithThePlace) {
  FakeNode node;
  node.drop_all(true);
  auto session = Session::open(settings_of(node, {{"connect_timeout", "200ms"}}), env::real_clock());
  ASSERT_FALSE(session);
  EXPECT_EQ(session.error().code, Errc::kUnavailable);
  EXPECT_NE(session.error().message.find("127.0.0.1:" + std::to_string(node.port())), std::string::npos);
}

TEST(CassandraSession, FindsPeersAlsoOnOldServers) {
  for (bool v2 : {true, false}) {
    FakeNode node({.has_peers_v2 = v2, .peers = {{.address = "127.0.0.1", .port = 1, .id = 2, .dc = "elsewhere"}}});
    auto session = open(settings_of(node));
    ASSERT_NE(session, nullptr);
    SessionState state = session->state();
    ASSERT_EQ(state.cluster.nodes.size(), 2u);
    EXPECT_EQ(state.local_dc, "dc1");
    EXPECT_EQ(state.cluster.nodes[1].address.port, v2 ? 1 : node.port());
  }
}

TEST(CassandraSession, AControlConnectionThatIsLostWhileItAsksIsMadeAnew) {
  FakeNode node;
  node.peer_drops = 2;
  EXPECT_NE(open(settings_of(node)), nullptr);
  EXPECT_LT(node.peer_drops, 0);
}

TEST(CassandraSession, AStatementThatANodeForgotIsPreparedOnceForAllThatNeedIt) {
  FakeNode node;
  std::atomic<bool> known = false;
  std::atomic<int> prepares = 0;
  node.set_script([&](const cql::Request& request) -> FakeNode::Act {
    if (std::holds_alternative<cql::PrepareRequest>(request)) {
      ++prepares;
      known = true;
      return {cql::PreparedResult{.id = "id-1"}};
    }
    if (!known) return {error(cql::ErrorCode::kUnprepared, "unprepared", "id-1")};
    return {cql::VoidResult{}};
  });
  auto session = open(settings_of(node));
  auto group = execute(*session, 100);
  EXPECT_TRUE(wait_until([&] { return group->count() == 100; }));
  EXPECT_TRUE(group->errors().empty());
  EXPECT_LE(prepares, 2);
}

TEST(CassandraSession, AStatementThatCannotBePreparedAgainFailsWithTheServersWords) {
  FakeNode node;
  node.set_script([&](const cql::Request& request) -> FakeNode::Act {
    if (std::holds_alternative<cql::PrepareRequest>(request)) return {error(cql::ErrorCode::kInvalid, "table t does not exist")};
    return {error(cql::ErrorCode::kUnprepared, "unprepared", "id-1")};
  });
  auto session = open(settings_of(node));
  auto group = execute(*session, 3);
  ASSERT_TRUE(wait_until([&] { return group->count() == 3; }));
  EXPECT_EQ(group->errors().size(), 3u);
  EXPECT_NE(group->errors()[0].message.find("table t does not exist"), std::string::npos);
}

TEST(CassandraSession, OverloadIsWaitedOut) {
  FakeNode node;
  std::atomic<int> refusals = 20;
  node.set_script([&](const cql::Request& request) -> FakeNode::Act {
    if (is_execute(request) && refusals-- > 0) return {error(cql::ErrorCode::kOverloaded)};
    return {cql::VoidResult{}};
  });
  auto session = open(settings_of(node));
  auto group = execute(*session, 10);
  EXPECT_TRUE(wait_until([&] { return group->count() == 10; }));
  EXPECT_TRUE(group->errors().empty());
  EXPECT_EQ(group->tries(), 30u);
}

TEST(CassandraSession, RequestsOfALostConnectionGoOutAgainIfThatIsSafe) {
  FakeNode node;
  std::atomic<int> drops = 1;
  node.set_script([&](const cql::Request& request) -> FakeNode::Act {
    if (is_execute(request) && drops-- > 0) return {.drop = true};
    return {cql::VoidResult{}};
  });
  auto session = open(settings_of(node));
  auto group = execute(*session, 50);
  EXPECT_TRUE(wait_until([&] { return group->count() == 50; }));
  EXPECT_TRUE(group->errors().empty());
  drops = 1;
  auto unsafe = execute(*session, 1, false);
  ASSERT_TRUE(wait_until([&] { return unsafe->count() == 1; }));
  ASSERT_EQ(unsafe->errors().size(), 1u);
  EXPECT_EQ(unsafe->errors()[0].code, Errc::kUnavailable);
  EXPECT_NE(unsafe->errors()[0].message.find("connection lost"), std::string::npos) << unsafe->errors()[0].message;
}

TEST(CassandraSession, ALateAnswerIsNobodysAndItsStreamIsFreeAgain) {
  FakeNode node;
  std::atomic<int> holds = 5;
  node.set_script([&](const cql::Request& request) -> FakeNode::Act {
    if (is_execute(request) && holds-- > 0) return {.hold = true};
    return {cql::VoidResult{}};
  });
  auto session = open(settings_of(node, {{"request_timeout", "200ms"}}));
  auto group = execute(*session, 5);
  EXPECT_TRUE(wait_until([&] { return group->count() == 5; }));
  EXPECT_TRUE(group->errors().empty());
  EXPECT_EQ(group->tries(), 10u);
  node.release();
  auto more = execute(*session, 2000);
  EXPECT_TRUE(wait_until([&] { return more->count() == 2000; }));
  EXPECT_TRUE(more->errors().empty());
  EXPECT_EQ(node.connections(), 2);
}

TEST(CassandraSession, GivesUpAfterItsTimeAndComesBackWhenTheNodeDoes) {
  FakeNode node;
  Settings settings = settings_of(node);
  settings.retry_time = 300ms;
  auto session = open(settings);
  node.drop_all(true);
  auto group = execute(*session, 3);
  ASSERT_TRUE(wait_until([&] { return group->count() == 3; }));
  ASSERT_EQ(group->errors().size(), 3u);
  EXPECT_EQ(group->errors()[0].code, Errc::kUnavailable);
  EXPECT_NE(group->errors()[0].message.find(std::to_string(node.port())), std::string::npos) << group->errors()[0].message;
  node.drop_all(false);
  EXPECT_TRUE(wait_until([&] {
    auto again = execute(*session, 1);
    wait_until([&] { return again->count() == 1; });
    return again->errors().empty();
  }));
}

TEST(CassandraSession, RequestsGoToTheNodeThatKeepsTheRow) {
  FakeNode second({.self = {.id = 2, .tokens = {1000}}});
  FakeNode first({.self = {.id = 1, .tokens = {0}}, .peers = {{.port = second.port(), .id = 2, .tokens = {1000}}}});
  std::atomic<int> at_first = 0, at_second = 0;
  first.set_script([&](const cql::Request&) -> FakeNode::Act { return ++at_first, FakeNode::Act{cql::VoidResult{}}; });
  second.set_script([&](const cql::Request&) -> FakeNode::Act { return ++at_second, FakeNode::Act{cql::VoidResult{}}; });
  auto session = open(settings_of(first));
  // Until both are connected, one has to do.
  ASSERT_TRUE(wait_until([&] {
    auto probe = execute(*session, 1, true, 1000);
    wait_until([&] { return probe->count() == 1; });
    return at_second > 0;
  }));
  at_first = at_second = 0;
  auto group = execute(*session, 40, true, 500);
  EXPECT_TRUE(wait_until([&] { return group->count() == 40; }));
  EXPECT_EQ(at_second, 40);
  group = execute(*session, 30, true, -5);
  EXPECT_TRUE(wait_until([&] { return group->count() == 30; }));
  EXPECT_EQ(at_first, 30);
  second.drop_all(true);
  group = execute(*session, 20, true, 500);
  EXPECT_TRUE(wait_until([&] { return group->count() == 20; }));
  EXPECT_TRUE(group->errors().empty());
  EXPECT_EQ(at_first, 50);
}

TEST(CassandraSession, WhatIsCancelledOrUnderWayAtTheEndEnds) {
  FakeNode node;
  node.set_script([&](const cql::Request&) -> FakeNode::Act { return {.hold = true}; });
  auto session = open(settings_of(node, {{"requests_in_flight", "4"}}));
  auto group = execute(*session, 50);
  ASSERT_TRUE(wait_until([&] { return node.held() == 4; }));
  session.reset();
  EXPECT_EQ(group->count(), 50u);
  for (const Error& error : group->errors()) EXPECT_EQ(error.code, Errc::kCancelled);
}

}  // namespace
}  // namespace millrace::connect::cassandra
