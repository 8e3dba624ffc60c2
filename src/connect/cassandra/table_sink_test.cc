#include "connect/cassandra/table_sink.h"

#include <thread>

#include "base/log.h"
#include "connect/cassandra/fake_node.h"
#include "connect/cassandra/tables_bed.h"

namespace millrace::connect::cassandra {
namespace {

using namespace std::chrono_literals;
using model::TypeId;

/// A sink on a node that knows one table: ks.t (id text, n int, v text).
class CassandraSink : public testing::Test {
 protected:
  void SetUp() override {
    set_log_level(LogLevel::kOff);
    node_.set_script([this](const cql::Request& request) { return answer(request); });
    Settings settings = *read_settings(node_.url(), {});
    settings.retry_time = 500ms;
    auto session = Session::open(settings, env::real_clock());
    ASSERT_TRUE(session) << session.error().message;
    session_ = std::move(*session);
    def_.name = "ks.t";
    def_.schema.fields = {{"id", type_of(TypeId::kText)}, {"n", type_of(TypeId::kInteger)}, {"v", type_of(TypeId::kText)}};
    def_.partition_key = {0};
    def_.clustering = {{1, false}};
    auto sink = TableSink::create(*session_, env::real_clock(), {def_, std::make_shared<model::Schema>(def_.schema), "p", "q"});
    ASSERT_TRUE(sink) << sink.error().message;
    sink_ = std::move(*sink);
  }

  FakeNode::Act answer(const cql::Request& request) {
    if (const auto* query = std::get_if<cql::QueryRequest>(&request)) {
      if (query->query.find("system_schema.tables") != std::string_view::npos)
        return {node_.rows({{"id", cql::CqlTypeId::kUuid}}, {{FakeNode::uuid(5)}})};
      if (query->query.find("system_schema.types") != std::string_view::npos) return {node_.rows({{"type_name"}}, {})};
      return {node_.rows(
          {{"column_name"}, {"type"}, {"kind"}, {"clustering_order"}},
          {{"id", "text", "partition_key", "none"}, {"n", "int", "clustering", "asc"}, {"v", "text", "regular", "none"}})};
    }
    if (const auto* prepare = std::get_if<cql::PrepareRequest>(&request))
      return {cql::PreparedResult{.id = std::string(prepare->query.substr(0, 6))}};
    return on_write_(request);
  }
  static FakeNode::Act refuse(std::string message) {
    cql::ErrorResponse error{.code = cql::ErrorCode::kInvalid};
    error.message = std::move(message);
    return {error};
  }
  static bool holds(const cql::Request& request, std::string_view value) {
    auto among = [&](const std::vector<cql::Value>& values) {
      return std::any_of(values.begin(), values.end(), [&](const cql::Value& v) { return v.bytes == value; });
    };
    if (const auto* execute = std::get_if<cql::ExecuteRequest>(&request)) return among(execute->values.values);
    const auto* batch = std::get_if<cql::BatchRequest>(&request);
    return batch != nullptr && std::any_of(batch->statements.begin(), batch->statements.end(),
                                           [&](const auto& statement) { return among(statement.values); });
  }
  Result<port::SinkReport> stage(const std::vector<Cells>& cells) {
    int64_t now = to_micros(env::real_clock().now());
    std::vector<port::RowOrigin> origins;
    for (size_t i = 0; i < cells.size(); ++i)
      origins.push_back({0, static_cast<int64_t>(i), now / 1000, static_cast<uint64_t>(now) + i, 0, false});
    return sink_->stage(batch_of(def_.schema, cells), origins, false);
  }
  Status commit() {
    store::Batch batch;
    return sink_->commit({1, {}}, batch);
  }

  std::function<FakeNode::Act(const cql::Request&)> on_write_ = [](const cql::Request&) {
    return FakeNode::Act{cql::VoidResult{}};
  };
  FakeNode node_;
  std::unique_ptr<Session> session_;
  model::TableDef def_;
  std::unique_ptr<TableSink> sink_;
};

TEST_F(CassandraSink, IsIdempotentAndItsEpochsAreShort) {
  port::SinkTraits traits = sink_->traits();
  EXPECT_EQ(traits.kind, port::SinkKind::kIdempotent);
  EXPECT_LE(traits.epoch_records_max, 100'000u);
}

TEST_F(CassandraSink, ARowThatTheServerRefusesIsAFaultWhenItComesAgain) {
  on_write_ = [](const cql::Request& request) {
    return holds(request, "bad") ? refuse("Mutation of 20MiB is too large for the maximum size of 16MiB")
                                 : FakeNode::Act{cql::VoidResult{}};
  };
  // First within a batch of its partition, then alone, then known.
  std::vector<Cells> cells = {{"a", "1", "good"}, {"a", "2", "bad"}, {"b", "1", "good"}};
  for (int attempt = 0; attempt < 2; ++attempt) {
    auto report = stage(cells);
    ASSERT_TRUE(report) << report.error().message;
    EXPECT_TRUE(report->faults.empty());
    Status committed = commit();
    ASSERT_FALSE(committed);
    EXPECT_EQ(committed.error().code, Errc::kUnavailable);
    EXPECT_NE(committed.error().message.find("too large"), std::string::npos) << committed.error().message;
    sink_->abandon();
  }
  auto report = stage(cells);
  ASSERT_TRUE(report);
  ASSERT_EQ(report->faults.size(), 1u);
  EXPECT_EQ(report->faults[0].row, 1u);
  EXPECT_EQ(report->faults[0].code, "refused");
  EXPECT_TRUE(commit());
  sink_->committed();
  EXPECT_TRUE(stage(cells)->faults.empty());
}

TEST_F(CassandraSink, ATableThatIsGoneIsAFaultOfTheState) {
  on_write_ = [](const cql::Request&) { return refuse("unconfigured table t"); };
  ASSERT_TRUE(stage({{"a", "1", "x"}}));
  Status committed = commit();
  ASSERT_FALSE(committed);
  EXPECT_EQ(committed.error().code, Errc::kFailedPrecondition);
  EXPECT_NE(committed.error().message.find("ks.t"), std::string::npos);
  EXPECT_NE(committed.error().message.find("query q"), std::string::npos);
}

TEST_F(CassandraSink, AServerThatIsAwayIsUnavailableAndTheNextEpochSucceeds) {
  node_.drop_all(true);
  ASSERT_TRUE(stage({{"a", "1", "x"}}));
  Status committed = commit();
  ASSERT_FALSE(committed);
  EXPECT_EQ(committed.error().code, Errc::kUnavailable) << committed.error().message;
  sink_->abandon();
  node_.drop_all(false);
  for (int i = 0; i < 100 && !committed; ++i) {
    auto staged = stage({{"a", "1", "x"}});
    committed = staged ? commit() : Status(fail(staged.error()));
    if (committed) sink_->committed();
    if (!committed) sink_->abandon();
  }
  EXPECT_TRUE(committed);
}

TEST_F(CassandraSink, ACommitThatWaitsIsInterrupted) {
  on_write_ = [](const cql::Request&) { return FakeNode::Act{.hold = true}; };
  ASSERT_TRUE(stage({{"a", "1", "x"}}));
  std::thread interrupter([&] {
    while (node_.held() == 0) std::this_thread::sleep_for(1ms);
    sink_->interrupt();
  });
  Status committed = commit();
  interrupter.join();
  ASSERT_FALSE(committed);
  EXPECT_EQ(committed.error().code, Errc::kCancelled);
  sink_->abandon();
  EXPECT_EQ(stage({{"a", "1", "x"}}).error().code, Errc::kCancelled);
}

TEST_F(CassandraSink, AStageThatFindsTheQueueFullIsInterrupted) {
  on_write_ = [](const cql::Request&) { return FakeNode::Act{.hold = true}; };
  std::thread interrupter([&] {
    while (node_.held() == 0) std::this_thread::sleep_for(1ms);
    sink_->interrupt();
  });
  std::vector<Cells> cells;
  for (int i = 0; i < 6000; ++i) cells.push_back({std::to_string(i), "1", "x"});
  auto staged = stage(cells);
  interrupter.join();
  ASSERT_FALSE(staged);
  EXPECT_EQ(staged.error().code, Errc::kCancelled);
}

}  // namespace
}  // namespace millrace::connect::cassandra
